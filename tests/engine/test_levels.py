from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.engine import choice, levels
from onnxtile.engine.choice import Minimize, choose
from onnxtile.engine.product import Product
from onnxtile.errors import UnsupportedError
from tests.engine.brute_force import keys
from tests.engine.strategies import convolutions, engine_of, engines, products


@given(st.data())
def test_sizes_that_are_too_slow_are_left_out_alone(data: st.DataObject) -> None:
    """What's chosen is as good whether sizes that take the array too many cycles are left out before, or weighed."""
    engine = data.draw(engines())
    product = data.draw(st.one_of(products(engine, 20), convolutions(engine, 3)))
    found: list[object] = []
    for many in (1, 1 << 30):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(choice, "MANY", many)
            choice._chosen.cache_clear()
            try:
                found.append(keys(choose(product, engine).cost)["cycles"])
            except UnsupportedError as error:
                found.append(str(error))
    choice._chosen.cache_clear()
    assert found[0] == found[1]


@pytest.mark.parametrize("buffers", [1, 2])
def test_as_many_tiles_as_are_weighed_at_once_and_more(monkeypatch: pytest.MonkeyPatch, buffers: int) -> None:
    engine = engine_of(memory_bandwidth=1, local_size=300, product_call=5, local_buffers=buffers)
    product = Product(16, 16, 16)  # sizes with as many calls that are no faster are left out: 7 along each axis
    exact = {minimize: keys(choose(product, engine, minimize).cost)[minimize] for minimize in get_args(Minimize)}
    for module, name, bounds in ((choice, "MANY", (343, 344)), (levels, "SOME", (7, 8, 3))):
        monkeypatch.setattr(choice, "MANY", 1)
        for bound in bounds:
            choice._chosen.cache_clear()
            monkeypatch.setattr(module, name, bound)
            for minimize, key in exact.items():
                assert keys(choose(product, engine, minimize).cost)[minimize] == key, (name, bound)
    choice._chosen.cache_clear()
