"""Recurrent operators: what a cell computes beside its products, by the equations of the operators.

A cell is one number of the state in one step; all steps count, though a sequence may be shorter. A gate adds what comes
of the input and of the state, and, if they're given, two biases (and in an LSTM its peephole: a product, an addition).

LSTM, 4 gates: C = f * C + i * c takes 3, H = o * h(C) takes 1. GRU, 3 gates: the reset takes 1, H = (1 - z) * h + z * H
takes 4. A clip bounds what goes into an activation from both sides.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int
from onnxtile.ir.symbolic.amounts import Amount, Unknown, product, total
from onnxtile.operators.formula import Formula, condition, measure
from onnxtile.operators.measures import X, input_sizes, is_given, of_input
from onnxtile.operators.work.elementwise import activation_of
from onnxtile.operators.work.work import COMPARISON, ELEMENTWISE, Work


def _cells(node: ir.Node) -> list[Amount]:
    """Steps, batch, hidden size, directions."""
    steps, batch = input_sizes(node, 0, 3)[:2]
    recurrent = input_sizes(node, 2, 3)
    return [steps, batch, recurrent[1 if node.op_type.startswith("DynamicQuantize") else 2], recurrent[0]]


CELLS = measure("cells", "numbers of the state: steps x batch x hidden size x directions")(
    lambda node, opset: product(_cells(node))
)


def _activations(*functions: tuple[str, int]) -> Work:
    """Functions by default, and how often a cell calls each; `activations` may name others, those of each direction."""

    def part(kind: str) -> Formula:
        def read(node: ir.Node, opset: int | None) -> Amount:
            *numbers, directions = _cells(node)
            names = _named(node, [name for name, _ in functions], directions)
            times = [times for _, times in functions] * (len(names) // len(functions))
            if attribute_int(node, "input_forget", 0) and len(functions) == 3:
                times[::3] = [each - 1 for each in times[::3]]
            calls = [
                product([count, *numbers, getattr(activation_of(name), kind).amount(node, opset, {})])
                for name, count in zip(names, times, strict=True)
            ]
            return next((each for each in calls if isinstance(each, Unknown)), None) or total(calls)

        return measure("acts", "operations of that kind in the activations of all cells")(read)

    return Work(part("elementwise"), part("transcendental"), part("comparison"))


def _named(node: ir.Node, default: list[str], directions: Amount) -> list[str]:
    attribute = node.attributes.get("activations")
    if attribute is not None and (attribute.is_ref() or attribute.type != ir.AttributeType.STRINGS):
        raise UnsizedError("its attribute activations isn't a list of names, or is given where its function is called")
    if not isinstance(directions, int):
        raise UnsizedError("how many directions it has isn't known")
    names = list(attribute.as_strings()) if attribute is not None else []
    if names and len(names) != len(default) * directions:
        raise UnsizedError(f"it names {len(names)} activations, not {len(default)} for each of {directions} directions")
    return names or default * directions


_BIASED, _CLIPPED = is_given(3, "B"), condition("clip")(lambda node, opset: "clip" in node.attributes)
_COUPLED = condition("input_forget")(lambda node, opset: bool(attribute_int(node, "input_forget", 0)))


def _gates(gates: int, functions: int) -> Work:
    """Sums of so many gates, and bounds for what goes into so many activations."""
    return ELEMENTWISE * (CELLS * gates + CELLS * 2 * gates * _BIASED) + COMPARISON * CELLS * 2 * functions * _CLIPPED


LSTM = (
    _gates(4, 5)
    + ELEMENTWISE * (CELLS * 4 + CELLS * 6 * is_given(7, "P") + CELLS * _COUPLED)
    + _activations(("Sigmoid", 3), ("Tanh", 1), ("Tanh", 1))
)
_ZEROED = of_input(1, "W") * is_given(9, "W_zero_point") + of_input(2, "R") * is_given(11, "R_zero_point")
ONNX: dict[str, Work] = {
    "RNN": _gates(1, 1) + _activations(("Tanh", 1)),
    "GRU": _gates(3, 3) + ELEMENTWISE * CELLS * 5 + _activations(("Sigmoid", 2), ("Tanh", 1)),
    "LSTM": LSTM,
}
"""input_forget: the forget gate is 1 less the input gate, an activation less and a subtraction more."""
MICROSOFT: dict[str, Work] = {
    # input and state are quantized as DynamicQuantizeLinear does, what comes of each gate's two products is scaled
    "DynamicQuantizeLSTM": (
        LSTM + ELEMENTWISE * (3 * X + CELLS * 3 + CELLS * 8 + _ZEROED) + COMPARISON * (4 * X + CELLS * 4)
    ),
}
