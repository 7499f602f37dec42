"""Tile arithmetic on its own: pieces partition an axis, additions make one sum of all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onnxtile.tiling.plan import ACCUMULATIONS, Accumulate, Axis, TilePlan, additions


@given(st.integers(0, 300), st.none() | st.integers(1, 70))
def test_pieces_partition_the_axis(size: int, limit: int | None) -> None:
    axis = Axis.cut(size, limit)
    pieces = list(axis)
    assert [start for start, _ in pieces] == [0, *[stop for _, stop in pieces[:-1]]]
    assert pieces[-1][1] == size
    assert all(stop - start <= (limit or size or 1) for start, stop in pieces)
    assert len(pieces) == axis.count
    assert axis.count * axis.tile - axis.padding == size  # type: ignore[operator]  # a known size has all three
    assert axis.tile <= max(size, 1)  # type: ignore[operator]


def test_an_axis_known_only_at_run_time() -> None:
    whole, cut = Axis.cut(None, None), Axis.cut(None, 8)
    assert (whole.whole, whole.count, whole.padding) == (True, 1, 0)
    assert (cut.whole, cut.count, cut.padding) == (False, None, None)
    assert TilePlan(cut, Axis.cut(3, 2), Axis.cut(3, 2)).products is None


@given(st.integers(1, 40), st.sampled_from([how for how in ACCUMULATIONS if how != "sum"]))
def test_additions_use_every_partial_sum_once(count: int, how: Accumulate) -> None:
    terms = [{index} for index in range(count)]
    for left, right in additions(count, how):
        assert not terms[left] & terms[right]
        terms.append(terms[left] | terms[right])
    assert terms[-1] == set(range(count))
    assert len(terms) == 2 * count - 1
