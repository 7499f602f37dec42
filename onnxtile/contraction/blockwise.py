"""Products by weights packed in blocks of few bits."""

from __future__ import annotations

from onnxtile.contraction.entry import Entry

ONNX: dict[str, Entry] = {}
MICROSOFT: dict[str, Entry] = dict.fromkeys(
    ("MatMulNBits", "MatMulNBitsMlp", "MatMulNBitsQkv", "MatMulBnb4", "MatMulFpQ4"), Entry("matmul")
)
