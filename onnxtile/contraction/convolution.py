"""Convolutions: products over the kernel's window."""

from __future__ import annotations

from onnxtile.contraction.entry import Entry

ONNX: dict[str, Entry] = dict.fromkeys(
    ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DeformConv", "CausalConvWithState"), Entry("conv")
)
MICROSOFT: dict[str, Entry] = dict.fromkeys(("FusedConv", "NhwcConv", "NhwcFusedConv", "QLinearConv"), Entry("conv"))
