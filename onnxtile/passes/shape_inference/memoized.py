"""Formulas are compared and read once: sympy and onnx_ir do it anew each time, for minutes where Max and Min nest."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from onnx_ir import _symbolic_shapes
from sympy.functions.elementary.miscellaneous import MinMaxBase


def memoize_formulas() -> None:
    """Keep what sympy finds of two arguments of a Max or Min, and the formula that onnx_ir reads from a text.

    Both depend on nothing but formulas, which don't change.
    """
    connected: Any = lru_cache(maxsize=1 << 14)(MinMaxBase._is_connected.__func__)
    parse = lru_cache(maxsize=1 << 14)(_symbolic_shapes.parse_symbolic_expression)
    setattr(MinMaxBase, "_is_connected", classmethod(connected))  # noqa: B010  # neither library can be told to
    setattr(_symbolic_shapes, "parse_symbolic_expression", parse)  # noqa: B010
