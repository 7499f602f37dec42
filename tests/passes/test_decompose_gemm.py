"""Gemm is written out as the operators it stands for."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import PassError
from onnxtile.ir.io.load import from_proto
from onnxtile.passes import DecomposeGemm, InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.tiling.limits import Limits
from tests.passes.test_manager import LIMITS
from tests.support import parse, run_onnxruntime, whole


def test_an_integer_gemm_with_a_fraction_is_refused() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (int32[8,8] x, int32[8,8] w) => (int32[8,8] y) { [fc] y = Gemm <alpha = 0.5> (x, w) }"""
    )
    with pytest.raises(PassError, match="Gemm 'fc': factor: alpha is 0.5, which INT32 can't hold"):
        PassManager([InferShapes(), DecomposeGemm()])(ir.from_proto(model))
    assert onnxtile.lower(model, LIMITS) == model


@pytest.mark.parametrize(
    ("attributes", "operators"),
    [
        ("", ["MatMul", "Add"]),
        ("alpha = 2.0", ["MatMul", "Mul", "Add"]),
        ("beta = 0.0", ["MatMul"]),
        ("beta = 2.0", ["MatMul", "Add"]),  # folded into the constant bias
        ("transA = 1, transB = 1", ["Transpose", "Transpose", "MatMul", "Add"]),
    ],
)
@pytest.mark.parametrize("opset", [9, 13, 18])
def test_what_it_stands_for(attributes: str, operators: list[str], opset: int) -> None:
    a, b = ([8, 8], [8, 6]) if "trans" not in attributes else ([8, 8], [6, 8])
    model = parse(
        f"""<ir_version: 7, opset_import: ["" : {opset}]> g (float{a} x) => (float[8,6] y) {{
            [fc] y = Gemm <{attributes}> (x, w, c) }}""".replace(" <>", ""),
        w=whole(b, np.dtype(np.float32), 1), c=whole([6], np.dtype(np.float32), 2),
    )  # fmt: skip
    read = from_proto(model)
    PassManager([InferShapes(), DecomposeGemm()])(read)
    assert [node.op_type for node in read.graph] == operators
    feeds = {"x": whole(a, np.dtype(np.float32), 3)}
    (want,), (got,) = run_onnxruntime(model, feeds), run_onnxruntime(ir.to_proto(read), feeds)
    np.testing.assert_array_equal(got, want)


def test_a_gemm_within_the_limits_stays() -> None:
    model = from_proto(
        parse("""<ir_version: 8, opset_import: ["" : 18]> g (float[4,4] x) => (float[4,4] y) { y = Gemm (x, x) }""")
    )
    assert not PassManager([DecomposeGemm(Limits(4, 4, 4))])(model).modified
    assert PassManager([InferShapes(), DecomposeGemm(Limits(4, 4, 3))])(model).modified


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_narrow_product_that_shrinks_is_scaled_before(dtype: str) -> None:
    model = from_proto(
        parse(
            f"""<ir_version: 8, opset_import: ["" : 18]> g ({dtype}[4,4] x, {dtype}[4,4] w) => ({dtype}[4,4] y) {{
                y = Gemm <alpha = 0.5> (x, w) }}"""
        )
    )
    PassManager([InferShapes(), DecomposeGemm()])(model)
    assert [node.op_type for node in model.graph] == ["Mul", "MatMul"]
