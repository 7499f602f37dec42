"""Values made of sizes: ranges, windows of signals, hashes of n-grams."""

from __future__ import annotations

from onnxtile.ir.attributes import attribute_int
from onnxtile.operators.formula import measure, unknown
from onnxtile.operators.measures import X, Y, is_given
from onnxtile.operators.work.work import ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work, each

_RANGE = 2 * ELEMENTWISE * Y
"""start + i * delta."""
_WINDOW = (8 * ELEMENTWISE + 2 * TRANSCENDENTAL) * Y
"""a - b * cos(t) + c * cos(2t), t being an element of a range times a step; Hann's and Hamming's bodies have c = 0."""
_NGRAM = measure("max_ngram_size", "")(lambda node, opset: attribute_int(node, "max_ngram_size", 0))
_HASHED = ELEMENTWISE * (2 * X * _NGRAM - X + Y)
"""Ids times multipliers, joined by exclusive or for each length, and a remainder for each head."""
ONNX: dict[str, Work] = {
    "Range": _RANGE,
    **each("BlackmanWindow HammingWindow HannWindow", _WINDOW),
    "MelWeightMatrix": (
        (ELEMENTWISE + TRANSCENDENTAL) * unknown("how many weights aren't 0 depends on the frequencies it's given")
        + MOVEMENT * Y
    ),
}
MICROSOFT: dict[str, Work] = {
    "Range": _RANGE,
    "NGramHashMapping": _HASHED + ELEMENTWISE * Y * is_given(4, "head_offsets"),
    "VarlenNGramHashMapping": _HASHED + ELEMENTWISE * Y * is_given(5, "head_offsets"),
}
