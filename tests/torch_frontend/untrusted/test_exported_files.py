"""Exported programs that hold more than torch writes are refused, and run nothing."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

from tests.torch_files import Evil, archive, changed, members, refused  # noqa: E402  # torch may be missing


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
