"""The plugin as its users have it: by the names of its entry points."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

import onnxtile

WEIGHTS = np.arange(20 * 24, dtype=np.float32).reshape(20, 24) % 7 - 3


def model() -> onnx.ModelProto:
    """Return h = DenseRelu(x, w, b), y = h / 4."""
    made = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 17, "edge" : 1]>
        net (float[18,20] x) => (float[18,24] y) <float[24] b = {0}, float four = {4.0}, float[18,24] h> {
            [dense] h = edge.DenseRelu (x, w, b)
            y = Div (h, four)
        }""".replace("{0}", f"{{{','.join('1.0' for _ in range(24))}}}")
    )
    made.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHTS, "w"))
    return made


def test_the_operator_is_known() -> None:
    (row,) = onnxtile.check(model(), max=(16, 16, 16)).over
    assert (row.name, row.op) == ("dense", "DenseRelu")
    assert onnxtile.profile(model()).totals.macs == 18 * 20 * 24


def test_lower_brings_it_within_the_limits_of_the_engine() -> None:
    lowered = onnxtile.lower(model(), engine="edge-16")
    assert onnxtile.check(lowered, engine="edge-16").ok
    x = np.arange(18 * 20, dtype=np.float32).reshape(18, 20) % 5 - 2
    (y,) = onnxruntime.InferenceSession(lowered.SerializeToString()).run(None, {"x": x})
    np.testing.assert_array_equal(y, np.maximum(0, x @ WEIGHTS + 1) / 4)
    assert onnxtile.verify(model(), lowered).equivalent


def test_tiles_are_written_in_the_form_sliced() -> None:
    lowered = onnxtile.lower(model(), engine="edge-16", form="sliced")
    assert {"Slice", "MatMul", "Sum", "Concat"} <= {node.op_type for node in lowered.graph.node}
    assert onnxtile.check(lowered, engine="edge-16").ok
    assert onnxtile.verify(model(), lowered).equivalent


def test_the_rewrite_runs_in_pipelines() -> None:
    changed = ir.from_proto(model())
    onnxtile.PassManager("decompose-dense-relu,reciprocals")(changed)
    assert [node.op_type for node in changed.graph] == ["MatMul", "Add", "Relu", "Mul"]
    without = ir.from_proto(model())
    onnxtile.PassManager("decompose-dense-relu")(without)
    assert onnxtile.verify(without, changed).equivalent
