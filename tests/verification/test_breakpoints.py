"""The size at which a model decides something else is found, whatever arithmetic leads there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from onnxtile.verification.breakpoints import LARGEST, further
from onnxtile.verification.trial_sizes import Choice


def search(decide: Callable[[int], int], start: list[int], rounds: int = 16) -> tuple[set[int], str | None]:
    """Return all sizes that are tried, and why not all are that would have to be."""
    tried: dict[int, int] = {size: decide(size) for size in start}
    beyond = None
    for _ in range(rounds):
        points = [({"N": size}, {"node": number}) for size, number in tried.items()]
        wanted, beyond = further(points, {"N": 2})
        if not wanted:
            break
        tried |= {choice["N"]: decide(choice["N"]) for choice in wanted}
    return set(tried), beyond


@pytest.mark.parametrize("threshold", [5, 50, 777, 4000])
@pytest.mark.parametrize("slope", [1, -3])
def test_the_size_where_a_line_crosses_is_tried_with_its_neighbours(threshold: int, slope: int) -> None:
    tried, beyond = search(lambda size: slope * (size - threshold), [0, 1, 2, 9])
    assert {threshold - 1, threshold, threshold + 1} <= tried and beyond is None


@pytest.mark.parametrize("threshold", [20, 300])
def test_a_curve_is_followed(threshold: int) -> None:
    tried, _ = search(lambda size: size * size - threshold * threshold, [0, 1, 2, 9])
    assert threshold in tried


def test_what_is_too_large_is_said() -> None:
    _, beyond = search(lambda size: size - 5 * LARGEST, [0, 1, 2, 9])
    assert beyond == f"it decides something by a size of about {5 * LARGEST + 1:,}, which isn't tried"


def test_what_no_size_changes_asks_for_nothing() -> None:
    assert further([({"N": size}, {"node": 7}) for size in (1, 2, 3)], {"N": 2}) == ([], None)


def test_thresholds_of_two_dimensions_are_tried_together() -> None:
    def at(choice: Choice) -> tuple[Choice, dict[object, int]]:
        return choice, {"a": choice["N"] - 5, "b": choice["M"] - 7}

    small = {"N": 2, "M": 3}
    line = [{"N": size, "M": 3} for size in (4, 5, 6)] + [{"N": 2, "M": size} for size in (6, 7, 8)]
    wanted, _ = further([at(choice) for choice in line], small)
    assert {"N": 5, "M": 7} in wanted


def test_where_a_number_only_touches_zero_is_found() -> None:
    tried, _ = search(lambda size: (size * size - 300 * 300) ** 2, [0, 1, 2, 9, 400])
    assert 300 in tried


def test_quotients_and_remainders_are_tried_together() -> None:
    """15 tiles of 64 and 7: a size that decides nothing by either alone."""
    points = {size: {"quotient": size // 64 - 15, "rest": size % 64 - 7} for size in (6, 7, 8, 959, 960, 961)}
    wanted, _ = further([({"N": size}, made) for size, made in points.items()], {"N": 2}, {64})
    assert {"N": 967} in wanted


@pytest.mark.parametrize(
    ("divisors", "words"), [({4, 16}, None), ({6, 4}, None), ({101, 103}, "101, 103"), ({0}, "a size")]
)
def test_remainders_that_meet_where_nothing_is_seen(divisors: set[int], words: str | None) -> None:
    wanted, said = further([({"N": size}, {"node": 7}) for size in (1, 2, 3)], {"N": 2}, divisors)
    assert (words is None) == (said is None) and (words or "") in str(said)
    assert ({"N": 23} in wanted) is (divisors == {4, 6})
