"""Random numbers, and what drops elements at random: nothing is dropped but in training."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int, given
from onnxtile.operators.formula import Formula, condition, unknown
from onnxtile.operators.measures import X, constant, is_given, of_output, version
from onnxtile.operators.registry import MICROSOFT, declare
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL

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
