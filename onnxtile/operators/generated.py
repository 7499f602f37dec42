"""Operators that make values: of sizes (ranges, windows of signals), hashes of n-grams, and random numbers.

What drops elements at random is among them; nothing is dropped but in training.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int, given
from onnxtile.operators.formula import Formula, condition, measure, unknown
from onnxtile.operators.measures import X, Y, constant, is_given, of_output, version
from onnxtile.operators.registry import MICROSOFT, declare
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL

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

# Random numbers

_GENERATOR = unknown("how random numbers are made depends on the engine's generator")
_UNIFORM = ELEMENTWISE * _GENERATOR
_NORMAL = (ELEMENTWISE + TRANSCENDENTAL + COMPARISON) * _GENERATOR


def _trained(index: int) -> Formula:
    """Return the condition that an input says that the model is trained."""
    return condition("training_mode")(lambda node, opset: _is_training(node, index))


def _is_training(node: ir.Node, index: int) -> bool:
    return given(node, index) and bool(constant(node, index, "training_mode").any())


@condition("training")
def _dropout_trained(node: ir.Node, opset: int | None) -> bool:
    """Return whether it trains: since version 12 an input says so, from 7 to 11 it doesn't, before is_test says."""
    if version(opset) >= 12:
        return _is_training(node, 2)
    return version(opset) < 7 and not attribute_int(node, "is_test", 0)


_DROPS = _UNIFORM + (COMPARISON + 2 * ELEMENTWISE) * X
"""A random number an element, compared with the ratio; what stays is scaled."""
_MASK = MOVEMENT * of_output(1, "mask")
_BIAS = ELEMENTWISE * (X + X * is_given(2, "residual"))
declare("Dropout", work=_DROPS * _dropout_trained + _MASK, settings=(1, 2))
declare("BitmaskDropout", MICROSOFT, work=_DROPS * _trained(2) + _MASK)
declare("BiasDropout BitmaskBiasDropout", MICROSOFT, work=_BIAS + _DROPS * _trained(4) + _MASK)
declare("Bernoulli", work=_UNIFORM + COMPARISON * X, result="random")
declare("RandomUniform RandomUniformLike", work=_UNIFORM, result="random")
declare("RandomNormal RandomNormalLike Multinomial", work=_NORMAL, result="random")
