"""Products whose numbers a network depends on are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there
from torch.nn import functional as F  # noqa: E402, N812  # as torch's own examples call it

from tests.torch_support import profile_torch, some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


class Chooses(nn.Module):
    """Multiply as often as numbers say that come of products, read in several ways."""

    def __init__(self, read: Callable[[Any], int]) -> None:
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 3)
        self.read = read
        nn.init.ones_(self.first.weight)
        nn.init.zeros_(self.first.bias)

    def forward(self, x: Any) -> Any:
        found = self.first(x)
        for _ in range(self.read(found)):
            found = self.second(found)
        return found


READS: dict[str, Callable[[Any], int]] = {
    "an element": lambda x: int(x[0, 0]),
    "a list": lambda x: int(x.tolist()[0][0]),
    "an array": lambda x: int(x.numpy()[0, 0]),
    "places": lambda x: len((x == 2).nonzero()) * 2 // 3,
    "a mask": lambda x: len(x[x > 1]) * 2 // 3,
    "a list, failures caught": lambda x: _caught(lambda: int(x.max().tolist())),
}


def _caught(read: Callable[[], int]) -> int:
    try:
        return read()
    except BaseException:
        return 0


@pytest.mark.parametrize("way", READS)
def test_what_a_network_chooses_by_numbers_is_what_it_does(way: str) -> None:
    before = torch.Tensor.__dict__.get("tolist"), torch.Tensor.__dict__.get("numpy")
    assert profile_torch(Chooses(READS[way]), (torch.ones(1, 2),)).totals.macs == 6 + 2 * 9
    assert (torch.Tensor.__dict__.get("tolist"), torch.Tensor.__dict__.get("numpy")) == before


def test_numbers_that_are_kept_in_buffers_are_the_right_ones() -> None:
    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("kept", torch.zeros(1, 2))

        def forward(self, x: Any) -> Any:
            self.kept.copy_(self.layer(x))
            return self.kept + 1

    network = Keeps()
    profile_torch(network, (torch.ones(1, 2),))
    assert torch.equal(network.kept, network.layer(torch.ones(1, 2)))


def test_statistics_of_a_batch_norm_that_always_learns_are_the_right_ones() -> None:
    class Learns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("mean", torch.zeros(2))
            self.register_buffer("spread", torch.ones(2))

        def forward(self, x: Any) -> Any:
            return F.batch_norm(self.layer(x), self.mean, self.spread, training=True, momentum=1.0)

    network, inputs = Learns(), some(4, 2)
    profile_torch(network, (inputs,))
    assert torch.allclose(network.mean, network.layer(inputs).mean(0), atol=1e-6)


def test_experts_that_tokens_go_to_are_those_that_are_counted() -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.router = nn.Linear(4, 3, bias=False)
            self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

        def forward(self, x: Any) -> Any:
            chosen = self.router(x).argmax(-1)
            result = torch.zeros_like(x)
            for index, expert in enumerate(self.experts):
                places = (chosen == index).nonzero()[:, 0]
                if len(places):
                    result[places] = expert(x[places])
            return result

    profile = profile_torch(Experts(), (some(5, 4),))
    assert profile.totals.macs == 5 * 12 + 5 * 16


def test_nothing_of_torch_is_patched_but_while_a_network_runs() -> None:
    before = dict(torch.Tensor.__dict__)
    profile_torch(Chooses(READS["a list"]), (torch.ones(1, 2),))
    assert dict(torch.Tensor.__dict__) == before


def test_stand_ins_have_the_shapes_of_what_torch_computes() -> None:
    from onnxtile.torch_frontend.trace.skipping import STAND_INS

    x, weight = some(2, 4, 9, 7), some(6, 2, 3, 3)
    arguments = (x, weight, some(6), [2, 1], [1, 0], [1, 2], False, [0, 0], 2)
    zeros = STAND_INS["aten.convolution"][2](*arguments)
    assert zeros is not None and zeros.shape == torch.ops.aten.convolution(*arguments).shape
    assert STAND_INS["aten.convolution"][2](*arguments[:6], True, [0, 0], 2) is None  # torch itself had better
    zeros = STAND_INS["aten.addmm"][2](some(5), some(3, 4), some(4, 5))
    assert zeros is not None and zeros.shape == (3, 5) and not zeros.any()
    assert STAND_INS["aten.mm"][2](some(3, 4), some(5, 5)) is None
