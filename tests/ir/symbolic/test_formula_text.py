from __future__ import annotations

import pytest
import sympy

from onnxtile.ir.symbolic.amounts import Range, amount_text, fill, pieces, symbol
from onnxtile.ir.symbolic.formula_text import formula_text
from onnxtile.ir.symbolic.rounded import count_text

N, M = symbol("n"), symbol("m")


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (pieces(N, 32), "ceil(n/32)"),
        (fill(3 * N, 4), "4*ceil(3*n/4)"),
        (pieces(N * M, 6), "ceil(m*n/6)"),
        (sympy.ceiling(N / 8), "ceil(n/8)"),
        (sympy.floor(N / 32), "floor(n/32)"),
        (sympy.floor(N / 32 + sympy.Rational(30, 32)), "floor(n/32 + 15/16)"),
        (sympy.floor(sympy.Symbol("x") / 32 + sympy.Rational(31, 32)), "floor(x/32 + 31/32)"),  # x may be 1/2
        (917504 * pieces(N, 32) - 20000 * N, "917504*ceil(n/32) - 20000*n"),
        (5 - N, "5 - n"),
        (-N - M, "-m - n"),
    ],
)
def test_what_is_rounded_up_is_written_so(formula: sympy.Expr, text: str) -> None:
    assert formula_text(formula) == amount_text(formula) == count_text(formula) == text


def test_both_ends_of_a_range() -> None:
    ends = Range(pieces(N, 4), pieces(M, 4))
    assert amount_text(ends) == count_text(ends) == "ceil(n/4) to ceil(m/4)"
