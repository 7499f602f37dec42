"""Test that what is kept is what the libraries find, and it's found once."""

from __future__ import annotations

import sympy
from onnx_ir import SymbolicDim
from sympy.functions.elementary.miscellaneous import MinMaxBase

from onnxtile.passes.shape_inference.library import install


def test_formulas_are_compared_and_read_once() -> None:
    install()
    n = sympy.Symbol("memoized", integer=True, nonnegative=True)
    connected = MinMaxBase._is_connected.__func__
    before = connected.cache_info().misses
    for _ in range(3):
        assert str(sympy.Max(0, sympy.floor((n + 7) / 16) - 2)) == "Max(0, floor(memoized/16 + 7/16) - 2)"
    first = connected.cache_info().misses
    assert before < first
    assert sympy.Max(n, n + 1) == n + 1 and sympy.Min(n, n + 1) == n
    dims = [SymbolicDim("Max(0, memoized - 5)") for _ in range(2)]
    assert dims[0]._expr == dims[1]._expr and dims[0].evaluate({"memoized": 9}) == 4


def test_symbols_of_other_signs_are_other_formulas() -> None:
    positive, any_sign = sympy.Symbol("x", positive=True), sympy.Symbol("x", integer=True)
    assert sympy.Max(0, positive) == positive
    assert sympy.Max(0, any_sign) != any_sign
