"""The recorder keeps shapes, no tensors, and refuses what has none."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

from onnxtile.errors import UsageError  # noqa: E402  # the same
from tests.torch_support import Call, profile_torch, some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


def test_no_tensor_is_kept() -> None:
    made: list[Any] = []

    def remember(x: Any) -> Any:
        result = x * 2
        made.append(weakref.ref(result))
        return result + 1

    profile = profile_torch(Call(remember), (some(8),))
    gc.collect()
    assert made[0]() is None and len(profile.nodes) == 2


def test_a_parameter_without_a_shape_is_refused() -> None:
    with pytest.raises(UsageError, match="parameter 'weight' has no shape yet; call the model once before"):
        profile_torch(nn.LazyLinear(3), (some(1, 2),))


def test_memory_is_alive_from_the_call_that_makes_it_to_the_last_that_reads_it() -> None:
    def branches(x: Any) -> Any:
        first = x.exp()
        second = first.sin().cos()  # first is read again later
        return (first.view(2, 2) + second.view(2, 2)).relu_()

    profile = profile_torch(Call(branches), (some(4),))
    assert [row.live_bytes for row in profile.nodes] == [32, 32, 48, 48, 16]
    assert profile.totals.peak_live_bytes == 48
    assert profile.totals.activation_bytes == 5 * 16
