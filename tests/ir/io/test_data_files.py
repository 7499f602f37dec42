"""Test where weights lie beside a model: files with hard links, links, and tensors that aren't the main graph's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import ModelError, OnnxtileError, UnsupportedError
from onnxtile.ir.io.data_files import data_file, remove_old_data
from tests.commands import FORMS, in_every_form, status, whole_model
from tests.support import parse, run_onnxruntime, whole

F32 = np.dtype(np.float32)
LIMITS = (4, 4, 4)
FEEDS = {"x": whole([6, 9], F32, 2), "c": np.array(True)}
CURE = "'w.bin' is a link that leads out of the model's folder; --follow-links reads it, or put the file there"


def model(wide: int = 10) -> onnx.ModelProto:
    """Weights in the main graph, a body, a Constant node, a function, and a body of that."""
    made = onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["" : 20, "local" : 1]>
        g (float[6,9] x, bool c) => (float[6,{wide}] y, float[6,{wide}] z, float[6,{wide}] u, float[6,{wide}] v) {{
            [p] y = MatMul (x, w)
            z = If (c) <then_branch = t () => (float[6,{wide}] a) {{ [in] a = MatMul (x, inner) }},
                        else_branch = e () => (float[6,{wide}] b) {{ b = Identity (y) }}>
            k = Constant ()
            [q] u = MatMul (x, k)
            v = local.f (x, c)
        }}
        <domain: "local", opset_import: ["" : 20]> f (a, c) => (d) {{
            h = Constant ()
            [fc] s = MatMul (a, h)
            n = If (c) <then_branch = t () => (m) {{ o = Constant ()  [deep] m = MatMul (a, o) }},
                        else_branch = e () => (b) {{ b = Identity (s) }}>
            d = Add (n, s)
        }}"""
    )
    made.graph.initializer.append(numpy_helper.from_array(whole([9, wide], F32, 1), "w"))
    branch = made.graph.node[1].attribute[0].g
    branch.initializer.append(numpy_helper.from_array(whole([9, wide], F32, 3), "inner"))
    function = made.functions[0]
    for seed, node in enumerate((made.graph.node[2], function.node[0], function.node[2].attribute[0].g.node[0])):
        tensor = numpy_helper.from_array(whole([9, wide], F32, 5 + seed), f"constant_{seed}")
        node.attribute.append(onnx.helper.make_attribute("value", tensor))
    return made


def move_out(made: onnx.ModelProto, data: Path) -> None:
    """Put every tensor, wherever it is, into a data file; onnx.save leaves those of functions where they are."""

    def tensors(nodes: list[onnx.NodeProto]) -> list[onnx.TensorProto]:
        found = []
        for node in nodes:
            for attribute in node.attribute:
                found += [attribute.t] if attribute.HasField("t") else []
                found += [*attribute.g.initializer, *tensors(list(attribute.g.node))] if attribute.HasField("g") else []
        return found

    every = [*made.graph.initializer, *tensors(list(made.graph.node)), *tensors(list(made.functions[0].node))]
    with data.open("wb") as file:
        for tensor in every:
            where = {"location": data.name, "offset": str(file.tell()), "length": str(len(tensor.raw_data))}
            file.write(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in where.items():
                tensor.external_data.add(key=key, value=value)


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """The model with all of its tensors in w.bin."""
    made = model()
    move_out(made, tmp_path / "w.bin")
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    return tmp_path / "m.onnx"


def only_main(folder: Path) -> Path:
    """A model whose one weight is in folder/w.bin, as engines read it too."""
    made = parse(
        """<ir_version: 10, opset_import: ["" : 20]> g (float[6,9] x) => (float[6,10] y) { [p] y = MatMul (x, w) }""",
        w=whole([9, 10], F32, 1),
    )
    onnx.save_model(made, folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    return folder / "m.onnx"


def test_tensors_of_bodies_constants_and_functions(beside: Path, tmp_path: Path) -> None:
    want = run_onnxruntime(model(), FEEDS)
    (tmp_path / "elsewhere").mkdir()
    inside = [row.to_json() for row in onnxtile.check(model(), LIMITS).contractions]
    assert [row.to_json() for row in onnxtile.check(beside, LIMITS).contractions] == inside
    assert onnxtile.profile(beside).totals == onnxtile.profile(model()).totals
    for form in FORMS:
        assert onnxtile.lower(beside, LIMITS, form=form) == onnxtile.lower(model(), LIMITS, form=form)
        output = tmp_path / "elsewhere" / "o.onnx"
        onnxtile.lower(beside, LIMITS, form=form, output=output)
        for got, wanted in zip(run_onnxruntime(onnx.load(output), FEEDS), want, strict=True):
            np.testing.assert_array_equal(got, wanted)
        assert onnxtile.verify(beside, output, method="bound").equivalent
        verdicts = [onnxtile.verify(each, output).regions for each in (beside, model())]
        assert verdicts[0] == verdicts[1]


def test_every_command_on_them(tmp_path: Path) -> None:
    made, beside = model(), tmp_path / "m.onnx"
    made.functions[0].node[0].CopyFrom(onnx.helper.make_node("Transpose", ["a"], ["t"]))
    made.functions[0].node[1].CopyFrom(onnx.helper.make_node("MatMul", ["a", "t"], ["s"], "fc"))
    made.functions[0].node[2].attribute[0].g.node[1].input[1] = "t"
    for value in made.graph.output:
        value.type.tensor_type.ClearField("shape")
    move_out(made, tmp_path / "w.bin")
    beside.write_bytes(made.SerializeToString())
    (tmp_path / "out").mkdir()
    whole_model(beside, "4,4,4", FEEDS, tmp_path / "out")
    in_every_form(beside, "4,4,4", FEEDS, ["batched"], tmp_path / "out")
    certificate = tmp_path / "out" / "c.json"
    assert status("verify", beside, tmp_path / "out" / "batched.onnx", "--certificate", certificate) == 0
    assert status("verify", "--recheck", certificate) == 0
    data = tmp_path / "w.bin"
    data.write_bytes(data.read_bytes()[:-4] + b"abcd")
    assert status("verify", "--recheck", certificate) == 1


def test_what_onnx_writes_of_constants(tmp_path: Path) -> None:
    path, original = tmp_path / "m.onnx", model(40)
    onnx.save_model(
        original, path, save_as_external_data=True, location="w.bin", size_threshold=0, convert_attribute=True
    )
    assert onnx.load(path, load_external_data=False).graph.node[2].attribute[0].t.external_data
    for form in FORMS:
        assert onnxtile.lower(path, LIMITS, form=form) == onnxtile.lower(model(40), LIMITS, form=form)


def test_the_same_in_the_ir(beside: Path) -> None:
    read = ir.load(beside)
    for function in read.functions.values():  # onnx_ir tells only the main graph where its files are
        for node in function.all_nodes():
            for attribute in node.attributes.values():
                if attribute.type == ir.AttributeType.TENSOR:
                    attribute.as_tensor().base_dir = beside.parent
    os.link(beside.parent / "w.bin", beside.parent / "second")
    lowered = onnxtile.lower(read, LIMITS, form="batched")
    assert onnxtile.verify(model(), lowered, method="bound").equivalent


def test_their_bytes_are_checked(beside: Path) -> None:
    data = beside.parent / "w.bin"
    data.write_bytes(data.read_bytes()[:-4])
    with pytest.raises(ModelError, match="'value' of Constant 'o' of then_branch of If 'n' of function 'f': its"):
        onnxtile.lower(beside, LIMITS)


def test_too_many_bytes_for_protobuf(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxtile.ir.io.trust.LARGEST", 4 * 360)
    assert onnxtile.check(beside, LIMITS).over
    monkeypatch.setattr("onnxtile.ir.io.trust.LARGEST", 4 * 360 - 1)
    with pytest.raises(UnsupportedError, match="tensors in bodies, attributes and functions come to 1,440 bytes, more"):
        onnxtile.check(beside, LIMITS)


@pytest.mark.parametrize("kind", ["int4", "float16"])
def test_narrow_types(tmp_path: Path, kind: str) -> None:
    operator = "DequantizeLinear (w, s)" if kind == "int4" else "Cast <to = 1> (w)"
    made = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : 21]>
        g (float[6,9] x) => (float[6,10] y) <float s = {{2}}> {{ d = {operator}  [p] y = MatMul (x, d) }}""")
    numbers = np.resize([3, -3, 2], [9, 10]).astype(ir.DataType[kind.upper()].numpy())
    made.graph.initializer.append(ir.to_proto(ir.Tensor(numbers, name="w")))
    want = run_onnxruntime(made, {"x": FEEDS["x"]}, optimize=False)
    onnx.save_model(made, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    os.link(tmp_path / "w.bin", tmp_path / "second")
    for form in FORMS:
        lowered = onnxtile.lower(tmp_path / "m.onnx", LIMITS, form=form)
        np.testing.assert_array_equal(run_onnxruntime(lowered, {"x": FEEDS["x"]}, optimize=False)[0], want[0])
        assert onnxtile.verify(tmp_path / "m.onnx", lowered).equivalent


def test_a_second_hard_link(tmp_path: Path) -> None:
    """Package managers and file systems make them; onnxruntime reads such files, onnx's loaders don't."""
    path = only_main(tmp_path)
    os.link(tmp_path / "w.bin", tmp_path / "second")
    whole_model(path, "4,4,4", {"x": FEEDS["x"]})
    written = in_every_form(path, "4,4,4", {"x": FEEDS["x"]}, ["unrolled", "function"])
    assert onnx.load(written[1], load_external_data=False).graph.initializer[0].external_data[0].value == "w.bin"


def hub(folder: Path) -> Path:
    """A cache as model hubs keep it: snapshots of links to blobs."""
    (folder / "blobs").mkdir()
    (folder / "snapshots" / "abc").mkdir(parents=True)
    only_main(folder / "blobs")
    for name in ("m.onnx", "w.bin"):
        (folder / "snapshots" / "abc" / name).symlink_to(f"../../blobs/{name}")
    (folder / "blobs" / "w.bin").rename(folder / "blobs" / "1234")
    (folder / "snapshots" / "abc" / "w.bin").unlink()
    (folder / "snapshots" / "abc" / "w.bin").symlink_to("../../blobs/1234")
    return folder / "snapshots" / "abc" / "m.onnx"


def test_a_cache_of_links_is_read_where_the_user_says_so(tmp_path: Path) -> None:
    path, feeds = hub(tmp_path), {"x": FEEDS["x"]}
    (tmp_path / "out").mkdir()
    whole_model(path, "4,4,4", feeds, tmp_path / "out", "--follow-links")
    in_every_form(path, "4,4,4", feeds, ["loop"], tmp_path / "out", "--follow-links")
    beside = path.with_name("lowered.onnx")  # engines don't follow links out of a folder: nothing stays in that file
    assert status("lower", path, "--max", "4,4,4", "--form", "function", "-o", beside, "--follow-links") == 0
    assert not onnx.load(beside, load_external_data=False).graph.initializer[0].external_data
    assert run_onnxruntime(onnx.load(beside), feeds)[0].shape == (6, 10)
    assert status("verify", path, beside, "--follow-links") == 0


COMMANDS = [
    ("lower", "--max", "4,4,4"), ("check", "--max", "4,4,4"), ("profile",), ("annotate",), ("capture", "--name", "*"),
    ("run", "--passes", "infer-shapes", "-o", "out.onnx"), ("reduce", "--passes", "infer-shapes"), ("verify",),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_and_refused_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    path = hub(tmp_path)
    names = sorted(path.parent.iterdir())
    where = [str(path.parent / each) if each == "out.onnx" else each for each in command]
    assert status(where[0], path, *([path] if command == ("verify",) else []), *where[1:]) == 2
    words = capsys.readouterr().err
    assert CURE in words
    assert len(words.strip().splitlines()) == 1
    assert sorted(path.parent.iterdir()) == names


def test_in_python(tmp_path: Path) -> None:
    path = hub(tmp_path)
    for refused in (onnxtile.check, onnxtile.lower):
        with pytest.raises(ModelError, match=CURE):
            refused(path, LIMITS)
    lowered = onnxtile.lower(path, LIMITS, follow_links=True)
    assert onnxtile.check(path, LIMITS, follow_links=True).over
    assert onnxtile.profile(path, follow_links=True).totals.macs == 540
    assert list(onnxtile.capture(path, name="p", follow_links=True)) == ["y"]
    assert onnxtile.verify(path, lowered, follow_links=True).equivalent
    assert onnxtile.verify(path, lowered, method="bound", follow_links=True).equivalent
    with onnxtile.following_links():
        assert len(onnxtile.estimate(path, LIMITS)[1]) == 4
    with pytest.raises(ModelError, match=CURE):
        onnxtile.verify(path, lowered)


def test_links_inside_the_folder_and_to_whole_models_are_read(tmp_path: Path) -> None:
    path = only_main(tmp_path)
    (tmp_path / "w.bin").rename(tmp_path / "real")
    (tmp_path / "w.bin").symlink_to("real")
    assert onnxtile.verify(path, onnxtile.lower(path, LIMITS)).equivalent
    (tmp_path / "linked").mkdir()
    onnx.save(model(), tmp_path / "whole.onnx")
    (tmp_path / "linked" / "m.onnx").symlink_to("../whole.onnx")
    whole_model(tmp_path / "linked" / "m.onnx", "4,4,4", FEEDS)


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("../out.bin", "its data is in '../out.bin', outside the model's folder"),
        ("sub/../../out.bin", "outside the model's folder"),
        ("/etc/hostname", "outside the model's folder"),
        ("", "outside the model's folder"),
        (
            "loop",
            "its data file 'loop' can't be read: too many levels of symbolic links|'loop' is a link that leads to no",
        ),
        ("nowhere", "its data file 'nowhere' is a link that leads to no file"),
        ("folder", "its data file 'folder' is missing"),
        ("absent", "its data file 'absent' is missing"),
        ("n" * 300, "can't be read: file name too long"),
        ("a\0b", "can't be read: .*embedded null|is missing"),
    ],
)
def test_other_places_are_refused(tmp_path: Path, location: str, words: str, follow: bool) -> None:
    folder = tmp_path / "here"
    (folder / "folder").mkdir(parents=True)
    (folder / "sub").mkdir()
    path = only_main(folder)
    (tmp_path / "out.bin").write_bytes((folder / "w.bin").read_bytes())
    (folder / "loop").symlink_to("loop2")
    (folder / "loop2").symlink_to("loop")
    (folder / "nowhere").symlink_to("../gone")
    stub = onnx.load(path, load_external_data=False)
    stub.graph.initializer[0].external_data[0].value = location
    path.write_bytes(stub.SerializeToString())
    for read in (onnxtile.check, onnxtile.lower):
        with pytest.raises(OnnxtileError, match=words) as error:
            read(path, LIMITS, follow_links=follow)
        assert "\n" not in str(error.value)


def test_loops_of_links_as_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.onnx").symlink_to("b.onnx")
    (tmp_path / "b.onnx").symlink_to("a.onnx")
    for command in COMMANDS[1:3]:
        assert status(command[0], tmp_path / "a.onnx", *command[1:], "--follow-links") == 2
        assert "too many levels of symbolic links" in capsys.readouterr().err


def test_a_data_file_is_named_after_its_model_and_its_checksum(tmp_path: Path) -> None:
    def write(file: BinaryIO) -> int:
        file.write(b"weights")
        return 0xBEEF

    with data_file(tmp_path / "net.onnx", write) as name:
        assert name == "net.onnx.0000beef.data"
    assert (tmp_path / name).read_bytes() == b"weights"
    (tmp_path / "net.onnx.0000beef.data.txt").write_text("somebody's")
    (tmp_path / "other.onnx.0000beef.data").write_text("another's")
    remove_old_data(tmp_path / "net.onnx", kept="")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "net.onnx.0000beef.data.txt", "other.onnx.0000beef.data",
    ]  # fmt: skip
