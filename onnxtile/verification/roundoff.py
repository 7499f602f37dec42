"""Bound how far rounding may move a product, and what that does to the model's outputs.

A product of floats computed in any order of summation lies within gamma_n * |A||B| of the exact one, elementwise, where
gamma_n = n*u / (1 - n*u), u is the unit round-off and n the number of roundings that a term may pass (Higham, Accuracy
and Stability of Numerical Algorithms, section 3.1). Two orders differ by twice that at most.
"""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float
from onnxtile.ir.metadata import ATTENTION_META
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.passes.rewrites.packed_weights import INPUTS, bias_of, weights_of
from onnxtile.tiling.legality import Refusal

UNIT = {
    ir.DataType.FLOAT16: 2.0**-11,
    ir.DataType.BFLOAT16: 2.0**-8,
    ir.DataType.FLOAT: 2.0**-24,
    ir.DataType.DOUBLE: 2.0**-53,
}
"""Unit round-off: half the distance from 1 to the next number."""
PHASE = "onnxtile.phase"
"""Input of a shaken model: another number, another choice of signs."""
PLAIN = {("", "MatMul"), ("", "Gemm")}
"""Operators whose bound is |A||B| (and |C|) by the same operator."""
EXTRA = 2
"""Roundings of Gemm besides its sum: the factor alpha, and the addition of C."""
EXTRA_OF_ATTENTION = 12
"""Roundings that an element of attention's products passes besides the sum: the scale, its square root and its factors,
the cap, the mask; of softmax the difference, the exponential, the sum and the division."""


SCALE_OF_ATTENTION = 6 * UNIT[ir.DataType.FLOAT]
"""Roundings of its scale, which the function body computes in float32 whatever the type."""


def gamma(roundings: int, unit: float) -> float:
    """n*u / (1 - n*u); infinite where n*u reaches 1, where the theory promises nothing."""
    return roundings * unit / (1 - roundings * unit) if roundings * unit < 1 else float("inf")


def difference_bound(k: int, dtype: ir.DataType, extra: int = EXTRA) -> float:
    """The factor of |A||B| (and |C|) by which two ways to compute the same product may differ.

    `extra`: roundings of what's around it.

    float16 and bfloat16 are multiplied and added in float32 (as both engines do) and rounded to the narrow type at
    most twice (a partial sum, the total), besides alpha and C.
    """
    if dtype in (ir.DataType.FLOAT16, ir.DataType.BFLOAT16):
        return 2 * (gamma(k + extra, UNIT[ir.DataType.FLOAT]) + gamma(2 + extra, UNIT[dtype]))
    return 2 * gamma(k + extra, UNIT[dtype])


def shaken(original: ir.Model, changed: Set[tuple[str, str]]) -> ir.Model | None:
    """The original with each changed product moved by its whole bound, up or down at each element; None: none moves.

    Running it shows how far the bounds of the products move the outputs: Y' = Y + sign * bound * (|A||B| + |C|). The
    sign of an element is that of phase * cos(phase * (Y + 1)), as good as random; the input `onnxtile.phase` chooses
    the signs, and a tiny one makes all of them its own.
    A product of whole numbers that are small enough is exact in any order of summation, and isn't moved at all.
    `changed`: the products' outputs, as (scope, name).
    """
    model = original.clone()
    phase = ir.Value(name=PHASE, type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape([]))
    moved = False
    for found in list(contractions(model)):
        named = (found.scope, str(found.node.outputs[0].name)) in changed and not found.scope.startswith("function ")
        if named and isinstance(found.size.k, int) and found.dtype in UNIT and not found.in_function:
            moved |= _shake(found, found.size.k, found.dtype, phase, model)
    if not moved:
        return None
    model.graph.inputs.append(phase)
    return model


def _shake(found: Contraction, k: int, dtype: ir.DataType, phase: ir.Value, model: ir.Model) -> bool:
    """Move one product; false for an operator whose bound isn't known here, which then may not differ at all."""
    node, y = found.node, found.node.outputs[0]
    weights = weights_of(found, model) if node.domain == "com.microsoft" and node.op_type in INPUTS else None
    if isinstance(weights, Refusal) or (weights is None and (node.domain, node.op_type) not in PLAIN):
        return False
    wide = ir.DataType.DOUBLE if dtype == ir.DataType.DOUBLE else ir.DataType.FLOAT
    tape = ir.tape.Tape()

    def cast(value: ir.Value, to: ir.DataType) -> ir.Value:
        return tape.op("Cast", [value], {"to": to.value})

    def constant(number: float) -> ir.Value:
        return tape.op("Constant", [], {"value": ir.tensor(np.array(number, wide.numpy()))})

    inputs = list(node.inputs)
    if weights is not None:  # packed ones are taken as the numbers they stand for
        inputs = [node.inputs[0], tape.op("Constant", [], {"value": weights.numbers()}), bias_of(node)]
    operands = [None if value is None else cast(value, wide) for value in inputs]
    magnitudes = [None if value is None else tape.op("Abs", [value]) for value in operands]
    attributes: dict[str, int | float] = {
        name: attribute.as_int() for name, attribute in node.attributes.items() if name.startswith("trans")
    }
    factors = {name: attribute_float(node, name, 1.0) for name in ("alpha", "beta") if name in node.attributes}
    if weights is None:
        factors_of_magnitude = {name: abs(value) for name, value in factors.items()}
        magnitude = tape.op(node.op_type, magnitudes, attributes | factors_of_magnitude)
    else:
        magnitude = tape.op("MatMul", magnitudes[:2])
        magnitude = magnitude if magnitudes[2] is None else tape.op("Add", [magnitude, magnitudes[2]])
    bound = difference_bound(k, dtype)
    if ATTENTION_META in node.meta:
        bound = difference_bound(k, dtype, EXTRA_OF_ATTENTION) + SCALE_OF_ATTENTION
    step = tape.op("Mul", [magnitude, constant(bound)])
    if all(factor.is_integer() for factor in factors.values()):
        # 0 where all operands are whole and no sum can pass the largest whole number that is exact, 1 otherwise
        parts = [tape.op("Abs", [tape.op("Sub", [x, tape.op("Floor", [x])])]) for x in operands if x is not None]
        excess = tape.op("Relu", [tape.op("Sub", [magnitude, constant(1 / UNIT[dtype])])])
        largest = [tape.op("ReduceMax", [part], {"keepdims": 0}) for part in (*parts, excess)]
        step = tape.op("Mul", [step, tape.op("Sign", [tape.op("Max", largest)])])
    turned = tape.op("Mul", [tape.op("Add", [cast(y, ir.DataType.FLOAT), cast(constant(1), ir.DataType.FLOAT)]), phase])
    sign = cast(tape.op("Sign", [tape.op("Mul", [tape.op("Cos", [turned]), tape.op("Sign", [phase])])]), wide)
    moved = cast(tape.op("Add", [cast(y, wide), tape.op("Mul", [sign, step])]), dtype)
    for number, taped in enumerate(tape.nodes):
        taped.outputs[0].name = f"{y.name}/shaken{number}"
    moved.name, y.name = y.name, f"{y.name}/unshaken"
    moved.type, moved.shape = y.type, y.shape
    own = {id(taped) for taped in tape.nodes}
    for use in [use for use in y.uses() if id(use.node) not in own]:
        use.node.replace_input_with(use.idx, moved)
    graph = node.graph
    assert graph is not None
    for index, value in enumerate(graph.outputs):
        if value is y:
            graph.outputs[index] = moved
    graph.insert_after(node, tape.nodes)
    return True
