"""verify: right lowerings pass, wrong ones don't, and the allowed error is one that rounding explains."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.errors import UnsupportedError
from onnxtile.verification import engines
from onnxtile.verification.roundoff import difference_bound, gamma
from tests.support import make, matmul, parse, run_onnxruntime, run_reference, whole

INFO = helper.make_tensor_value_info
TYPES: dict[str, Any] = {
    "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64
}  # fmt: skip


def network(k: int = 48, seed: int = 0, dtype: Any = np.float32) -> onnx.ModelProto:
    """Two layers with real weights, a bias and an activation."""
    rng = np.random.default_rng(seed)
    weights = {"w1": [k, 24], "c": [24], "w2": [24, 10]}
    tensors = [numpy_helper.from_array(rng.standard_normal(s).astype(dtype), name) for name, s in weights.items()]
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "c"], ["h"], "fc1", alpha=0.7, beta=1.3),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w2"], ["y"], "fc2"),
    ]
    data_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return make(
        helper.make_graph(nodes, "g", [INFO("x", data_type, [5, k])], [INFO("y", data_type, [5, 10])], tensors), 20
    )


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("form", ["unrolled", "batched"])
def test_right_lowerings_are_equivalent(dtype: str, form: str) -> None:
    model = network(dtype=TYPES[dtype])
    verdict = onnxtile.verify(model, onnxtile.lower(model, (4, 7, 5), form=form), cases=6)
    assert verdict.equivalent
    assert [region.status for region in verdict.regions] == ["proven", "proven"]


@given(st.integers(1, 200), st.integers(1, 40), st.sampled_from(sorted(TYPES)), st.integers(0, 1000))
def test_the_bound_holds_for_random_products(k: int, tile: int, dtype: str, seed: int) -> None:
    """For a product that is an output, |error| <= bound * |A||B| elementwise, whatever the numbers."""
    rng = np.random.default_rng(seed)
    a, b = (rng.standard_normal(shape).astype(TYPES[dtype]) for shape in ([3, k], [k, 4]))
    data_type = helper.np_dtype_to_tensor_dtype(a.dtype)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["y"])],
        "g",
        [INFO("a", data_type, a.shape), INFO("b", data_type, b.shape)],
        [INFO("y", data_type, [3, 4])],
    )
    model = make(graph)
    lowered = onnxtile.lower(model, (2, tile, 3))
    run = run_reference if dtype == "bfloat16" else run_onnxruntime
    (want,), (got,) = run(model, {"a": a, "b": b}), run(lowered, {"a": a, "b": b})
    error = np.abs(want.astype(np.float64) - got.astype(np.float64))
    magnitude = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    assert (error <= difference_bound(k, ir.DataType(data_type)) * magnitude).all()


def test_gamma() -> None:
    assert gamma(1, 0.25) == 1 / 3
    assert gamma(4, 0.25) == float("inf")


FAULTS = ["weight", "tile dropped", "tiles swapped", "partial sum lost", "bias lost", "not a number"]


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_lowerings_are_found(fault: str) -> None:
    model = network()
    wrong = onnxtile.lower(model, (8, 16, 8), accumulate="sum")
    graph = wrong.graph
    if fault in ("weight", "not a number"):
        tensor = next(tensor for tensor in graph.initializer if tensor.name == "w1/k1_n1")
        array = numpy_helper.to_array(tensor).copy()
        array[3, 3] = np.nan if fault == "not a number" else -array[3, 3]
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for node in graph.node:
        if fault == "tile dropped" and node.op_type == "Concat":
            node.input[1] = node.input[0]
            break
        if fault == "tiles swapped" and node.op_type == "Concat":
            node.input[0], node.input[1] = node.input[1], node.input[0]
            break
        if fault == "partial sum lost" and node.op_type == "Sum":
            del node.input[-1]
            break
        if fault == "bias lost" and node.op_type == "Add":
            node.input[1] = "zeros"
            graph.initializer.append(numpy_helper.from_array(np.zeros(24, np.float32), "zeros"))
            break
    verdict = onnxtile.verify(model, wrong, method="bound")
    assert not verdict.equivalent
    assert verdict.outputs[0].max_abs_error > verdict.outputs[0].allowed
    expected = "shape differs, or NaN or infinity elsewhere" if fault == "not a number" else "outside its bound"
    assert verdict.outputs[0].reason == expected


def test_nothing_may_differ_where_nothing_was_cut_in_floats() -> None:
    model = network()
    other = network(seed=1)
    assert not onnxtile.verify(model, other, method="bound").equivalent
    assert onnxtile.verify(model, model, method="bound").outputs[0].exact


def test_models_that_cannot_be_compared() -> None:
    verdict = onnxtile.verify(network(), matmul([5, 48], [48, 10], [5, 10]))
    assert (verdict.equivalent, verdict.method, verdict.reason) == (False, "interfaces", "the inputs differ: X, x")


def test_free_dimensions_are_bound_or_made_up() -> None:
    model = matmul(["batch", 8], [8, 8], ["batch", 8])
    lowered = onnxtile.lower(model, (None, 4, 4))
    assert onnxtile.verify(model, lowered, bind={"batch": 7}).equivalent
    assert onnxtile.verify(model, lowered).equivalent


def test_a_negative_size_is_no_size() -> None:
    model = matmul([8, 8], [8, 8], [8, 8])
    lowered = onnxtile.lower(model, (4, 4, 4))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    assert onnxtile.verify(model, lowered, bind={"X_0": 8}).equivalent


def test_indices_stay_within_their_table() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (int64[4] ids, bool[4,1] mask) => (float[4,6] y) {
           e = Gather (table, ids)  z = MatMul (e, w)  y = Where (mask, z, zero) }""",
        table=whole([50, 8], np.dtype(np.float32), 1),
        w=whole([8, 6], np.dtype(np.float32), 2),
        zero=np.zeros(1, np.float32),
    )
    verdict = onnxtile.verify(model, onnxtile.lower(model, (4, 4, 4)), cases=3)
    assert verdict.equivalent
    assert verdict.outputs[0].exact


def test_inputs_that_cannot_be_made_up_are_refused() -> None:
    model = parse("""<ir_version: 8, opset_import: ["" : 18]> g (string[2] s) => (string[2] t) { t = Identity (s) }""")
    with pytest.raises(UnsupportedError, match="input 's' holds STRING: no value can be made up for it"):
        onnxtile.verify(model, model, method="bound")


def test_a_model_that_no_engine_runs_is_refused() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18, "nobody" : 1]>
        g (float[2] x) => (float[2] y) { y = nobody.Knows (x) }"""
    )
    with pytest.raises(
        UnsupportedError,
        match="no engine has Knows of domain nobody, so that it can't be run: give the model a function",
    ):
        onnxtile.verify(model, model, method="bound")


def test_large_models_go_to_the_reference_evaluator_first() -> None:
    assert engines.preferred(10)[0] == "onnxruntime"
    assert engines.preferred(engines.MANY_NODES)[0] == "onnx.reference"


@pytest.mark.parametrize("form", ["unrolled", "function"])
def test_products_in_local_functions_have_bounds(form: str) -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18, "local" : 1]> g (float[5,70] x) => (float[5,70] z) {
            y = local.layer (x, w)
            z = local.layer (y, w)
        }
        <domain: "local", opset_import: ["" : 18]> layer (a, b) => (c) { c = MatMul (a, b) }""",
        w=np.random.default_rng(0).standard_normal((70, 70)).astype(np.float32),
    )
    lowered = onnxtile.lower(model, (4, 16, 16), form=form)
    assert onnxtile.verify(model, lowered).equivalent
    for tensor in lowered.graph.initializer:
        if tensor.name == "w":
            array = numpy_helper.to_array(tensor).copy()
            array[3, 3] += 0.5
            tensor.CopyFrom(numpy_helper.from_array(array, "w"))
            assert not onnxtile.verify(model, lowered).equivalent


def test_sizes_around_the_tiles_of_one_region_are_not_tried_in_others() -> None:
    """Rows of images are many for each of a batch: at the sizes of another layer's tiles they'd take minutes."""
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[n,8] x, float[n,2,6,6] i) => (float[n,4] y, float[n,3,4,4] z) {
            [fc] y = MatMul (x, w)  [conv] z = Conv (i, k) }""",
        w=np.ones((8, 4), np.float32), k=np.ones((3, 2, 3, 3), np.float32),
    )  # fmt: skip
    lowered = onnxtile.lower(model, (16, 8, 2), form="batched")
    verdict = onnxtile.verify(model, lowered, seed=1)
    tried = {region.name: {sizes["n"] for sizes in region.sizes} for region in verdict.regions}
    assert verdict.proven
    assert {0, 1, 15, 16, 17, 32, 49} <= tried["fc"]
    assert {0, 1} <= tried["conv"] and max(tried["conv"]) < 30
