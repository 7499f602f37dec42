"""Pools, resampling and scattered elements are counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch.nn import functional as F  # noqa: E402, N812  # as torch's own examples call it

from tests.torch_support import Call, profile_torch, some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


@pytest.mark.parametrize(
    ("function", "shape", "elementwise", "comparison", "movement"),
    [
        (lambda x: F.max_pool2d(x, 2), (1, 1, 4, 4), 0, 4 * 3, 0),
        (lambda x: F.avg_pool2d(x, 2), (1, 1, 4, 4), 4 * 4, 0, 0),
        (lambda x: F.adaptive_avg_pool2d(x, (2, 1)), (1, 1, 5, 3), 2 * 3 * 3, 0, 0),  # rows 0 to 2 and 2 to 4
        (lambda x: F.interpolate(x, scale_factor=2), (1, 1, 2, 2), 0, 0, 16),
        (lambda x: torch.cdist(x, x, p=1.0), (3, 2), 3 * 18 - 9, 0, 0),
    ],
)
def test_windows_by_hand(
    function: Callable[..., Any], shape: tuple[int, ...], elementwise: int, comparison: int, movement: int
) -> None:
    totals = profile_torch(Call(function), (some(*shape),)).totals
    assert (totals.elementwise, totals.comparison, totals.movement) == (elementwise, comparison, movement)
