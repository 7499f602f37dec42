"""Models of ONNX are held against the networks that they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

from onnxtile.torch_frontend.compare import compare_with_torch  # noqa: E402  # the same
from onnxtile.torch_frontend.export import export  # noqa: E402  # the same
from onnxtile.torch_frontend.network import Network  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


@pytest.mark.parametrize(("factor", "fine"), [(1.0, True), (1 + 1e-4, False)])
def test_an_export_that_computes_something_else_is_caught(factor: float, fine: bool, tmp_path: Path) -> None:
    """The weights of one output are off in their fourth digit."""
    made, args = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)), torch.randn(3, 16)
    other = nn.Sequential(*(nn.Linear(*each.weight.shape[::-1]) if hasattr(each, "weight") else each for each in made))
    other.load_state_dict(made.state_dict())
    with torch.no_grad():
        other[2].weight[2].mul_(factor)
    export(Network(other, (args,)), tmp_path / "other.onnx")
    verdict = compare_with_torch(Network(made, (args,)), tmp_path / "other.onnx")
    assert verdict.equivalent is fine
    assert all(value.allowed < 1e-4 for value in verdict.outputs)
