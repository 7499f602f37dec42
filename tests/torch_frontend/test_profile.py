"""Profiles of torch networks: what they count, and that the network is left as it was."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there
from torch.nn import functional as F  # noqa: E402, N812  # as torch's own examples call it

import onnxtile  # noqa: E402  # the same
from onnxtile.errors import UsageError  # noqa: E402  # the same
from onnxtile.ir.symbolic.amounts import Unknown  # noqa: E402  # the same
from tests.torch_support import Tied, profile_torch, some  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


def test_parameters_buffers_and_frozen_ones_are_told_apart() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    network[0].weight.requires_grad = False
    totals = profile_torch(network, (some(1, 3, 5, 5),)).totals
    assert (totals.params, totals.buffers, totals.trainable, totals.frozen) == (108 + 16, 8, 8, 108)
    assert totals.weight_bytes == 4 * (108 + 16)  # the count of batches, which isn't read, isn't a weight
    as_torch_counts = profile_torch(network, (some(1, 3, 5, 5),), convention="ptflops").totals
    assert (as_torch_counts.params, as_torch_counts.buffers) == (116, 0)


def test_an_onnx_model_does_not_say_what_is_trained() -> None:
    import onnx

    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]> g (float[2] x) => (float[2] y) {y = Relu(x)}'
    )
    totals = onnxtile.profile(model).totals
    assert isinstance(totals.trainable, Unknown) and "doesn't say which parameters are trained" in str(totals.trainable)
    assert totals.to_json()["frozen"] is None


def test_shared_and_unused_parameters_count_once() -> None:
    profile = profile_torch(Tied(), (torch.tensor([[1, 2, 3]]),))
    assert profile.totals.params == 28 + 20 + 6
    assert profile.totals.macs == 3 * (16 + 16 + 28)
    heads = [row for row in profile.nodes if row.module == "head" and row.macs]
    assert [row.constants for row in heads] == [("embedding.weight",)]
    assert "unused.weight" in profile.constants
    linear = {group.name: group for group in profile.by("op")}["Linear"]
    assert (linear.macs, linear.params) == (profile.totals.macs, 28 + 20)


def test_rows_are_called_as_people_know_them() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())

        def forward(self, x: Any) -> Any:
            return F.relu(self.features(x)) + 1

    profile = profile_torch(Net(), (some(1, 3, 2, 2),), details=True)
    assert [(row.op, row.name, row.module) for row in profile.nodes] == [
        ("Conv2d", "features.0/convolution", "features.0"),
        ("ReLU", "features.1/relu", "features.1"),
        ("relu", "relu", ""),
        ("add", "add", ""),
    ]
    first = profile.nodes[0]
    assert first.inputs == ("float32[1,3,2,2]", "float32[4,3,1,1]", "float32[4]")
    assert first.attributes["groups"] == "1"
    assert (first.input_bytes, first.output_bytes) == (48 + 48 + 16, 64)
    assert [group.name for group in profile.by("module", depth=1)] == ["features", ""]


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(UsageError, match="convention 'thop' is unknown"):
        profile_torch(nn.Linear(2, 2), (some(1, 2),), convention="thop")
