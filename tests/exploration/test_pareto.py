from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onnxtile.exploration.pareto import front

POINTS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=30)


@given(POINTS)
def test_exactly_those_that_none_dominates(points: list[tuple[int, ...]]) -> None:
    def dominated(point: tuple[int, ...]) -> bool:
        return any(other != point and all(x <= y for x, y in zip(other, point, strict=True)) for other in points)

    assert front(points) == [at for at, point in enumerate(points) if not dominated(point)]
