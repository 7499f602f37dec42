"""Damaged model files: each kind is refused when it's loaded, in words, and none is an internal error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import AttributeProto, TensorProto, helper

import onnxtile
from onnxtile.errors import ModelError, UnsupportedError
from tests.commands import status
from tests.support import matmul, parse

CALL = """<ir_version: 8, opset_import: ["" : 18, "l" : 1]>
g (float[4,8] x) => (float[4,8] y) { y = l.F (x) }
<domain: "l", opset_import: ["" : 18]> F (p) => (q) { q = Neg (p) }"""
Damage = Callable[[onnx.ModelProto], object]


def call_with_two_inputs(model: onnx.ModelProto) -> None:
    model.graph.node[0].input.append("x")


def call_with_two_outputs(model: onnx.ModelProto) -> None:
    model.graph.node[0].output.append("z")


def reference_outside(model: onnx.ModelProto) -> None:
    model.graph.node.add(op_type="Relu", input=["x"], output=["r"]).attribute.add(
        name="alpha", ref_attr_name="a", type=1
    )


def graph_without_graph(model: onnx.ModelProto) -> None:
    model.functions[0].node[0].attribute.add(name="body", type=AttributeProto.GRAPH)


def tensor_without_tensor(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.add(name="value", type=AttributeProto.TENSOR)


def graph_from_the_call(model: onnx.ModelProto) -> None:
    model.functions[0].attribute.append("b")
    model.functions[0].node[0].attribute.add(name="body", type=AttributeProto.GRAPH, ref_attr_name="b")


def devices_before_their_time(model: onnx.ModelProto) -> None:
    model.graph.node[0].device_configurations.add(configuration_id="c")


def call_of_ours_without_its_function(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = model.opset_import[1].domain = "onnxtile"
    del model.functions[:]


def call_of_ours_in_a_function(model: onnx.ModelProto) -> None:
    model.functions[0].node[0].domain = "onnxtile"
    model.functions[0].opset_import.add(domain="onnxtile", version=1)
    model.opset_import.add(domain="onnxtile", version=1)


DAMAGES: dict[Damage, str] = {
    call_of_ours_without_its_function: "F 'y' calls a function of the domain onnxtile that isn't in the model",
    call_of_ours_in_a_function: "Neg 'q' calls a function of the domain onnxtile that isn't in the model",
    call_with_two_inputs: "F 'y' has 2 inputs, and the local function that it calls 1",
    call_with_two_outputs: "F 'y' has 2 outputs, and the local function that it calls 1",
    reference_outside: "attribute 'alpha' of Relu 'r' stands for 'a' of a function, and isn't in one",
    graph_without_graph: "attribute 'body' of Neg 'q' of function 'F' is of type GRAPH and holds none",
    tensor_without_tensor: "is of type TENSOR and holds none",
    graph_from_the_call: "is a graph that the function gets where it's called, which isn't supported",
    devices_before_their_time: "has device configurations, which IR version 8 doesn't have",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_damage_is_refused_by_every_command(
    damage: Damage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, path = parse(CALL), tmp_path / "m.onnx"
    damage(model)
    path.write_bytes(model.SerializeToString())
    with pytest.raises((ModelError, UnsupportedError), match=DAMAGES[damage]):
        onnxtile.check(model, (4, 4, 4))
    for call in (
        ("check", path, "--max", "4,4,4"), ("lower", path, "--max", "4,4,4"), ("profile", path), ("annotate", path),
        ("verify", path, path), ("capture", path, "--name", "*"),
    ):  # fmt: skip
        capsys.readouterr()
        assert status(*call) == 2
        said = capsys.readouterr().err
        assert DAMAGES[damage] in said
        assert said.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("text", [b"Neg", b"QZname", b"QZop", b"QZin", b"QZdim", b"QZdomain", b"QZkey"])
def test_text_that_is_not_utf_8_is_refused(text: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    word = text.decode()
    model = parse(CALL)
    model.graph.node.add(op_type="QZop", name="QZname", domain="QZdomain", input=["QZin"], output=["z"])
    model.graph.input.append(helper.make_tensor_value_info("QZin", TensorProto.FLOAT, ["QZdim"]))
    model.metadata_props.add(key="QZkey", value="v")
    data = model.SerializeToString()
    assert text in data, word
    (tmp_path / "m.onnx").write_bytes(data.replace(text, b"\xff" + text[1:]))
    for call in (("check", "--max", "4,4,4"), ("profile",), ("annotate",), ("verify", tmp_path / "m.onnx")):
        capsys.readouterr()
        assert status(call[0], tmp_path / "m.onnx", *call[1:]) == 2
        said = capsys.readouterr().err
        assert "UTF-8" in said
        assert said[:-1].isprintable()


def test_what_libraries_log_is_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = matmul([4, 8], [8, 8], [4, 8])
    model.graph.node.add(op_type="StringNormalizer", input=["s"], output=["t"]).attribute.add(
        name="locale", type=AttributeProto.STRING, s=b"\xff\xfe"
    )
    model.graph.input.append(helper.make_tensor_value_info("s", TensorProto.STRING, [2]))
    onnx.save(model, tmp_path / "m.onnx")
    assert status("check", tmp_path / "m.onnx", "--max", "8,8,8", "--json") == 0
    assert capfd.readouterr().err == ""


def test_functions_of_the_default_domain_stay_valid(tmp_path: Path) -> None:
    model = parse(CALL)
    model.functions[0].domain = model.graph.node[0].domain = ""
    model.functions[0].name = model.graph.node[0].op_type = "Relu"
    del model.opset_import[1]
    onnx.checker.check_model(model)
    onnx.save(model, tmp_path / "m.onnx")
    assert status("annotate", tmp_path / "m.onnx", "-o", tmp_path / "a.onnx") == 0
    onnx.checker.check_model(onnx.load(tmp_path / "a.onnx"))


def test_a_packed_weight_whose_bits_only_the_call_knows_is_unknown() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18, "l" : 1, "com.microsoft" : 1]>
        g (float[4,32] x) => (float[4,6] y) { y = l.F <n = 4> (x, b, s) }
        <domain: "l", opset_import: ["" : 18, "com.microsoft" : 1]> F <n> (p, q, r) => (t) {
            t = com.microsoft.MatMulNBits <K = 32, N = 6, bits: int = @n, block_size = 16> (p, q, r) }""",
        b=np.zeros((6, 2, 8), np.uint8),
        s=np.ones(12, np.float32),
    )
    onnxtile.profile(model)


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop", "function"])
def test_a_side_that_no_tile_fits_into_is_refused(form: str, tmp_path: Path) -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[9223372036854775807,8] x, float[8,8] w) => (float[9223372036854775807,8] y) { y = MatMul (x, w) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    assert status("lower", tmp_path / "m.onnx", "--max", "4,4,4", "--form", form, "-o", tmp_path / "o.onnx") == 1


def test_passes_take_no_shapes_from_outputs_and_write_no_half_types(tmp_path: Path) -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18, "other" : 1]>
        g (float[4,8] x, int64[1] a) => (float[p] y, float[4,8] z) {
           y = ReduceSum <keepdims = 0> (x, a)  u = other.Op (x)  s = SequenceConstruct (u)
           z = ConcatFromSequence <axis = 0> (s) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    assert status("run", tmp_path / "m.onnx", "--passes", "infer-shapes", "-o", tmp_path / "o.onnx") == 0
    onnx.checker.check_model(onnx.load(tmp_path / "o.onnx"))


def test_a_lowered_model_whose_functions_are_gone_is_refused(tmp_path: Path) -> None:
    lowered = onnxtile.lower(matmul([4, 8], [8, 8], [4, 8]), (4, 4, 4), form="function")
    assert lowered.functions
    del lowered.functions[:]
    for model in (lowered, ir.from_proto(lowered)):
        with pytest.raises(ModelError, match="calls a function of the domain onnxtile that isn't in the model"):
            onnxtile.check(model, (4, 4, 4))


FAR = 2**63 - 1
OVERFLOWING = {
    "sum is 4": f"(float[{FAR},8] a, float[{FAR},8] b, float[6,8] c, float[8,8] w) => (float[p,8] y) {{"
    " t = Concat <axis = 0> (a, b, c)  [fc] y = MatMul (t, w) }",
    "product is 0": f"(float[{2**32},8] a, float[8,8] w, int64[2] n) => (float[p,8] y) {{"
    f" r = Constant <value = int64[2] {{{2**32}, 1}}> ()  t = Tile (a, r)  [fc] y = MatMul (t, w) }}",
    "window": f"(float[1,1,8,8] a, float[1,1,1,1] k, float[8,8] w) => (float[1,1,p,8] y) {{"
    f" t = Conv <pads = [{FAR}, 0, 3, 0]> (a, k)  [fc] y = MatMul (t, w) }}",
}


@pytest.mark.parametrize("graph", OVERFLOWING.values(), ids=OVERFLOWING)
def test_a_size_beyond_64_bits_is_unknown(graph: str, tmp_path: Path) -> None:
    model = parse(f'<ir_version: 8, opset_import: ["" : 18]> g {graph}')
    row = next(each for each in onnxtile.check(model, (4, 8, 8)).contractions if each.name == "fc")
    assert (row.m, row.status) == (None, "unknown")
    onnx.save(model, tmp_path / "m.onnx")
    assert status("lower", tmp_path / "m.onnx", "--max", "4,4,4", "-o", tmp_path / "o.onnx") in (0, 1)
    assert status("profile", tmp_path / "m.onnx") == 0
