"""A product fused with what's around it: transposes, factors, activations."""

from __future__ import annotations

from onnxtile.contraction.entry import Entry

ONNX: dict[str, Entry] = {}
MICROSOFT: dict[str, Entry] = dict.fromkeys(
    ("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul", "FusedGemm", "GemmFastGelu"), Entry("matmul")
)
