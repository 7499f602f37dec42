"""The greatest and the least of formulas, for all sizes of 1 or more."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.ir.symbolic.amounts import symbol
from onnxtile.ir.symbolic.comparison import extreme

N, S = symbol("N"), symbol("S")


@pytest.mark.parametrize(
    ("numbers", "least", "greatest"),
    [
        ([3, 7, 5], 3, 7), ([N, 2 * N, N], N, 2 * N), ([N * S, N * S + N], N * S, N * S + N),
        ([N**2, N], N, N**2), ([0, N], 0, N), ([1, N], 1, N),
    ],
)  # fmt: skip
def test_what_is_always_so(numbers: list[object], least: object, greatest: object) -> None:
    assert extreme(numbers, greatest=False) == least
    assert extreme(numbers, greatest=True) == greatest


def test_what_depends_on_sizes_stays_open() -> None:
    assert extreme([N, S], greatest=True) == sympy.Max(N, S)
    assert extreme([N, 5], greatest=False) == sympy.Min(5, N)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=4),
    st.integers(1, 9), st.integers(1, 9),
)  # fmt: skip
def test_it_is_what_numbers_give(coefficients: list[tuple[int, int, int]], n: int, s: int) -> None:
    formulas = [a * N * S + b * N + c for a, b, c in coefficients]
    values = [a * n * s + b * n + c for a, b, c in coefficients]
    for greatest, want in ((True, max(values)), (False, min(values))):
        found = sympy.sympify(extreme(formulas, greatest)).subs({N: n, S: s})
        assert found == want
