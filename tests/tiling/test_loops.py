"""Loops over tiles: the order of a schedule, each tile once."""

from __future__ import annotations

import pytest

from onnxtile.tiling.loops import Loops
from onnxtile.tiling.plan import Axis, TilePlan

PLAN = TilePlan(Axis.cut(5, 2), Axis.cut(7, 3), Axis.cut(9, 4))
USUAL = [(m, k, n) for m in range(3) for n in range(3) for k in range(3)]


def tiles(text: str, plan: TilePlan = PLAN) -> list[tuple[int, int, int]]:
    loops = Loops.of(text)
    assert loops is not None
    return list(loops.tiles(plan))


def test_blocks_are_gone_through_tile_by_tile() -> None:
    order = tiles("size=5,7,9 loops=n8,m4,k3,n4,m2 bytes=1")
    assert order[:5] == [(0, 0, 0), (1, 0, 0), (0, 0, 1), (1, 0, 1), (0, 1, 0)]
    assert sorted(order) == sorted(USUAL)
    assert str(Loops.of("loops=n8,m4,k3,n4,m2")) == "n8,m4,k3,n4,m2"


@pytest.mark.parametrize("text", ["loops=m5,k7,n9,m2,k3,n4", "loops=k9,m100,n9,m2,n4,k3"])
def test_a_block_may_be_the_whole_axis_though_its_no_multiple(text: str) -> None:
    assert sorted(tiles(text)) == sorted(USUAL)


@pytest.mark.parametrize("text", ["loops=m2,k3,n5", "loops=m3,k3,n4,m2,n4", "loops=m2,k3,n9,n4,m4", "loops=m1,k1,n1"])
def test_loops_that_do_not_make_these_tiles_are_not_followed(text: str) -> None:
    """Metadata may say anything: each tile is computed once nevertheless."""
    assert tiles(text) == USUAL


@pytest.mark.parametrize(
    "text", ["", "loops=", "loops=m2,k3", "loops=m2,k3,k3", "loops=m0,k3,n4", "loops=m2,k3,x4", "xloops=m2,k3,n4"]
)
def test_what_holds_no_loops(text: str) -> None:
    assert Loops.of(text) is None
