"""Pieces of a convolution are as few as may be."""

from __future__ import annotations

from itertools import islice

import pytest

from onnxtile.operators.windows import Geometry, WindowAxis
from onnxtile.passes.rewrites import convolution_pieces
from onnxtile.passes.rewrites.convolution_pieces import Pieces
from onnxtile.tiling.limits import Limits


def square(size: int, kernel: int = 3, batch: int = 1) -> Geometry:
    axis = WindowAxis(size + kernel - 1, kernel, 1, 1, 0, 0, size)
    return Geometry(batch, 4, 4, 1, 4, 4, (axis, axis))


@pytest.mark.parametrize(
    ("size", "batch", "most", "lengths", "pieces"),
    [
        (56, 1, 64, (1, 8, 8), 49),  # and not 56 rows
        (28, 1, 64, (1, 14, 4), 14),
        (13, 1, 64, (1, 7, 7), 4),
        (5, 4, 8, (4, 1, 2), 15),  # a batch together, where that wastes less
        (5, 4, 1000, (4, 5, 5), 1),
        (0, 1, 4, (1, 1, 1), 1),
    ],
)
def test_positions_are_cut_into_as_few_pieces_as_may_be(
    size: int, batch: int, most: int, lengths: tuple[int, ...], pieces: int
) -> None:
    found = Pieces.of(square(size, batch=batch), Limits(most, None, None))
    tiles = [axis.tile or 0 for axis in (found.batch, *found.positions)]
    assert (sorted(tiles), found.convolutions) == (sorted(lengths), pieces)


def test_as_many_ways_as_are_compared_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show that pieces of images are all compared; the first ones cut the last axis least."""
    assert len(list(islice(convolution_pieces._boxes([1024, 1024], 256), 2001))) <= convolution_pieces.MOST_BOXES
    monkeypatch.setattr(convolution_pieces, "MOST_BOXES", 1)
    found = Pieces.of(square(56), Limits(64, None, None))
    assert [axis.tile for axis in found.positions] == [1, 56]


def test_sizes_as_large_as_any_are_cut_at_once() -> None:
    found = Pieces.of(square(2**31), Limits(2**40, None, None))
    assert found.convolutions >= 2**22
