"""Transforms that are products by a matrix they make themselves, and operators that hide what they hold."""

from __future__ import annotations

from onnxtile.contraction.entry import Entry

ONNX: dict[str, Entry] = dict.fromkeys(("DFT", "STFT", "AffineGrid"), Entry("other"))
MICROSOFT: dict[str, Entry] = {"EPContext": Entry("other")}
