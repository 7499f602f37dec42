from __future__ import annotations

import pytest

import onnxtile
from onnxtile.engine.choice import choose
from onnxtile.engine.cost import cost
from onnxtile.engine.description import Engine, LocalMemory
from onnxtile.engine.product import Product
from onnxtile.errors import UnsupportedError, UsageError
from tests.engine.strategies import engine_of


def test_a_choice_says_what_it_costs() -> None:
    engine = Engine.load("systolic-32")
    choice = choose(Product(512, 512, 512), engine)
    assert choice.cost == cost(choice.product, choice.schedule, engine)
    assert choice.assumptions == ()
    assert choice is choose(Product(512, 512, 512), engine)
    assert onnxtile.choose is choose


def test_without_a_bandwidth_bytes_are_minimized() -> None:
    choice = choose(Product(64, 64, 64), engine_of(local_size=2000))
    assert choice.assumptions == ("no memory bandwidth given: bytes only",)
    assert choice.cost.bytes == choose(Product(64, 64, 64), engine_of(local_size=2000), "bytes").cost.bytes


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(UsageError, match=r"take one of cycles, bytes, calls; did you mean 'bytes'\?"):
        choose(Product(4, 4, 4), engine_of(), "byte")  # type: ignore[arg-type]  # that's the point
    with pytest.raises(UnsupportedError, match="no call of 64 x 64 x 64 fits local memory"):
        choose(Product(64, 64, 64), engine_of().model_copy(update={"local": LocalMemory(size=6)}))
    with pytest.raises(UnsupportedError, match="doesn't multiply float16 by float16"):
        choose(Product(4, 4, 4, types=("float16", "float16")), engine_of())
