"""Test what a network of torch takes on an engine: its products as they'd be chosen alone, other operators' bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

import onnxtile  # noqa: E402  # the same
from onnxtile.engine.description import Engine  # noqa: E402  # the same
from onnxtile.engine.product import Product, Window  # noqa: E402  # the same
from onnxtile.profiling.engine_costs import EngineProfile, Layer  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours
FLOAT = ("float32", "float32")


def profiled(network: Any, *inputs: str, engine: Engine | str = "systolic-32", **options: Any) -> EngineProfile:
    found = onnxtile.profile(network, inputs=list(inputs), engine=engine, **options).engine
    assert found is not None
    return found


def products(profile: EngineProfile) -> list[Layer]:
    return [layer for layer in profile.layers if layer.m is not None]


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))


@pytest.mark.parametrize("minimize", ["cycles", "bytes", "calls"])
def test_a_product_costs_what_is_chosen(minimize: Any) -> None:
    engine = Engine.load("systolic-32")
    found = profiled(network(), "1x4x12x12", minimize=minimize)
    sizes = [Product(36, 18, 4, 2, FLOAT, "float32"), Product(1, 288, 10, 1, FLOAT, "float32")]
    for layer, size in zip(products(found), sizes, strict=True):
        chosen = onnxtile.choose(size, engine, minimize)
        assert (layer.m, layer.k, layer.n, layer.batch, layer.types) == (*size.sizes, size.batch, FLOAT)
        assert (layer.cycles, layer.bytes, layer.calls) == (chosen.cost.cycles, chosen.cost.bytes, chosen.cost.calls)
        assert (layer.schedule, layer.on) == (chosen.schedule.text(), "engine")
    assert found.totals.products == 2
    assert found.totals.cycles == sum(layer.cycles for layer in products(found))  # type: ignore[misc]  # numbers, all


def test_other_operators_move_their_bytes_and_activations_are_told() -> None:
    engine = Engine(**(Engine.load("systolic-32").model_dump() | {"operators": {"vector": 4}}))
    found = profiled(network(), "1x4x12x12", engine=engine)
    (relu,) = (layer for layer in found.layers if layer.m is None)
    assert (relu.op, relu.on, relu.other_bytes, relu.other_cycles) == ("ReLU", "vector", 2 * 4 * 288, 2 * 288)
    assert (found.totals.activation_bytes, found.totals.local_activation_bytes) == (2 * 4 * 288, 2 * 4 * 288)


def test_windows_that_the_engine_forms() -> None:
    engine = Engine.load("ethos-u65-like")
    layer = products(profiled(network(), "1x4x12x12", engine=engine))[0]
    window = Window(2, (12, 12), (3, 3), (2, 2), (1, 1), (1, 1), (6, 6))
    chosen = onnxtile.choose(Product(36, 18, 4, 2, FLOAT, "float32", window), engine)
    assert (layer.a_bytes, layer.cycles) == (chosen.cost.a_bytes, chosen.cost.cycles)
    for convolution, lengths in ((nn.Conv1d(2, 3, 3, padding="same"), "1x2x9"), (nn.ConvTranspose1d(2, 3, 3), "1x2x9")):
        (layer,) = products(profiled(convolution, lengths, engine=engine))
        assert isinstance(layer.cycles, int)


def test_types_are_those_of_the_operands() -> None:
    class Typed(nn.Module):
        def forward(self, a: Any, b: Any, c: Any) -> Any:
            return torch._int_mm(a, b), torch.addmm(c, c, c), torch.baddbmm(c[None], c[None], c[None])

    found = products(profiled(Typed(), "32x32:int8", "32x32:int8", "32x32:bfloat16"))
    assert [layer.types for layer in found] == [("int8", "int8"), *[("bfloat16", "bfloat16")] * 2]


def test_types_that_the_engine_does_not_multiply_are_the_host_s() -> None:
    (layer,) = profiled(nn.Linear(4, 3).double(), "2x4:float64").layers
    assert (layer.on, layer.m, layer.other_bytes) == ("host", 2, 8 * (2 * 4 + 12 + 3 + 2 * 3))
    assert layer.reason is not None
    assert layer.reason.startswith("systolic-32 doesn't multiply float64 by float64; it multiplies int8 by int8, ")


def test_an_operator_that_is_not_known_has_no_costs() -> None:
    class Unknown(nn.Module):
        def forward(self, x: Any) -> Any:
            rows = torch.nested.nested_tensor([x, x])
            return torch.bmm(rows, rows)

    unknown = [layer for layer in profiled(Unknown(), "4x4").layers if layer.reason and "nested" in layer.reason]
    assert unknown
    assert all(layer.cycles.__class__.__name__ == "Unknown" for layer in unknown)


def test_the_command_shows_it(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "one_layer.py").write_text("from torch import nn\ndef build():\n    return nn.Linear(8, 4)\n")
    status, out, err = cli("profile", "one_layer:build", "--input", "2x8", "--engine", "systolic-32")
    assert (status, err) == (0, "")
    assert "addmm Linear" in out
    assert "calls of systolic-32" in out
