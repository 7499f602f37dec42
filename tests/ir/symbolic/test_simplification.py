"""Formulas of rounded quotients get shorter, and mean the same."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.ir.symbolic.amounts import symbol
from onnxtile.ir.symbolic.simplification import shortened

X = symbol("x")


@pytest.mark.parametrize(
    ("formula", "short"),
    [
        (sympy.floor((sympy.floor((X - 1) / 2)) / 2) + 1, sympy.floor((X + 3) / 4)),
        ((X + sympy.Mod(-X, 4)) / 4, sympy.floor((X + 3) / 4)),
        (sympy.floor(X / 6), sympy.floor(X / 6)),
        (X + 1, X + 1),
    ],
)
def test_a_short_form(formula: sympy.Expr, short: sympy.Expr) -> None:
    assert sympy.simplify(shortened(formula) - short) == 0
    assert str(shortened(formula)) == str(short)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 40), st.booleans())
def test_it_means_the_same(first: int, second: int, shift: int, other: int, size: int, up: bool) -> None:
    around = sympy.ceiling if up else sympy.floor
    formula = around((sympy.floor((X + shift) / first) + other) / second) + sympy.Mod(-X, second)
    assert sympy.sympify(shortened(formula)).subs(X, size) == formula.subs(X, size)
