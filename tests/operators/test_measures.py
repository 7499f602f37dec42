"""Test what formulas count by, read off nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.attributes import UnsizedError
from onnxtile.operators import measures
from onnxtile.operators.formula import Formula
from tests.operators.nodes import S, ints, node_of

NODE = node_of("Op", [S, [3, "n"], None], [[4], [5, 2]], alpha=2.0, mode="max", group=3)


@pytest.mark.parametrize(
    ("formula", "amount"),
    [
        (measures.X, "48"), (measures.Y, "4"), (measures.of_input(1, "W"), "3*n"), (measures.of_output(1, "Z"), "10"),
        (measures.of_output(2, "left out"), "0"), (measures.INPUTS, "2"), (measures.ROWS, "6"),
        (measures.is_given(0, "X"), "1"), (measures.is_given(2, "C"), "0"), (measures.is_given(7, "C"), "0"),
        (measures.is_wanted(1, "Z"), "1"), (measures.is_wanted(2, "Z"), "0"),
        (measures.isnt("alpha", 1), "1"), (measures.isnt("alpha", 2), "0"), (measures.isnt("beta", 1, 1), "0"),
        (measures.says("mode", "max", "mul"), "1"), (measures.says("mode", "add"), "0"),
        (measures.says("other", "linear", default="linear"), "1"),
        (measures.of_inputs("both", "", (0, 1)), "3*n + 48"),
    ],
)  # fmt: skip
def test_measures_of_a_node(formula: Formula, amount: str) -> None:
    assert str(formula.amount(NODE, 18, {})) == amount


@pytest.mark.parametrize(
    ("read", "amount"),
    [
        (lambda: measures.along(NODE, 0, (0, -1)), 16), (lambda: measures.along(NODE, 0, ()), 1),
        (lambda: measures.lines(NODE, 1), 16), (lambda: measures.before(NODE, -1), 6),
        (lambda: measures.checked_axis(-1, 3), 2), (lambda: measures.number(NODE, "alpha", 1.0), 2.0),
        (lambda: measures.number(NODE, "group", 1.0), 3), (lambda: measures.number(NODE, "gone", 0.5), 0.5),
        (lambda: measures.version(13), 13),
    ],
)  # fmt: skip
def test_what_is_read(read: Any, amount: float) -> None:
    assert read() == amount


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda: measures.checked_axis(3, 3), "it says axis 3 of 3"),
        (lambda: measures.input_sizes(NODE, 0, least=4), "3 axes"),
        (lambda: measures.version(None), "which version of the operators it's written in"),
        (lambda: measures.constant(NODE, 0, "its axis"), "its axis .input 0. is known only at run time"),
    ],
)
def test_what_cannot_be_read(read: Any, words: str) -> None:
    with pytest.raises(UnsizedError, match=words):
        read()


def test_constants() -> None:
    node = node_of("ReduceSum", [S, ints(0, 2)], [[3]])
    assert measures.constant(node, 1, "axes").tolist() == [0, 2]
    assert measures.constant_int(node_of("TopK", [S, np.array([4])], [S, S]), 1, "k") == 4


def test_sizes_of_products() -> None:
    node = node_of("Gemm", [[8, 16], [16, 32]], [[8, 32]])
    counts = (measures.RESULTS, measures.WINDOWS, measures.WEIGHTS, measures.RESULT_ROWS)
    assert [formula.amount(node, 18, {}) for formula in counts] == [256, 128, 512, 8]
    assert isinstance(node, ir.Node)
