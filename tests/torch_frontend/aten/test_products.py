"""Products of operators of torch have the sizes that are counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there
from torch.nn import functional as F  # noqa: E402, N812  # as torch's own examples call it

from tests.torch_support import Call, profile_torch, some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


LSTM = 3 * 2 * (4 * 5 * 4 + 4 * 5 * 5)
CASES: dict[str, tuple[Callable[[], Any], tuple[Any, ...], int, int]] = {
    # network, inputs, multiply-accumulates, parameters
    "Conv1d": (lambda: nn.Conv1d(3, 8, 3), (some(2, 3, 10),), 2 * 8 * 8 * 3 * 3, 8 * 9 + 8),
    "Conv2d": (lambda: nn.Conv2d(3, 8, 3, stride=2, padding=1), (some(1, 3, 9, 9),), 25 * 8 * 27, 8 * 27 + 8),
    "Conv3d": (lambda: nn.Conv3d(2, 4, 3, bias=False), (some(1, 2, 5, 5, 5),), 27 * 4 * 54, 4 * 54),
    "grouped": (lambda: nn.Conv2d(8, 8, 3, groups=4), (some(1, 8, 5, 5),), 9 * 8 * 18, 8 * 18 + 8),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), (some(1, 4, 5, 5),), 25 * 4 * 54, 4 * 54 + 6),
    "Linear": (lambda: nn.Linear(4, 5), (some(2, 3, 4),), 6 * 20, 25),
    "batched matmul": (lambda: Call(torch.matmul), (some(2, 3, 4, 5), some(3, 5, 6)), 6 * 4 * 5 * 6, 0),
    "matvec": (lambda: Call(torch.mv), (some(4, 5), some(5)), 20, 0),
    "einsum": (
        lambda: Call(lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b)), (some(2, 3, 4, 5), some(2, 3, 6, 5)),
        6 * 4 * 5 * 6, 0,
    ),
    "scaled_dot_product_attention": (
        lambda: Call(F.scaled_dot_product_attention), (some(1, 2, 3, 8), some(1, 2, 5, 8), some(1, 2, 5, 8)),
        2 * (3 * 8 * 5) * 2, 0,
    ),
    "LSTM": (lambda: nn.LSTM(4, 5), (some(3, 2, 4),), LSTM, 4 * 5 * (4 + 5) + 2 * 20),
    "GRU": (lambda: nn.GRU(4, 5), (some(3, 2, 4),), 3 * 2 * (3 * 5 * 4 + 3 * 5 * 5), 3 * 5 * (4 + 5) + 2 * 15),
    "MultiheadAttention": (
        lambda: nn.MultiheadAttention(8, 2, batch_first=True), (some(2, 3, 8),) * 3,
        4 * 6 * 64 + 2 * (2 * 2 * 3 * 4 * 3), 4 * 64 + 4 * 8,
    ),
    "two layers, both directions": (
        lambda: nn.LSTM(4, 5, 2, bidirectional=True), (some(3, 2, 4),),
        2 * 6 * (20 * 4 + 20 * 5) + 2 * 6 * (20 * 10 + 20 * 5), 2 * (20 * 9 + 40) + 2 * (20 * 15 + 40),
    ),
    "attention of heads that share keys": (
        lambda: Call(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True)),
        (some(1, 4, 5, 8), some(1, 2, 5, 8), some(1, 2, 5, 8)), 2 * (4 * 5 * 8 * 5), 0,
    ),
    "Bilinear": (lambda: nn.Bilinear(3, 4, 5), (some(2, 3), some(2, 4)), 2 * 3 * 20 + 2 * 20, 65),
    "Embedding": (lambda: nn.Embedding(5, 3), (torch.tensor([1, 2]),), 0, 15),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_counts_by_hand(name: str) -> None:
    make, inputs, macs, params = CASES[name]
    totals = profile_torch(make(), inputs).totals
    assert (totals.macs, totals.params, totals.trainable, totals.frozen) == (macs, params, params, 0)
