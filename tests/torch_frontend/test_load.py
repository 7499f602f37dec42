"""Models of torch from files: those that torch wrote load, and what would run code is refused and doesn't run."""

from __future__ import annotations

import io
import json
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

from onnxtile.errors import ModelError, UsageError  # noqa: E402  # torch may be missing
from onnxtile.torch_frontend.load import load  # noqa: E402
from tests import torch_scripts  # noqa: E402

Members = dict[str, bytes]
PLAIN = "a pickle of Python objects, which would run code when read; save it with torch.jit.save or torch.export.save"


class Sized(torch.nn.Module):
    """Has a constant, a buffer, a size that's free, keyword inputs and a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)
        self.register_buffer("scale", torch.arange(4.0))

    def forward(self, x: Any, *, k: Any) -> Any:
        return {"a": self.layer(x) * self.scale + k["z"].sum(), "b": x.shape[0] * 2}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("script") / "net.pt"
    torch.jit.save(torch.jit.script(torch_scripts.Loops().eval()), str(path))
    return path


@pytest.fixture(scope="module")
def program() -> Any:
    batch = torch.export.Dim("batch", min=2, max=64)
    shapes = {"x": {0: batch}, "k": {"z": None}}
    return torch.export.export(
        Sized(), (torch.randn(4, 4),), {"k": {"z": torch.randn(2)}}, dynamic_shapes=shapes, strict=False
    )


@pytest.fixture(scope="module")
def exported(program: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    torch.export.save(program, path)
    return path


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(path: Path, content: Members) -> str:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in content.items():
            made.writestr(name, data)
    return str(path)


def changed(source: Path, path: Path, name: str, change: Callable[[bytes], bytes]) -> str:
    content = members(source)
    key = next(key for key in content if key.endswith(name))
    content[key] = change(content[key])
    return archive(path, content)


class Evil:
    """A pickle of it makes a file when it's read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def refused(path: str | Path, words: str, trap: Path | None = None) -> None:
    with pytest.raises(ModelError, match=words) as error:
        load(str(path))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))
    assert trap is None or not trap.exists()


def test_a_torchscript_archive_loads(script: Path) -> None:
    loaded = load(str(script))
    x = torch.randn(2, 4)
    assert loaded.kind == "script"
    assert torch.equal(loaded.model(x)[0], torch.jit.load(str(script))(x)[0])


def test_a_traced_archive_loads(tmp_path: Path) -> None:
    path = tmp_path / "traced.pt"
    torch.jit.save(torch.jit.trace(torch_scripts.Nested().eval(), torch.randn(1, 3, 8, 8)), str(path))
    assert load(str(path)).kind == "script"


def test_an_exported_program_loads(exported: Path, program: Any) -> None:
    loaded = load(str(exported))
    x, k = torch.randn(3, 4), {"z": torch.ones(2)}
    assert loaded.kind == "exported"
    assert torch.equal(loaded.model.module()(x, k=k)["a"], program.module()(x, k=k)["a"])


def test_an_exported_program_of_old_torch_loads(program: Any, tmp_path: Path) -> None:
    from torch._export.serde.schema import SCHEMA_VERSION
    from torch._export.serde.serialize import serialize

    made = serialize(program)
    content = {
        "version": ".".join(map(str, SCHEMA_VERSION)).encode(),
        "serialized_exported_program.json": made.exported_program,
        "serialized_state_dict.pt": made.state_dict,
        "serialized_constants.pt": made.constants,
        "serialized_example_inputs.pt": made.example_inputs,
    }
    path = archive(tmp_path / "old.pt2", content)
    assert load(path).kind == "exported"
    trap, buffer = tmp_path / "trap", io.BytesIO()
    torch.save({"x": Evil(trap)}, buffer)
    bad = archive(tmp_path / "bad.pt2", {**content, "serialized_constants.pt": buffer.getvalue()})
    refused(bad, "would call '(builtins|io|__builtin__|_io).open'", trap)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("what", ["model", "state", "evil"])
def test_what_torch_save_wrote_is_refused(tmp_path: Path, what: str, new: bool) -> None:
    path, trap = tmp_path / "net.pt", tmp_path / "trap"
    model = torch.nn.Linear(2, 2)
    made = {"model": model, "state": model.state_dict(), "evil": Evil(trap)}[what]
    torch.save(made, path, _use_new_zipfile_serialization=new)
    refused(path, re.escape(PLAIN), trap)


def test_other_files_are_refused(tmp_path: Path) -> None:
    import onnx

    for name, data, words in (
        ("empty.pt", b"", "is empty"),
        ("garbage.pt", b"\x01\x02garbage" * 100, "neither a TorchScript archive nor a .pt2"),
        ("text.pt", b"hello", "neither"),
        ("pickle.pt", pickle.dumps({"a": 1}), "a pickle of Python objects"),
        ("old.tar", b"\0" * 257 + b"ustar\0" + b"\0" * 300, "a tar archive of pickles"),
        ("cut.pt", b"PK\x03\x04", "cut off"),
    ):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, words)
    refused(tmp_path / "nonesuch.pt", "no such file or directory; give the path of a .pt or .pt2 file")
    refused(tmp_path, "is a directory")
    refused(archive(tmp_path / "other.zip", {"a/b": b"1"}), "a zip archive that is neither TorchScript nor a .pt2")
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[1] x) => (float[1] y) {y = Abs(x)}'
    )
    onnx.save(model, tmp_path / "net.onnx")
    refused(tmp_path / "net.onnx", "seems to be an ONNX model")


def test_odd_archives_are_refused(script: Path, tmp_path: Path) -> None:
    whole, content = script.read_bytes(), members(script)
    path = tmp_path / "odd.pt"
    for data, words in (
        (whole[:-30], "cut off, or something follows it"),
        (whole + b"more", "cut off, or something follows it"),
        (whole[:4] + b"\0" * 100 + whole, "doesn't fill its file"),
        (whole[:4] + whole[4:].replace(b"PK\x01\x02", b"PK\x01\x03"), "damaged"),
    ):
        path.write_bytes(data)
        refused(path, words)
    refused(archive(path, {**content, "net/../../out": b"1"}), "would lead out")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("net/code/big.py", b"#" * 30_000_000)
    refused(path, "unpack to 30,000,000: refused")
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("net/data.pkl", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("net/data.pkl", b"2")
    refused(path, "there twice")
    encrypted = bytearray(Path(archive(path, content)).read_bytes())
    at = encrypted.index(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    path.write_bytes(encrypted)
    refused(path, "is encrypted")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as made:
        made.writestr("net/data.pkl", b"1")
    refused(path, "packed in a way that torch doesn't read")


def test_a_pickle_in_torchscript_that_calls_python_is_refused(script: Path, tmp_path: Path) -> None:
    path, trap = tmp_path / "net.pt", tmp_path / "trap"
    for member in ("/data.pkl", "/constants.pkl"):
        refused(changed(script, path, member, lambda _: pickle.dumps(Evil(trap), 2)), r"would call '\w+\.open'", trap)
    evil = pickle.dumps(Evil(trap), 4)
    refused(changed(script, path, "/data.pkl", lambda _: evil), "opcode STACK_GLOBAL, which torch doesn't write", trap)
    refused(changed(script, path, "/data.pkl", lambda data: data[:-20]), "damaged or cut off")
    content = members(script)
    lookalike = {name: data for name, data in content.items() if "/code/" not in name}
    refused(archive(path, lookalike), "a pickle of Python objects")
    refused(archive(path, {**content, "net/model.json": b"{}"}), "torch 1.1 and before")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("torch.save(x, 'there')", "refused: calls torch.save"),
        ("torch . save (x, 'there')", "refused: calls torch.save"),
        ("y = torch.from_file('there', False, 2)", "refused: calls torch.from_file"),
        ("y = ops.image.read_file('there')", "refused: calls ops.image.read_file"),
        ("t = torch; t.save(x, 'there')", "'torch' is used in a way that TorchScript doesn't write"),
        ("torch.autograd.save(x, 'there')", "'torch' is used in a way that TorchScript doesn't write"),
        ("t = torch.autograd; t.save(x, 'there')", "'torch' is used in a way that TorchScript doesn't write"),
        ("t = ops.aten\n    t.save(x, 'there')", "'ops' is used in a way that TorchScript doesn't write"),
        ("(ops.aten).save(x, 'there')", "'ops' is used in a way that TorchScript doesn't write"),
        ("getattr(ops.aten, 'save')(x, 'there')", "'ops' is used in a way that TorchScript doesn't write"),
        ("y = 'unfinished", "isn't code|torch .* can't load it"),
    ],
)
def test_torchscript_code_that_reaches_out_is_refused(script: Path, tmp_path: Path, line: str, words: str) -> None:
    def inserted(code: bytes) -> bytes:
        head, signature, body = code.partition(b"List[Tensor]]:\n")
        return head + signature + b"    " + line.encode() + b"\n" + body

    refused(changed(script, tmp_path / "net.pt", "torch_scripts.py", inserted), words)


def test_a_scripted_save_is_refused(tmp_path: Path) -> None:
    class Saves(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch.save(x, "there")
            return x

    torch.jit.save(torch.jit.script(Saves()), str(tmp_path / "net.pt"))
    refused(tmp_path / "net.pt", "refused: calls torch.save")


def test_a_pickle_in_an_exported_program_is_refused(exported: Path, tmp_path: Path) -> None:
    path, trap, buffer = tmp_path / "net.pt2", tmp_path / "trap", io.BytesIO()
    torch.save(((Evil(trap),), {}), buffer)
    bad = buffer.getvalue()
    refused(
        changed(exported, path, "sample_inputs/model.pt", lambda _: bad), r"model.pt: refused: .* '\w+\.open'", trap
    )
    refused(
        changed(exported, path, "sample_inputs/model.pt", lambda _: pickle.dumps(Evil(trap))), "outside of an", trap
    )
    content = members(exported)
    refused(archive(path, {**content, "net/data/weights/model.pt": bad}), r"would call '\w+\.open'", trap)
    config = "net/data/weights/model_weights_config.json"
    values = json.loads(content[config])
    values["config"]["layer.weight"]["use_pickle"] = True
    pickled = {**content, config: json.dumps(values).encode(), "net/data/weights/weight_0": bad}
    refused(archive(path, pickled), r"would call '\w+\.open'", trap)
    values["config"]["layer.weight"]["path_name"] = "opaque_obj_0"
    odd = {**content, config: json.dumps(values).encode(), "net/data/weights/opaque_obj_0": pickle.dumps(Evil(trap))}
    refused(archive(path, odd), "is an object of some class", trap)
    refused(archive(path, {**content, "net/data/aotinductor/model/a.so": b"\x7fELF"}), "holds compiled code")
    refused(archive(path, {key: data for key, data in content.items() if "model.json" not in key}), "holds no models/")


def _set(values: Any, key: str, to: Any) -> None:
    """Set the first such key anywhere."""
    if isinstance(values, dict) and key in values:
        values[key] = to
        return
    for inner in values.values() if isinstance(values, dict) else values if isinstance(values, list) else ():
        if f'"{key}"' in json.dumps(inner):
            _set(inner, key, to)
            return


TREE = '[1, {"type": "%s", "context": %s, "children_spec": []}]'
FACTORY = '{"default_factory_module": "trapped", "default_factory_name": "x", "dict_context": []}'


@pytest.mark.parametrize(
    ("key", "to"),
    [
        ("expr_str", "__import__('os').mkdir('TRAP')"),
        ("expr_str", "(lambda: open('TRAP', 'w'))()"),
        ("expr_str", "Symbol('s77').__class__"),
        ("guards_code", ["L['x'].size()[0] < open('TRAP', 'w').fileno()"]),
        ("guards_code", ["True, ''); open('TRAP', 'w'); (0"]),
        ("target", "torch.os.system"),
        ("target", "torch.ops.aten.from_file.default"),
        ("target", "_operator.__class__"),
        ("target", "torch.hub.load"),
        ("as_name", "x); open('TRAP', 'w'); (y"),
        ("forward_arg_names", ["x=open('TRAP', 'w')"]),
        ("parameter_name", "layer.weight\"); open('TRAP', 'w') #"),
        ("in_spec", TREE % ("collections.defaultdict", FACTORY)),
        ("in_spec", TREE % ("builtins.dict", json.dumps('[{"__enum__": 1, "fqn": "trapped:X", "name": "y"}]'))),
        ("out_spec", TREE % ("builtins.dict", json.dumps('["x\'"]'))),
    ],
)
def test_code_in_an_exported_graph_is_refused(exported: Path, tmp_path: Path, key: str, to: Any) -> None:
    trap = tmp_path / "trap"

    def planted(data: bytes) -> bytes:
        values = json.loads(data)
        _set(values, key, json.loads(json.dumps(to).replace("TRAP", str(trap))))
        return json.dumps(values).encode()

    refused(changed(exported, tmp_path / "net.pt2", "models/model.json", planted), "refused: ", trap)


def test_guards_that_torch_writes_are_taken() -> None:
    from onnxtile.torch_frontend.untrusted.exported_files import check_json

    guards = [
        "Eq(Mod(L['x'].size()[0], 8), 0)", "L['k']['z'].size()[0] <= 64", "math.isnan(L['s'])", "L['b'] is not None",
        "L['x'].stride()[0] == 2*L['y'].size()[1]", "L['flat_args'][0].size()[0] >= 2",
    ]  # fmt: skip
    check_json({"guards_code": guards}, "net.pt2")


def test_damaged_json_is_told(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    refused(changed(exported, path, "models/model.json", lambda data: data[:100]), "isn't JSON, or is cut off")
    refused(changed(exported, path, "models/model.json", lambda data: b"[" * 100_000), "isn't JSON|nested too deeply")
    refused(changed(exported, path, "models/model.json", lambda data: b"{}"), "torch .* can't load it")


def test_callables_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_nets.py").write_text(
        "import torch\n"
        "def net():\n    return torch.nn.Linear(2, 3)\n"
        "made = net()\nnumber = lambda: 7\ndef fails():\n    raise ValueError('not\\ntoday')\n"
    )
    assert load("own_nets:net").kind == "module"
    assert isinstance(load("own_nets:made").model, torch.nn.Linear)
    assert isinstance(load("torch.nn:Identity").model, torch.nn.Identity)
    for spec, words in (
        ("own_nets:number", "own_nets:number gives a int; it should give a torch.nn.Module"),
        ("own_nets:fails", "own_nets:fails fails: ValueError: not today"),
        ("own_nets:nonesuch", "own_nets:nonesuch fails: AttributeError"),
        ("no_such_nets:net", "no_such_nets:net fails: ModuleNotFoundError"),
    ):
        with pytest.raises(UsageError, match=words):
            load(spec)


def test_without_torch_one_line_says_what_to_install(script: Path) -> None:
    code = (
        "import sys\nsys.modules['torch'] = None\n"
        "from onnxtile.errors import UsageError\nfrom onnxtile.torch_frontend.load import load\n"
        "for given in sys.argv[1:]:\n"
        "    try:\n        load(given)\n    except UsageError as error:\n        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(script), "own:net"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "torch isn't installed: pip install 'onnxtile[torch]'\n" * 2


def test_a_member_without_a_name_is_refused(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
        new.writestr("?", b"")
    data = path.read_bytes()
    start = data.rindex(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    entry = bytearray(data[start : start + 46])
    entry[28:30] = b"\0\0"  # the length of its name
    tail = bytearray(data[end:])
    size = int.from_bytes(tail[12:16], "little") - 1
    tail[12:16] = size.to_bytes(4, "little")
    path.write_bytes(data[:start] + entry + tail)
    refused(path, "the archive is damaged or cut off")
