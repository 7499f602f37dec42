"""Values made of sizes: ranges, windows of signals, hashes of n-grams."""

from __future__ import annotations

from onnxtile.ir.attributes import attribute_int
from onnxtile.operators.formula import measure, unknown
from onnxtile.operators.measures import X, Y, is_given
from onnxtile.operators.registry import MICROSOFT, declare
from onnxtile.operators.work import ELEMENTWISE, MOVEMENT, TRANSCENDENTAL

# start + i * delta
declare("Range", "", MICROSOFT, work=2 * ELEMENTWISE * Y, settings=(0, 1, 2))
# a - b * cos(t) + c * cos(2t), t being an element of a range times a step; Hann's and Hamming's bodies have c = 0
declare("BlackmanWindow HammingWindow HannWindow", work=(8 * ELEMENTWISE + 2 * TRANSCENDENTAL) * Y)
declare(
    "MelWeightMatrix",
    work=(ELEMENTWISE + TRANSCENDENTAL) * unknown("how many weights aren't 0 depends on the frequencies it's given")
    + MOVEMENT * Y,
    settings=range(5),
)

_NGRAM = measure("max_ngram_size", "")(lambda node, opset: attribute_int(node, "max_ngram_size", 0))
_HASHED = ELEMENTWISE * (2 * X * _NGRAM - X + Y)
"""Ids times multipliers, joined by exclusive or for each length, and a remainder for each head."""
declare("NGramHashMapping", MICROSOFT, work=_HASHED + ELEMENTWISE * Y * is_given(4, "head_offsets"))
declare("VarlenNGramHashMapping", MICROSOFT, work=_HASHED + ELEMENTWISE * Y * is_given(5, "head_offsets"))
