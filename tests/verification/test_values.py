"""Values of two runs are held against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onnxtile.verification.values import distance, judge, worse

ONE = np.float32([1, 2])


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        (np.float32([1, 2]), 0.0),
        (np.float32([1, 2.5]), 0.5),
        (np.float32([1, np.nan]), math.inf),
        (np.float32([1, np.inf]), math.inf),
        (np.float32([[1, 2]]), math.inf),
        ([ONE], math.inf),
    ],
)  # fmt: skip
def test_the_largest_difference(other: object, wanted: float) -> None:
    assert distance(ONE, other) == wanted


def test_nan_is_nan_and_infinity_is_itself() -> None:
    strange = np.float32([np.nan, np.inf, -np.inf])
    assert distance(strange, strange.copy()) == 0
    assert distance(np.array([2**53 + 1]), np.array([2**53])) == 1


@pytest.mark.parametrize(("moved", "wanted"), [(0.75, True), (0.25, False)])
def test_as_much_is_allowed_as_the_bounds_move_a_value(moved: float, wanted: bool) -> None:
    verdict = judge("y", ONE, np.float32([1, 2.5]), [np.float32([1, 2 + moved])], each_element=True)
    assert (verdict.equivalent, verdict.allowed, verdict.max_abs_error) == (wanted, moved, 0.5)


def test_another_type_is_never_allowed() -> None:
    verdict = judge("y", ONE, ONE.astype(np.float64), [ONE + 9], each_element=True)
    assert not verdict.equivalent and verdict.reason == "type differs"


def test_the_worst_case_counts() -> None:
    good, bad = (judge("y", ONE, ONE + np.float32(error), [ONE + 1], each_element=True) for error in (0.0, 2.0))
    assert worse(None, good) is good
    assert [worse(*pair).equivalent for pair in ((good, bad), (bad, good), (good, good))] == [False, False, True]
