"""The modules of a network and what they hold."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

from onnxtile.torch_frontend.network import structure_of  # noqa: E402  # the same


def test_a_module_under_two_names_goes_by_the_first() -> None:
    shared = nn.Linear(2, 2)
    network = nn.Sequential(shared, nn.Sequential(shared, nn.BatchNorm1d(2)))
    structure = structure_of(network)
    assert [(facts.path, facts.kind, facts.children) for facts in structure.modules.values()] == [
        ("", "Sequential", ["0", "1"]), ("0", "Linear", []), ("1", "Sequential", ["1.0", "1.1"]),
        ("1.1", "BatchNorm1d", []),
    ]  # fmt: skip
    assert structure.modules["0"].parameters == ["0.weight", "0.bias"]
    assert structure.labels[id(shared)] == ("0", "Linear")
    assert [name for name, _ in structure.buffers] == [
        "1.1.running_mean", "1.1.running_var", "1.1.num_batches_tracked",
    ]  # fmt: skip
