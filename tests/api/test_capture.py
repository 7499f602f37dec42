"""`onnxtile.capture`: one function for models of ONNX and of torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import onnxtile
from onnxtile.errors import UsageError
from tests.support import matmul, whole


def test_values_or_a_report(tmp_path: Path) -> None:
    model, x = matmul([5, 6], [6, 7], [5, 7]), whole([5, 6], np.dtype(np.float32), 3)
    values = onnxtile.capture(model, name="product", inputs={"X": x})
    assert values["Y"].shape == (5, 7)
    report = onnxtile.capture(model, name="product", inputs={"X": x}, output=tmp_path / "v.npz")
    assert [value.value for value in report.values] == ["Y"]
    np.testing.assert_array_equal(np.load(tmp_path / "v.npz")["Y"], values["Y"])


def test_options_for_the_other_kind_are_refused() -> None:
    with pytest.raises(UsageError, match="device is for models of torch"):
        onnxtile.capture(matmul([1, 1], [1, 1], [1, 1]), name="*", device="cuda")


def test_a_network_of_torch() -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Linear(6, 7), torch.nn.ReLU())
    x = torch.ones(5, 6)
    values = onnxtile.capture(network, op="Linear", inputs=x)
    (found,) = values.values()
    np.testing.assert_allclose(found, network[0](x).detach().numpy(), rtol=1e-6)
    with pytest.raises(UsageError, match="is for models of ONNX"):
        onnxtile.capture(network, op="Linear", inputs=x, memory=3)
