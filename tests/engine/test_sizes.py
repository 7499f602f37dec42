from __future__ import annotations

import pytest

from onnxtile.engine.sizes import counts, largest_tile
from onnxtile.errors import UnsupportedError


@pytest.mark.parametrize(("length", "step"), [(1, 1), (40, 1), (40, 8), (37, 8), (7, 8), (1000, 3), (36, 6)])
def test_every_number_of_parts_is_there(length: int, step: int) -> None:
    every = {-(-length // size): size for size in [length, *range(length // step * step, 0, -step)]}
    assert sorted(counts(length, step)) == sorted(every.values())


@pytest.mark.parametrize(
    ("length", "most", "multiple", "largest"), [(100, 64, 8, 64), (7, 8, 8, 7), (9, 12, 8, 8), (100, None, 8, 100)]
)
def test_the_largest_tile(length: int, most: int | None, multiple: int, largest: int) -> None:
    assert largest_tile(length, most, multiple) == largest


def test_no_call_is_small_enough() -> None:
    with pytest.raises(UnsupportedError, match="a call of at most 4 can't be a multiple of 8"):
        largest_tile(100, 4, 8)
