"""Products of integers that stand for scaled numbers."""

from __future__ import annotations

from onnxtile.contraction.entry import Entry, one
from onnxtile.contraction.products import matmul

ONNX: dict[str, Entry] = {
    "MatMulInteger": one("matmul", matmul, "MatMul, broadcast batch axes", "tile-matmul"),
    "QLinearMatMul": Entry("matmul"),
}
MICROSOFT: dict[str, Entry] = dict.fromkeys(
    ("QGemm", "MatMulInteger16", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"), Entry("matmul")
)
