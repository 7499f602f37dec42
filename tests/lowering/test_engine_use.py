"""Test what a product takes of the engine: calls and multiply-accumulates, in numbers, in formulas, and unknown."""

from __future__ import annotations

from onnxtile.ir.symbolic.amounts import Range, Unknown, symbol
from onnxtile.lowering.engine_use import NO_USE, EngineUse
from onnxtile.operators.sizes import UNSIZED, Size

TILE = (4, 4, 4)


def test_edges_are_filled_up_where_the_form_pads() -> None:
    size = Size(5, 6, 7, 3)
    assert EngineUse.of(size, TILE) == EngineUse(24, 630, 630)
    padded = EngineUse.of(size, TILE, pads=True)
    assert padded == EngineUse(24, 630, 3 * 512)
    assert (padded.padding, padded.utilization) == (3 * 512 - 630, 630 / (3 * 512))
    assert EngineUse.of(size, (None, 4, None), pads=True) == EngineUse(6, 630, 3 * 5 * 8 * 7)


def test_calls_are_filled_up_to_the_engine_s_multiples() -> None:
    size = Size(40, 300, 50, 2)
    assert EngineUse.of(size, (24, 102, 32), multiples=(8, 1, 8)) == EngineUse(24, 1_200_000, 2 * 40 * 300 * 56)
    assert EngineUse.of(Size(3, 5, 7, 1), multiples=(8, 1, 8)) == EngineUse(1, 105, 8 * 5 * 8)
    assert EngineUse.of(Size(9, 5, 7, 1), (8, 4, 4), pads=True, multiples=(8, 1, 4)) == EngineUse(8, 315, 16 * 8 * 8)
    n = symbol("n")
    assert EngineUse.of(Size(3, 5, n, 1), (8, 4, 8), multiples=(8, 1, 8)).utilization is None


def test_what_is_multiplied_beyond_the_batch_is_padding() -> None:
    use = EngineUse.of(Size(4, 4, 4, 2, 8), TILE)
    assert (use.calls, use.macs, use.padding, use.utilization) == (8, 128, 6 * 64, 0.25)


def test_formulas_and_what_is_not_known() -> None:
    n = symbol("n")
    use = EngineUse.of(Size(n, 6, 7, 1), (None, 4, 4), pads=True)
    assert (use.calls, use.macs, use.utilization) == (4, 42 * n, 42 / 64)  # type: ignore[operator]  # a formula
    assert str(EngineUse.of(Size(n, 6, 7, 1), TILE).calls) in ("4*ceiling(n/4)", "4*floor(n/4 + 3/4)")
    unknown = EngineUse.of(UNSIZED, TILE)
    assert isinstance(unknown.calls, Unknown) and unknown.utilization is None
    assert EngineUse.of_all([use, unknown]).calls == Range(4, None)


def test_nothing_takes_nothing() -> None:
    assert EngineUse.of(Size(0, 6, 7, 1), TILE) == NO_USE
    assert EngineUse.of_all([]) == NO_USE
    assert NO_USE.utilization is None
