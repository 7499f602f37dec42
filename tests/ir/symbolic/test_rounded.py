"""Shares in percent: what is nearly all isn't all, and what is nearly nothing isn't nothing."""

from __future__ import annotations

import pytest
import sympy

from onnxtile.ir.symbolic.amounts import Range, Unknown
from onnxtile.ir.symbolic.rounded import FEW, LONGEST, amount_in_line, count_text, percent_text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0%"), (1.0, "100%"), (1e-9, "0.1%"), (1 - 1e-9, "99.9%"), (0.12345, "12.3%"), (1.5, "150.0%"),
        (None, "?"),
    ],
)  # fmt: skip
def test_shares(share: float | None, text: str) -> None:
    assert percent_text(share) == text


def test_what_is_not_one_number() -> None:
    assert count_text(Range(0, 1500)) == "0 to 1.5 k"
    assert count_text(Unknown("why")) == "?"


def test_formulas_as_long_as_are_written_and_longer() -> None:
    assert amount_in_line(2048) == "2,048" and amount_in_line(16 * sympy.Symbol("a")) == "16*a"
    name = "a" * (LONGEST - len("2*"))
    assert amount_in_line(2 * sympy.Symbol(name)) == f"2*{name}"
    assert amount_in_line(12 * sympy.Symbol(name)) == f"(a formula in {name})"


def test_as_many_names_of_a_formula_as_are_given_and_more() -> None:
    names = sympy.symbols("a b c d e")
    formula = sum(1_000_000 * one**2 for one in names[:FEW])
    assert amount_in_line(formula) == "(a formula in a, b, c, d)"
    assert amount_in_line(Range(formula + names[FEW], None)) == "(a formula in a, b, c, d and 1 more)"
