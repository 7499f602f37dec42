"""Recurrent operators: a product with the input of all steps, and one with the state in every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int
from onnxtile.operators.entry import Entry
from onnxtile.operators.sizes import Dim, Size, count_of, same, shape

INPUT, STATE, RESET_STATE = "input", "state", "reset state"
_INPUT = f"{INPUT}: M = steps x batch, K = input size, N = gates x hidden size, batch = directions"
_STATE = f"{STATE}: M = batch, K = hidden size, N = gates x hidden size, batch = steps x directions"


def recurrent(gates: int, stored_transposed: bool = False) -> Callable[[ir.Node], Mapping[str, Size]]:
    """RNN, LSTM, GRU: X [steps, batch, input size] (layout 1: [batch, steps, input size]) by W [directions, gates *
    hidden size, input size], and the state by R [directions, gates * hidden size, hidden size].

    `stored_transposed`: W and R have their last two axes the other way round.
    """

    def sizes(node: ir.Node) -> Mapping[str, Size]:
        x, w, r = (shape(node, index, 3) for index in range(3))
        steps, batch = reversed(x[:2]) if attribute_int(node, "layout", 0) else x[:2]
        (n_w, k_w), (n_r, k_r) = ((each[2], each[1]) if stored_transposed else (each[1], each[2]) for each in (w, r))
        directions = same(node, "the number of directions", w[0], r[0])
        n, hidden = same(node, "gates x hidden size", n_w, n_r), _hidden(node, gates, n_r, k_r)
        return {
            INPUT: Size(count_of([steps, batch]), same(node, "the input size", x[2], k_w), n, directions),
            **_state(node, batch, hidden, n, count_of([steps, directions])),
        }

    return sizes


def _hidden(node: ir.Node, gates: int, n: Dim, k: Dim) -> Dim:
    """The hidden size, as the recurrent weight and the node say it."""
    told = attribute_int(node, "hidden_size", 0)
    hidden = same(node, "the hidden size", k, told or None)
    same(node, "gates x hidden size", gates * hidden if isinstance(hidden, int) else None, n)
    return hidden


def _state(node: ir.Node, batch: Dim, hidden: Dim, n: Dim, times: Dim) -> dict[str, Size]:
    """GRU's last gate takes a state that the others made (reset), unless linear_before_reset says otherwise."""
    if node.op_type != "GRU" or attribute_int(node, "linear_before_reset", 0):
        return {STATE: Size(batch, hidden, n, times)}
    gates = count_of([2, hidden])
    return {STATE: Size(batch, hidden, gates, times), RESET_STATE: Size(batch, hidden, hidden, times)}


_GRU = f"{_STATE}; without linear_before_reset 2 gates there, and {RESET_STATE}: the third"
ONNX: dict[str, Entry] = {
    "RNN": Entry("rnn", recurrent(1), f"{_INPUT}; {_STATE}; 1 gate"),
    "LSTM": Entry("rnn", recurrent(4), f"{_INPUT}; {_STATE}; 4 gates"),
    "GRU": Entry("rnn", recurrent(3), f"{_INPUT}; {_GRU}; 3 gates"),
}
MICROSOFT: dict[str, Entry] = {
    "DynamicQuantizeLSTM": Entry("rnn", recurrent(4, stored_transposed=True), f"{_INPUT}; {_STATE}; 4 gates"),
    "AttnLSTM": Entry("rnn", reason="isn't sized: in every step an attention over a memory runs inside it"),
}
