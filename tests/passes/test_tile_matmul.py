"""A MatMul over the limits becomes a call that carries its plan; others stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnxtile.errors import UsageError
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.ir.io.load import from_proto
from onnxtile.passes import InferShapes, TileMatMul
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.tiled_product import TiledProduct
from tests.support import matmul, parse, run_onnxruntime, whole

LIMITS = Limits(4, 4, 4)


def tiled(model: onnx.ModelProto, **options: Any) -> ir.Model:
    read = from_proto(model)
    InferShapes()(read)
    TileMatMul(LIMITS, **options)(read)
    return read


def test_a_call_carries_its_plan() -> None:
    model = tiled(matmul([5, 6], [6, 7], [5, 7]), accumulate="tree")
    (call,) = model.graph
    assert (call.domain, call.name) == (CALL_DOMAIN, "product")
    product = TiledProduct.of_call(call)
    assert product.plan.tile == (4, 4, 4)
    assert [axis.size for axis in (product.plan.m, product.plan.k, product.plan.n)] == [5, 6, 7]
    assert product.accumulate == "tree"
    onnx.checker.check_model(ir.to_proto(model), full_check=True)


def test_the_compact_model_runs_as_it_is() -> None:
    original, feeds = matmul([5, 6], [6, 7], [5, 7]), {"X": whole([5, 6], np.dtype(np.float32), 3)}
    compact = ir.to_proto(tiled(original))
    np.testing.assert_array_equal(run_onnxruntime(compact, feeds)[0], run_onnxruntime(original, feeds)[0])


def test_equal_products_share_a_function_and_fitting_ones_stay() -> None:
    model = tiled(
        parse(
            """<ir_version: 10, opset_import: ["" : 18]> g (float[8,8] x) => (float[8,4] y) {
               a = MatMul (x, v)  b = MatMul (a, v)  [fits] c = MatMul (s, s)  y = MatMul (b, w) }""",
            v=whole([8, 8], np.dtype(np.float32), 1), w=whole([8, 4], np.dtype(np.float32), 2),
            s=whole([4, 4], np.dtype(np.float32), 3),
        )
    )  # fmt: skip
    assert [node.domain for node in model.graph] == [CALL_DOMAIN, CALL_DOMAIN, "", CALL_DOMAIN]
    assert len(model.functions) == 2


def test_a_transposed_weight_is_read_by_the_call() -> None:
    model = tiled(
        parse(
            """<ir_version: 10, opset_import: ["" : 18]> g (float[5,6] x) => (float[5,7] y) {
               t = Transpose (w)  y = MatMul (x, t) }""",
            w=whole([7, 6], np.dtype(np.float32), 1),
        )
    )
    (call,) = model.graph
    assert call.attributes["transpose_b"].as_int() == 1
    assert call.inputs[1] is model.graph.initializers["w"]


@pytest.mark.parametrize(("dtype", "cut"), [("float", True), ("int32", True), ("bfloat16", True), ("int16", False)])
def test_types_that_are_cut(dtype: str, cut: bool) -> None:
    text = """<ir_version: 10, opset_import: ["" : 18]> g (T[8,8] x, T[8,8] w) => (T[8,8] y) { y = MatMul (x, w) }"""
    try:
        model = parse(text.replace("T[", f"{dtype}["))
    except onnx.checker.ValidationError:
        assert not cut
        return
    read = tiled(model, leave_refused=True)
    assert (read.graph[0].domain == CALL_DOMAIN) == cut


def test_only_what_passes_made_where_that_is_asked() -> None:
    assert [node.op_type for node in tiled(matmul([8, 8], [8, 8], [8, 8]), made_only=True).graph] == ["MatMul"]


def test_a_wrong_way_to_add_is_refused_when_the_pass_is_made() -> None:
    with pytest.raises(UsageError, match="accumulate is 'trees': take one of chain, tree, sum"):
        TileMatMul(LIMITS, accumulate="trees")  # type: ignore[arg-type]  # that's the point
