"""Einsum."""

from __future__ import annotations

from onnxtile.contraction.entry import Entry

ONNX: dict[str, Entry] = {"Einsum": Entry("matmul")}
MICROSOFT: dict[str, Entry] = {}
