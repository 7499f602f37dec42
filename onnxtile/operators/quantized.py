"""Products of integers that stand for scaled numbers: real = scale * (integer - zero point)."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.operators.entry import one
from onnxtile.operators.matmul import gemm, matmul
from onnxtile.operators.sizes import Size

_BATCHED = "A, B: MatMul, broadcast batch axes"
_REFUSED = (
    "vectors with scales or zero points that aren't 0; types other than int8 and uint8; parameters that contradict"
)


def _third(node: ir.Node) -> Size:
    return matmul(node, 0, 3)


ONNX = {
    "MatMulInteger": one("matmul", matmul, _BATCHED, "decompose-quantized", _REFUSED),
    "QLinearMatMul": one("matmul", _third, _BATCHED, "decompose-quantized", _REFUSED),
}
MICROSOFT = {
    "QGemm": one(
        "matmul", lambda node: gemm(node, 0, 3), "transA, transB swap A's and B's axes", "decompose-quantized", _REFUSED
    ),
    "MatMulIntegerToFloat": one("matmul", matmul, _BATCHED, "decompose-quantized", _REFUSED),
    "DynamicQuantizeMatMul": one("matmul", matmul, _BATCHED, "decompose-quantized", _REFUSED),
    "MatMulInteger16": one("matmul", matmul, _BATCHED, None, "no engine at hand runs it, so nothing could be compared"),
}
