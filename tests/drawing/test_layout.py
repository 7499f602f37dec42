from __future__ import annotations

import sys

import pytest

from onnxtile.drawing.layout import GAP_X, GAP_Y, lay_out
from onnxtile.errors import UsageError


def test_levels_are_below_each_other_and_blocks_beside_each_other_apart() -> None:
    levels, heights = [0, 1, 1, 2], [10.0, 20.0, 30.0, 10.0]
    made = lay_out(levels, heights, [(0, 1), (0, 2), (1, 3), (2, 3)], 100)
    tops = [y for _, y in made.corners]
    assert tops == [0, 10 + GAP_Y, 10 + GAP_Y, 40 + 2 * GAP_Y]
    first, second = sorted(made.corners[at][0] for at in (1, 2))
    assert second - first >= 100 + GAP_X - 0.01
    assert made.edges[0][0] == (made.corners[0][0] + 50, 10.0) and made.edges[0][-1][1] == tops[1]
    assert made == lay_out(levels, heights, [(0, 1), (0, 2), (1, 3), (2, 3)], 100)


def test_a_long_edge_goes_around_what_it_passes_and_takes_little_room() -> None:
    made = lay_out([0, 1, 2, 3], [10.0] * 4, [(0, 1), (1, 2), (2, 3), (0, 3)], 100)
    x = made.edges[3][2][0]
    left, right = made.corners[1][0], made.corners[1][0] + 100
    assert x < left or x > right
    assert made.width <= 100 + 2 * GAP_X + 1


def test_nothing_takes_no_room() -> None:
    assert lay_out([], [], [], 100).corners == ()


def test_without_the_library_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(UsageError, match=r"draw takes igraph, which isn't installed: pip install 'onnxtile\[draw\]'"):
        lay_out([0], [1.0], [], 100)
