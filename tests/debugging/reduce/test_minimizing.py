"""Test that what is left fails, and no smaller part of it does."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from onnxtile.debugging.reduce.minimizing import minimal


@given(st.integers(1, 30), st.data())
def test_what_is_left_is_minimal(size: int, data: st.DataObject) -> None:
    needed = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=4))
    asked: list[Sequence[int]] = []

    def fails(part: Sequence[int]) -> bool:
        assert part and list(part) == sorted(part) and part not in asked
        asked.append(list(part))
        return needed <= set(part)

    assert minimal(range(size), fails) == sorted(needed)
    assert len(asked) <= size**2 + 3 * size  # the worst case of ddmin
