from __future__ import annotations

import numpy as np
import pytest

from onnxtile.engine import sizes
from onnxtile.engine.sizes import block_sizes, counts, legal_tiles, thinned, tile_sizes


@pytest.mark.parametrize(("length", "step"), [(1, 1), (40, 1), (40, 8), (37, 8), (7, 8), (1000, 3), (36, 6)])
def test_every_number_of_parts_is_there(length: int, step: int) -> None:
    every = {-(-length // size): size for size in [length, *range(length // step * step, 0, -step)]}
    assert sorted(counts(length, step)) == sorted(every.values())


@pytest.mark.parametrize(
    ("length", "most", "multiple", "legal"),
    [(100, 64, 8, (8, 64)), (7, 8, 8, (1, 7)), (9, 12, 8, (1, 8)), (100, None, 8, (13, 100)), (100, 4, 8, (0, 0))],
)
def test_legal_tiles(length: int, most: int | None, multiple: int, legal: tuple[int, int]) -> None:
    assert legal_tiles(length, most, multiple) == legal


def test_tiles_with_as_many_calls_are_kept_where_they_take_fewer_cycles() -> None:
    assert tile_sizes(40, None, 1, 16, None) == list(range(1, 41))
    kept = tile_sizes(40, None, 4, 16, lambda sizes: 40 // sizes * -(-sizes // 16) + -(-(40 % sizes) // 16))
    assert kept == [4, 8, 12, 16, 20, 24, 40]  # 28, 32 and 36 take no fewer cycles than 24 does, in two calls each
    assert tile_sizes(40, 3, 4, 16, None) == []


def test_of_many_sizes_some_that_fill_the_array_are_kept() -> None:
    many = tile_sizes(1 << 40, None, 1, 16, None)
    some = thinned(many, 16, 40)
    assert len(some) <= 40 < len(many)
    assert some[0] == 1
    assert some[-1] == 1 << 40
    assert all(size % 16 == 0 for size in some[1:])
    assert thinned([1, 2, 3], 16, 3) == [1, 2, 3]


def test_blocks_are_whole_tiles_or_the_length() -> None:
    table = block_sizes(40, (8, 12), False, 1, False)
    assert table.tolist() == [[8, 16, 24, 40], [12, 24, 40, 40]]
    assert 32 in block_sizes(40, (8,), False, 1, True)  # four tiles, and one alone
    assert block_sizes(40, (8,), True, 1, False).tolist() == [[8, 16, 24, 32, 40]]
    aligned = block_sizes(4000, (8,), True, 64, False)[0]
    assert {-(-size // 64) * 64 for size in aligned if size < 3900} <= set(aligned.tolist())
    assert np.all(block_sizes(1 << 40, (64,), False, 1, False) > 0)


def test_as_many_sizes_as_are_looked_at_and_more() -> None:
    assert tile_sizes(sizes.FEW, None, 1, 1, None) == list(range(1, sizes.FEW + 1))
    assert len(tile_sizes(sizes.FEW + 1, None, 1, 1, None)) < sizes.FEW
    every = tile_sizes(sizes.MOST_LISTED, None, 1, 1, lambda tiles: -tiles)
    assert every == list(range(1, sizes.MOST_LISTED + 1))
    assert len(tile_sizes(sizes.MOST_LISTED + 1, None, 1, 1, lambda tiles: -tiles)) < 300
    blocks = sizes.MOST_BLOCKS
    assert len(counts((blocks // 2) ** 2, 1)) == blocks - 1  # as many small sizes as large ones
    assert len(counts(blocks**2, 1)) < 2 * blocks - 1
