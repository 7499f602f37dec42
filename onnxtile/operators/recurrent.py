"""Recurrent operators: a product with the input of all steps, one with the state in every step, and cells.

A cell is one number of the state in one step; all steps count, though a sequence may be shorter. A gate adds what comes
of the input and of the state, and, if they're given, two biases (and in an LSTM its peephole: a product, an addition).

LSTM, 4 gates: C = f * C + i * c takes 3, H = o * h(C) takes 1. GRU, 3 gates: the reset takes 1, H = (1 - z) * h + z * H
takes 4. A clip bounds what goes into an activation from both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int, input_of
from onnxtile.ir.symbolic.amounts import Amount, Dim, known_total, product
from onnxtile.operators.elementwise import activation_of
from onnxtile.operators.formula import Formula, measure
from onnxtile.operators.measures import X, has_attribute, input_sizes, is_given, is_set, of_input
from onnxtile.operators.registry import MICROSOFT, Products, declare, quantized_at_run_time, unsized
from onnxtile.operators.sizes import Size, count_of, same, shape
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, Work

INPUT, STATE, RESET_STATE = "input", "state", "reset state"
_INPUT = f"{INPUT}: M = steps x batch, K = input size, N = gates x hidden size, batch = directions"
_STATE = f"{STATE}: M = batch, K = hidden size, N = gates x hidden size, batch = steps x directions"

LOWERED_BY = "decompose-recurrent"
_REFUSED = (
    "other types than floats; unknown directions or activations; more activation_alpha or activation_beta than are "
    "taken; a clip that isn't positive; lengths of sequences above the number of steps, or in opsets before 9; steps "
    "that aren't a number with `--steps unroll`, and in opsets before 9"
)


def recurrent(gates: int, stored_transposed: bool = False) -> Callable[[ir.Node], Mapping[str, Size]]:
    """RNN, LSTM, GRU: X [steps, batch, input size] (layout 1: [batch, steps, input size]) by W [directions, gates *
    hidden size, input size], and the state by R [directions, gates * hidden size, hidden size].

    `stored_transposed`: W and R have their last two axes the other way round.
    """

    def sizes(node: ir.Node) -> Mapping[str, Size]:
        (steps, batch, width), (w, r) = steps_first(node), (shape(node, index, 3) for index in (1, 2))
        (n_w, k_w), (n_r, k_r) = ((of[2], of[1]) if stored_transposed else (of[1], of[2]) for of in (w, r))
        directions = same(node, "the number of directions", w[0], r[0])
        n, hidden = same(node, "gates x hidden size", n_w, n_r), _hidden(node, gates, n_r, k_r)
        return {
            INPUT: Size(count_of([steps, batch]), same(node, "the input size", width, k_w), n, directions),
            **_state(node, batch, hidden, n, count_of([steps, directions])),
        }

    return sizes


def steps_first(node: ir.Node) -> list[Dim]:
    """Return steps, batch and input size as X has them: three axes even where nothing is known of them."""
    x = input_of(node, 0)
    dims: list[Dim] = [None] * 3 if x is not None and x.shape is None else shape(node, 0, 3)
    return [dims[1], dims[0], dims[2]] if attribute_int(node, "layout", 0) else dims


def _hidden(node: ir.Node, gates: int, n: Dim, k: Dim) -> Dim:
    """Return the hidden size, as the recurrent weight and the node say it."""
    hidden = same(node, "the hidden size", k, attribute_int(node, "hidden_size", 0) or None)
    same(node, "gates x hidden size", gates * hidden if isinstance(hidden, int) else None, n)
    return hidden


def _state(node: ir.Node, batch: Dim, hidden: Dim, n: Dim, times: Dim) -> dict[str, Size]:
    """Return the products with the state; GRU's last gate takes one that is reset, without linear_before_reset."""
    if node.op_type != "GRU" or attribute_int(node, "linear_before_reset", 0):
        return {STATE: Size(batch, hidden, n, times)}
    gates = count_of([2, hidden])
    return {STATE: Size(batch, hidden, gates, times), RESET_STATE: Size(batch, hidden, hidden, times)}


# Cells


def _cells(node: ir.Node) -> list[Amount]:
    """Return steps, batch, hidden size and directions."""
    steps, batch = input_sizes(node, 0, 3)[:2]
    recurrent = input_sizes(node, 2, 3)
    return [steps, batch, recurrent[1 if node.op_type.startswith("DynamicQuantize") else 2], recurrent[0]]


_CELLS = measure("cells", "numbers of the state: steps x batch x hidden size x directions")(
    lambda node, opset: product(_cells(node))
)


def _activations(*functions: tuple[str, int]) -> Work:
    """Return the work of functions, and how often a cell calls each; `activations` may name others."""

    def calls_of(kind: str) -> Formula:
        def read(node: ir.Node, opset: int | None) -> Amount:
            *numbers, directions = _cells(node)
            names = _named(node, [name for name, _ in functions], directions)
            times = [times for _, times in functions] * (len(names) // len(functions))
            if attribute_int(node, "input_forget", 0) and len(functions) == 3:
                times[::3] = [count - 1 for count in times[::3]]
            calls = [
                product([count, *numbers, getattr(activation_of(name), kind).amount(node, opset, {})])
                for name, count in zip(names, times, strict=True)
            ]
            return known_total(calls)

        return measure("acts", "operations of that kind in the activations of all cells")(read)

    return Work(calls_of("elementwise"), calls_of("transcendental"), calls_of("comparison"))


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


_BIASED, _CLIPPED = is_given(3, "B"), has_attribute("clip")


def _gates(gates: int, functions: int) -> Work:
    """Return the work of adding up gates, and of bounding what goes into activations."""
    return ELEMENTWISE * (_CELLS * gates + _CELLS * 2 * gates * _BIASED) + (
        COMPARISON * _CELLS * 2 * functions * _CLIPPED
    )


_LSTM = (
    _gates(4, 5)
    + ELEMENTWISE * (_CELLS * 4 + _CELLS * 6 * is_given(7, "P") + _CELLS * is_set("input_forget"))
    + _activations(("Sigmoid", 3), ("Tanh", 1), ("Tanh", 1))
)
"""input_forget: the forget gate is 1 less the input gate, an activation less and a subtraction more."""
_ZEROED = of_input(1, "W") * is_given(9, "W_zero_point") + of_input(2, "R") * is_given(11, "R_zero_point")
declare(
    "RNN",
    products=Products("rnn", recurrent(1), f"{_INPUT}; {_STATE}; 1 gate", LOWERED_BY, refused=_REFUSED),
    work=_gates(1, 1) + _activations(("Tanh", 1)),
)
declare(
    "GRU",
    products=Products(
        "rnn",
        recurrent(3),
        f"{_INPUT}; {_STATE}; without linear_before_reset 2 gates there, and {RESET_STATE}: the third; 3 gates",
        LOWERED_BY,
        refused=_REFUSED,
    ),
    work=_gates(3, 3) + ELEMENTWISE * _CELLS * 5 + _activations(("Sigmoid", 2), ("Tanh", 1)),
)
declare(
    "LSTM",
    products=Products("rnn", recurrent(4), f"{_INPUT}; {_STATE}; 4 gates", LOWERED_BY, refused=_REFUSED),
    work=_LSTM,
)
declare(
    "DynamicQuantizeLSTM",
    MICROSOFT,
    products=Products(
        "rnn",
        recurrent(4, stored_transposed=True),
        f"{_INPUT}; {_STATE}; 4 gates",
        LOWERED_BY,
        refused=f"{_REFUSED}; lengths of sequences at all; weights, scales or zero points that aren't constants",
        types=quantized_at_run_time,
    ),
    # input and state are quantized as DynamicQuantizeLinear does, what comes of each gate's two products is scaled
    work=_LSTM + ELEMENTWISE * (3 * X + _CELLS * 3 + _CELLS * 8 + _ZEROED) + COMPARISON * (4 * X + _CELLS * 4),
    quantization=(8, 9, 10, 11),
)
declare(
    "AttnLSTM",
    MICROSOFT,
    products=unsized("rnn", "isn't sized: in every step an attention over a memory runs inside it"),
)
