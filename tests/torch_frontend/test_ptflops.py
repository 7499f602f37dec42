"""Test what ptflops counts for calls of operators of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

from onnxtile.profiling.conventions.ptflops import ptflops_total  # noqa: E402  # the same
from tests.torch_support import profile_torch, some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


# What ptflops 0.7.5 prints for a batch of one
PRINTED: dict[str, tuple[Callable[[], Any], tuple[int, ...], int]] = {
    "Conv2d": (lambda: nn.Conv2d(3, 8, 3), (3, 8, 8), 36 * 8 * 27 + 36 * 8),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 8, 3), (3, 8, 8), 64 * 3 * 72 + 800),
    "Linear": (lambda: nn.Linear(4, 5), (3, 4), 75),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (3, 4, 4), 96),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(3), (3, 4, 4), 48),
    "LayerNorm": (lambda: nn.LayerNorm(4), (3, 4), 12),
    "ReLU": (nn.ReLU, (4,), 8),
    "SiLU": (nn.SiLU, (4,), 4),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (3, 8, 8), 384),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(1), (3, 8, 8), 384),
    "RNN": (lambda: nn.RNN(4, 5, batch_first=True), (3, 4), 3 * (20 + 25 + 10 + 5)),
    "GRU": (lambda: nn.GRU(4, 5, batch_first=True), (3, 4), 3 * (60 + 75 + 30 + 35)),
    "LSTM": (lambda: nn.LSTM(4, 5, batch_first=True, bidirectional=True), (3, 4), 2 * 3 * (80 + 100 + 40 + 50)),
}


@pytest.mark.parametrize("name", PRINTED)
def test_what_ptflops_prints(name: str) -> None:
    make, shape, printed = PRINTED[name]
    assert ptflops_total(profile_torch(make(), (some(1, *shape),), convention="ptflops")) == printed
