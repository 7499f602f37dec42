"""One object says a formula in words and evaluates it."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.ir.attributes import UnsizedError
from onnxtile.ir.symbolic.amounts import Amount, Unknown, symbol
from onnxtile.operators.formula import NOTHING, ONE, Formula, condition, measure, unknown

NODE = ir.node("Op", [])
ROWS = measure("rows", "lines along the last axis")(lambda node, opset: 6)
WIDTH = measure("width", "elements of a line")(lambda node, opset: symbol("w"))
HOLDS = condition("with a bias")(lambda node, opset: True)
NOT = condition("with a mask")(lambda node, opset: False)


def _unsized(node: ir.Node, opset: int | None) -> Amount:
    raise UnsizedError("its shape isn't known")


LOST = measure("lost", "what can't be read")(_unsized)


def at(formula: Formula) -> Amount:
    return formula.amount(NODE, 18, {})


@pytest.mark.parametrize(
    ("formula", "amount", "words"),
    [
        (NOTHING, "0", ""), (ONE, "1", "1"), (2 * ROWS + ONE, "13", "2 x rows + 1"),
        (ROWS * WIDTH, "6*w", "rows x width"), (ROWS - ONE, "5", "rows - 1"), (ONE - ROWS, "0", None),
        (ROWS + ROWS * HOLDS, "12", None), (ROWS + LOST * NOT, "6", None),
    ],
)  # fmt: skip
def test_amounts_and_words(formula: Formula, amount: str, words: str | None) -> None:
    assert str(at(formula)) == amount
    if words is not None:
        assert str(formula).replace("×", "x") == words


def test_what_is_not_known_makes_the_sum_unknown() -> None:
    assert at(ROWS + LOST) == Unknown("its shape isn't known")
    assert at(unknown("it depends on the data")) == Unknown("it depends on the data")


def test_a_measure_is_read_once_for_all_formulas() -> None:
    reads = []
    counted = measure("counted", "")(lambda node, opset: reads.append(1) or 3)  # type: ignore[func-returns-value]
    known: dict = {}  # type: ignore[type-arg]
    assert [(formula * counted).amount(NODE, 18, known) for formula in (ONE, ROWS)] == [3, 18]
    assert len(reads) == 1


def test_conditions_are_told_from_measures() -> None:
    measures = list((ROWS * HOLDS + WIDTH).measures())
    assert {(measure.words, measure.condition) for measure in measures} == {
        ("rows", False), ("[with a bias]", True), ("width", False),
    }  # fmt: skip
