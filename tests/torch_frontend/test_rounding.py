"""Operators are moved by their rounding bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.torch_frontend.rounding import UNIT, MovedByRounding  # noqa: E402  # the same
from tests.torch_support import some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


def moved(function: Callable[..., Any], *inputs: Any) -> Any:
    with torch.no_grad(), MovedByRounding(1.0) as moving:
        result = function(*inputs)
    assert not moving.unknown
    return (result - function(*inputs)).abs()


def test_products_move_by_what_two_orders_of_summation_may_differ_in() -> None:
    a, b = some(4, 100), some(100, 4)
    difference = moved(torch.mm, a, b)
    assert bool((difference > 0).any())
    assert bool((difference <= 2.1 * 102 * UNIT[torch.float32] * (a.abs() @ b.abs())).all())


def test_what_chooses_among_its_inputs_is_exact() -> None:
    for function in (torch.relu, lambda x: x.max(), lambda x: x.reshape(-1)[2:].clone()):
        assert not moved(function, some(3, 4)).any()


def test_operators_without_a_bound_are_named() -> None:
    with torch.no_grad(), MovedByRounding(1.0) as moving:
        torch.linalg.inv(torch.eye(3))
    assert moving.unknown
