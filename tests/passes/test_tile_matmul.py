"""A MatMul over the limits becomes a call that carries its plan; others stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.ir.io.load import from_proto
from onnxtile.lowering.options import FormName
from onnxtile.passes import InferShapes, TileMatMul
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.tiled_product import TiledProduct
from tests.support import FORMS, matmul, parse, run_onnxruntime, whole

LIMITS = Limits(4, 4, 4)


def tiled(model: onnx.ModelProto, **options: Any) -> ir.Model:
    read = from_proto(model)
    InferShapes()(read)
    TileMatMul(LIMITS, **options)(read)
    return read


def test_without_types_the_cure_is_told() -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[5,6] x) => (y) { h = Neg (x)  [fc] y = MatMul (h, h) }'
    with pytest.raises(
        ir.passes.PreconditionError, match="^MatMul 'fc': dtype: its type isn't known; run infer-shapes f"
    ):
        TileMatMul(LIMITS)(from_proto(onnx.parser.parse_model(text)))


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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_partial_products_of_narrow_floats_are_computed_in_float32(form: FormName, dtype: str) -> None:
    """The first tile's sum is 70,400, and float16 ends at 65,504; in bfloat16 it would be rounded."""
    text = f"""<ir_version: 10, opset_import: ["" : 18]> g ({dtype}[1,128] x, {dtype}[128,1] w) => ({dtype}[1,1] y) {{
        y = MatMul (x, w) }}"""
    model = parse(text)
    numpy_type = ir.DataType[dtype.upper()].numpy()
    x = np.where(np.arange(128) < 64, 1100, -1098).astype(numpy_type).reshape(1, 128)
    feeds = {"x": x, "w": np.ones([128, 1], numpy_type)}
    for narrow in (False, True):
        lowered = onnxtile.lower(model, (4, 64, 4), form=form, narrow_products=narrow)
        assert onnxtile.verify(model, lowered).proven
        with np.errstate(all="ignore"):
            (got,) = ReferenceEvaluator(lowered).run(None, feeds)
        assert (got == ReferenceEvaluator(model).run(None, feeds)[0]).all() is np.bool_(
            not narrow or dtype != "float16"
        )


def test_products_that_are_not_cut_along_k_stay_in_their_type() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18]> g (float16[8,4] x, float16[4,8] w) => (float16[8,8] y) {
        y = MatMul (x, w) }"""
    for narrow in (False, True):
        lowered = onnxtile.lower(parse(text), (4, 4, 4), narrow_products=narrow)
        assert not any(node.op_type == "Cast" for node in lowered.graph.node)


def test_the_name_of_a_call_says_that_products_stay_narrow() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18]> g (float16[4,8] x, float16[8,4] w) => (float16[4,4] y) {
        y = MatMul (x, w) }"""
    for narrow in (False, True):
        (call,) = tiled(parse(text), narrow_products=narrow).graph
        assert call.op_type.endswith("_narrow") is narrow
        assert TiledProduct.of_call(call).narrow is narrow
