"""Sizes as rules use them: numbers, formulas that hold for 0 too, and unknown ones that equal no other."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest
import sympy
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.passes.shape_inference import sizes
from tests.passes.shape_inference.test_infer import found

N, M = ir.SymbolicDim("N"), ir.SymbolicDim("M")


@pytest.fixture
def context() -> ShapeInferenceContext:
    return ShapeInferenceContext({"": 18})


def test_unknown_sizes_differ(context: ShapeInferenceContext) -> None:
    first, second = sizes.unknown(context), sizes.unknown(context)
    assert first != second
    assert sizes.is_minted(context, first)
    assert not sizes.is_minted(context, N)
    assert not sizes.is_minted(context, 4)


def test_formulas_and_back(context: ShapeInferenceContext) -> None:
    assert sizes.formula_of(4) == 4
    twice = 2 * sizes.formula_of(N)
    assert str(sizes.size_of(context, twice)) == "2*N"
    assert sizes.size_of(context, sympy.Integer(6)) == 6
    assert sizes.is_minted(context, sizes.size_of(context, sympy.Rational(1, 2)))  # it isn't whole
    assert sizes.plain(ir.SymbolicDim("6")) == 6
    assert sizes.plain(N) == N


@pytest.mark.parametrize(
    ("shapes", "result"),
    [
        ([[2, 1], [3]], "[2,3]"), ([[N, 4], [1]], "[N,4]"), ([[N, 4], [N, 1]], "[N,4]"), ([[N], [5]], "[5]"),
        ([[], [0]], "[0]"),
    ],
)  # fmt: skip
def test_shapes_are_broadcast(context: ShapeInferenceContext, shapes: list[list[Any]], result: str) -> None:
    assert str(sizes.broadcast(context, [ir.Shape(shape) for shape in shapes])) == result


def test_which_of_two_formulas_is_1_is_not_known(context: ShapeInferenceContext) -> None:
    broadcast = sizes.broadcast(context, [ir.Shape([N]), ir.Shape([M])])
    assert broadcast is not None
    assert sizes.is_minted(context, broadcast[0])
    assert sizes.broadcast(context, [ir.Shape([N]), None]) is None


def test_sizes_that_agree(context: ShapeInferenceContext) -> None:
    assert sizes.agreed(context, [N, 4]) == 4
    assert sizes.agreed(context, [N]) == N


@pytest.mark.parametrize(
    ("dividend", "divisor", "result"),
    [([6, N], [2], "3*N"), ([6, N], [N], "6"), ([6], [4], None), ([N, M], [M], "N"), ([0], [2], "0")],
)
def test_quotients_are_whole(
    context: ShapeInferenceContext, dividend: list[Any], divisor: list[Any], result: str | None
) -> None:
    size = sizes.quotient(context, dividend, divisor)
    if result is None:
        assert sizes.is_minted(context, size)
    else:
        assert str(size) == result


def test_rounding_up_is_written_as_onnx_ir_reads_it() -> None:
    formula = sizes.rounded_up(sizes.formula_of(N), 4)
    assert "ceiling" not in str(formula)
    assert [formula.subs(sizes.formula_of(N), size) for size in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_values_of_a_model_are_followed() -> None:
    text = "g (float[N,6] x, float[1] z) => (float y) { d = Shape (x)  y = Expand (z, d) }"
    assert str(found(text)["y"].shape) == "[N,6]"
