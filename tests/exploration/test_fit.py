from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from onnxtile.engine.choice import choose
from onnxtile.engine.description import Engine
from onnxtile.engine.product import Product
from onnxtile.errors import UsageError
from onnxtile.exploration.fit import FEWEST, fit
from onnxtile.exploration.measured import Measured, read_measured

HERE = Path(__file__).parent


def engine(fill: int, call: int, bandwidth: float | None, m: int = 1) -> Engine:
    unit = {
        "types": ["int8", "int8"], "accumulate": "int32", "array": {"M": m, "K": 8, "N": 8}, "fill": fill, "call": call,
        "max": {"M": 128, "K": 512, "N": 32},
    }  # fmt: skip
    memory = {} if bandwidth is None else {"bandwidth": bandwidth}
    return Engine(product=[unit], local={"size": "384 KiB"}, memory=memory, conv={"windows": "engine"})


LONG = pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "long", reason="it takes some seconds")


@pytest.mark.parametrize(
    ("name", "m", "bandwidth"), [pytest.param("vela_u55_128", 2, 4, marks=LONG), ("vela_u65_256", 4, 16)]
)
def test_25_layers_of_vela(name: str, m: int, bandwidth: float) -> None:
    """Fit to what ethos-u-vela 5.2.0 says of one-operator models, for Ethos_U55_High_End_Embedded and
    Ethos_U65_High_End, Sram_Only.
    """
    layers = read_measured(HERE / f"{name}.csv")
    found = fit(layers, engine(8, 0, bandwidth, m))
    assert len(layers) == 25
    assert found.before is not None and found.after < found.before
    assert found.after < 0.06
    assert found.held_out < 0.08


def test_numbers_that_layers_were_made_with_come_back() -> None:
    sizes = [(64, 64, 64), (1, 512, 512), (256, 128, 32), (512, 64, 96), (8, 1024, 64), (1, 256, 640), (128, 128, 128)]
    made = engine(20, 300, 1.5)
    layers = [
        Measured(str(at), product, choose(product, made).cost.cycles or 0)
        for at, product in enumerate(Product(*size) for size in sizes)
    ]
    found = fit(layers, engine(0, 0, None))
    assert found.before is None
    assert found.after < 0.01
    assert found.numbers.call["int8 x int8"] == pytest.approx(300, rel=0.05)
    assert found.numbers.bandwidth == pytest.approx(1.5, rel=0.02)
    assert [layer.measured for layer in found.layers] == [layer.cycles for layer in layers]


def test_numbers_that_the_layers_cannot_tell_stay_as_given() -> None:
    sizes = [(64, 8, 64), (128, 8, 512), (256, 8, 32), (512, 8, 96), (8, 8, 64), (128, 8, 128)]
    given = engine(3, 9, 0.125)
    layers = [
        Measured(str(at), product, 2 * (choose(product, given).cost.cycles or 0))
        for at, product in enumerate(Product(*size) for size in sizes)
    ]
    found = fit(layers, given)
    assert (found.numbers.fill, found.numbers.call) == ({"int8 x int8": 3}, {"int8 x int8": 9})
    assert found.numbers.bandwidth == pytest.approx(0.0625, rel=0.01)
    assert found.notes == ("all layers are bounded by memory: fill and call may be any up to these",)


def test_what_cannot_be_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [Measured("fc", Product(8, 8, 8), 100)] * FEWEST
    with pytest.raises(UsageError, match=f"{FEWEST - 1} layers are too few"):
        fit(layers[1:], engine(1, 1, 1))
    with pytest.raises(UsageError, match="^1 layer is too few"):
        fit(layers[:1], engine(1, 1, 1))
    other = Measured("half", Product(8, 8, 8, 1, ("float16", "float16"), "float16"), 100)
    with pytest.raises(UsageError, match="layer 'half' is float16 x float16, which engine doesn't multiply"):
        fit([*layers, other], engine(1, 1, 1))
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(UsageError, match=r"pip install 'onnxtile\[fit\]'"):
        fit(layers, engine(1, 1, 1))


def test_what_the_layers_cannot_tell_is_said() -> None:
    layers = [Measured("fc", Product(64, 64, size), 40 * size) for size in range(32, 32 * (FEWEST + 1), 32)]
    assert fit(layers, engine(0, 0, 1000)).notes == (
        "no layer is bounded by memory: the bandwidth may be any from this one on",
    )
