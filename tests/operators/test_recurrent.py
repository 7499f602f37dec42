"""Recurrent operators: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.operators.work import Operations
from tests.operators.nodes import SIZE, counted, macs, rows_of, sizes, unknown_reason
from tests.support import node_model

LSTM = ([[10, 2, 8], [1, 16, 8], [1, 16, 4], [1, 32]], [[10, 1, 2, 4]])
"""80 cells: 10 steps, batch 2, hidden size 4."""


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        # a cell: 4 gates x (1 + 2 biases), 4 for state and output, 3 sigmoids (3 + 1), 2 hyperbolic tangents
        ("LSTM", *LSTM, {}, (80 * (12 + 4 + 9), 80 * 5, 0, 0)),
        ("LSTM", LSTM[0][:3], LSTM[1], {}, (80 * (4 + 4 + 9), 80 * 5, 0, 0)),
        ("LSTM", *LSTM, {"clip": 3.0}, (80 * 25, 80 * 5, 800, 0)),
        ("LSTM", *LSTM, {"input_forget": 1}, (80 * (12 + 4 + 1 + 6), 80 * 4, 0, 0)),
        ("LSTM", [*LSTM[0], None, None, None, [1, 12]], LSTM[1], {}, (80 * (25 + 6), 80 * 5, 0, 0)),
        ("LSTM", *LSTM, {"activations": ["Relu", "Tanh", "Softsign"]}, (80 * (12 + 4 + 3), 80, 240, 0)),
        (
            "LSTM",
            [[10, 2, 8], [2, 16, 8], [2, 16, 4]],
            [[10, 2, 2, 4]],
            {"activations": ["Sigmoid", "Tanh", "Tanh", "Relu", "Relu", "Relu"], "direction": "bidirectional"},
            (160 * 8 + 80 * 9, 80 * 5, 80 * 5, 0),
        ),
        ("GRU", [[10, 2, 8], [1, 12, 8], [1, 12, 4], [1, 24]], LSTM[1], {}, (80 * (9 + 5 + 6), 80 * 3, 0, 0)),
        ("RNN", [[10, 2, 8], [1, 4, 8], [1, 4, 4]], LSTM[1], {"activations": ["Relu"]}, (80, 0, 80, 0)),
        ("RNN", [[2, 10, 8], [1, 4, 8], [1, 4, 4]], LSTM[1], {"layout": 1}, (80, 80, 0, 0)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("LSTM", *LSTM, {"activations": ["Sine", "Tanh", "Tanh"]}, "transcendental", "'Sine' computes isn't known"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    assert words in unknown_reason(op, inputs, outputs, options, kind)


@given(st.sampled_from(["RNN", "LSTM", "GRU"]), SIZE, SIZE, SIZE, SIZE, st.integers(1, 2), st.booleans(), st.booleans())
def test_a_recurrent_operator_uses_each_weight_once_a_step_and_row(
    op: str, steps: int, batch: int, width: int, hidden: int, directions: int, layout: bool, before_reset: bool
) -> None:
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[op]
    attributes: dict[str, Any] = {"hidden_size": hidden, "layout": int(layout)}
    if op == "GRU":
        attributes["linear_before_reset"] = int(before_reset)
    if directions == 2:
        attributes["direction"] = "bidirectional"
    x = [batch, steps, width] if layout else [steps, batch, width]
    w, r = [directions, gates * hidden, width], [directions, gates * hidden, hidden]
    products = {row.part: row for row in rows_of(node_model(op, [x, w, r], [4], **attributes))}
    parts = {"input", "state", "reset state"} if op == "GRU" and not before_reset else {"input", "state"}
    assert products.keys() == parts
    assert sum(map(macs, products.values())) == steps * batch * int(np.prod(w) + np.prod(r))
    assert sizes(products["input"]) == (steps * batch, width, gates * hidden, directions)
    assert sizes(products["state"])[:2] == (batch, hidden)
    if op == "LSTM":
        swapped = [[directions, width, gates * hidden], [directions, hidden, gates * hidden]]
        shapes = [[steps, batch, width], *swapped]
        quantized = rows_of(node_model("DynamicQuantizeLSTM", shapes, [4], domain="com.microsoft", hidden_size=hidden))
        assert [sizes(row) for row in quantized] == [sizes(row) for row in products.values()]
