"""`onnxtile.profile`: one function for models of ONNX and of torch."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import UsageError
from tests.support import matmul


def test_every_kind_of_model_costs_the_same(tmp_path: Path) -> None:
    model = matmul(["n", 6], [6, 7], ["n", 7])
    onnx.save(model, tmp_path / "m.onnx")
    for given in (model, ir.from_proto(model), tmp_path / "m.onnx", str(tmp_path / "m.onnx")):
        assert str(onnxtile.profile(given).totals.macs) == "42*n"
        assert onnxtile.profile(given, bind={"n": 5}).totals.macs == 210


def test_options_for_the_other_kind_and_wrong_names_are_refused() -> None:
    model = matmul([5, 6], [6, 7], [5, 7])
    with pytest.raises(UsageError, match="inputs is for models of torch"):
        onnxtile.profile(model, inputs="1x3")
    with pytest.raises(UsageError, match="convention"):
        onnxtile.profile(model, convention="flops")  # type: ignore[arg-type]  # that's the point


def test_a_network_of_torch() -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(6, 7)
    assert onnxtile.profile(network, inputs="5x6").totals.macs == 210
    with pytest.raises(UsageError, match="bind is for models of ONNX"):
        onnxtile.profile(network, inputs="5x6", bind={"n": 1})
