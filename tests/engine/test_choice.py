from __future__ import annotations

from itertools import islice
from typing import get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import onnxtile
from onnxtile.engine import choice, levels
from onnxtile.engine.choice import Minimize, choose
from onnxtile.engine.compute import axes_of
from onnxtile.engine.cost import cost
from onnxtile.engine.description import Axes, Engine, LocalMemory, MostOfACall
from onnxtile.engine.product import Product, Window
from onnxtile.errors import UnsupportedError, UsageError
from tests.engine.brute_force import best, keys, schedules
from tests.engine.strategies import convolutions, engine_of, engines


def test_a_choice_says_what_it_costs() -> None:
    engine = Engine.load("systolic-32")
    chosen = choose(Product(512, 512, 512), engine)
    assert chosen.cost == cost(chosen.product, chosen.schedule, engine)
    assert chosen.assumptions == ()
    assert chosen is choose(Product(512, 512, 512), engine)
    assert onnxtile.choose is choose


def test_without_a_bandwidth_bytes_are_minimized() -> None:
    chosen = choose(Product(64, 64, 64), engine_of(local_size=2000))
    assert chosen.assumptions == ("no memory bandwidth given: bytes only",)
    assert chosen.cost.bytes == choose(Product(64, 64, 64), engine_of(local_size=2000), "bytes").cost.bytes


CASES, MOST = (2000, 20000) if settings.get_current_profile_name() == "long" else (40, 700)


@settings(max_examples=CASES)
@given(st.data())
def test_nothing_is_better_by_brute_force(data: st.DataObject) -> None:
    """Over all tiles, orders and blocks; of larger products only those whose schedules aren't too many to try."""
    engine = data.draw(engines())
    unit = engine.product[0]
    if data.draw(st.booleans()):
        product = data.draw(convolutions(engine, 3))
    else:
        sizes = (data.draw(st.integers(1, min(40, 5 * most))) for most in axes_of(unit.multiple))
        product = Product(*sizes, 1, unit.types, data.draw(st.sampled_from(["int8", "float32"])))
    assume(sum(1 for _ in islice(schedules(product, engine), MOST)) < MOST)
    least = best(product, engine)
    if least is None:
        with pytest.raises(UnsupportedError, match="takes more than its local memory"):
            choose(product, engine)
        return
    for minimize in get_args(Minimize):
        assert keys(choose(product, engine, minimize).cost)[minimize] == least[minimize], minimize


@pytest.mark.parametrize("minimize", get_args(Minimize))
@pytest.mark.parametrize(
    "sizes", [(1 << 40,) * 3, (1, 1 << 40, 1), (1 << 62, 1, 7), (1, 1, 1), (0, 3, 4), (3, 0, 4), (3, 4, 0)]
)
def test_huge_and_empty_products(sizes: tuple[int, int, int], minimize: Minimize) -> None:
    for engine in (Engine.load("systolic-32"), engine_of(local_size=1 << 20, memory_bandwidth=3)):
        product = Product(*sizes)
        chosen = choose(product, engine, minimize)
        assert chosen.cost == cost(product, chosen.schedule, engine)
        assert chosen.cost.bytes >= chosen.cost.least_bytes
        assert chosen.cost.calls == 0 or not product.empty


def test_without_a_batch_nothing_is_done() -> None:
    found = choose(Product(8, 8, 8, 0), Engine.load("systolic-32")).cost
    assert (found.calls, found.bytes, found.cycles, found.bound) == (0, 0, 0, None)


def test_one_axis_may_be_limited() -> None:
    engine = engine_of(product_max={"N": 32}, product_array={"K": 8, "N": 8}, local_size=10000, memory_bandwidth=1)
    chosen = choose(Product(96, 96, 96), engine)
    assert chosen.schedule.tile[2] <= 32


def test_as_many_sizes_of_a_call_as_are_tried_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bounds some sizes are left out, which is told; what's chosen is legal, and costs no less."""
    fields = {"product_results": 3, "memory_bandwidth": 1, "local_size": 400}
    even, uneven = engine_of(**fields), engine_of(**fields, memory_burst=2)
    product, huge = Product(18, 17, 16), Product(1 << 40, 1 << 40, 1 << 40)
    for name, at, engine in (
        ("MOST_TILES", 18, even), ("FEW_TILES", 17, even), ("FEW_UNEVEN_TILES", 17, uneven), ("HUGE_TILES", 3, even),
    ):  # fmt: skip
        choice._chosen.cache_clear()
        chosen = choose(product, engine)
        assert chosen.assumptions == ()
        exact = chosen.cost.cycles
        assert exact is not None
        for bound in (at, at - 1):
            choice._chosen.cache_clear()
            monkeypatch.setattr(choice, name, bound)
            found = choose(product, engine)
            assert found.cost.cycles is not None
            assert found.cost.cycles >= exact
            assert (name != "HUGE_TILES" and bound < at) == bool(found.assumptions)
            assert (
                choose(huge, engine).assumptions[0].startswith("not every size was tried, another may cost less: calls")
            )
        monkeypatch.undo()
    choice._chosen.cache_clear()


def test_it_is_told_that_sizes_were_left_out_and_only_then() -> None:
    plain, bursts = {"memory_bandwidth": 1}, {"memory_bandwidth": 1, "memory_burst": 64}
    assert choose(Product(128, 128, 128), engine_of(**plain)).assumptions == ()
    assert choose(Product(8, 128, 8), engine_of(**bursts)).assumptions == ()
    words = "not every size was tried, another may cost less: "
    assert choose(Product(8, 129, 8), engine_of(**bursts)).assumptions == (
        f"{words}calls along K 22 of 129; blocks along K",
    )
    large, prices = Product(1, 2500, 2500), {"product_call": 1, "product_results": 1}
    assert choose(large, engine_of(**plain, **prices)).assumptions[0].startswith(f"{words}calls along K ")


def test_as_many_levels_as_are_looked_into_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(product_call=9, memory_bandwidth=1, local_size=300, local_buffers=1)
    product = Product(40, 40, 40)
    exact = choose(product, engine).cost.cycles
    assert exact is not None
    for bound in (1, 200):
        choice._chosen.cache_clear()
        monkeypatch.setattr(levels, "MOST_SEARCHES", bound)
        found = choose(product, engine).cost.cycles
        assert found is not None
        assert found >= exact if bound == 1 else found == exact
        told = [
            words for words in choose(product, engine).assumptions if words.startswith("not every number of cycles")
        ]
        assert len(told) == (bound == 1)
    choice._chosen.cache_clear()


def test_a_block_may_need_fewer_input_rows_than_a_tile() -> None:
    """Six windows lie on one output row, and four may lie on two: a tile of four has room as part of a block alone."""
    window = Window(1, (3, 4), (2, 3), (1, 1), (1, 1), (0, 1), (2, 6))
    most, multiple = {"M": 6, "K": 3}, {"M": 2}
    engine = engine_of(
        product_max=most, product_multiple=multiple, memory_bandwidth=1, local_size=24, conv_windows="engine"
    )
    product = Product(12, 6, 2, window=window)
    found = best(product, engine)
    assert found is not None
    assert found["calls"] == keys(choose(product, engine, "calls").cost)["calls"] == (24, 272, 272)


ZIGZAG = [
    ((512, 512, 512), 1572864), ((1024, 256, 512), 917504), ((256, 2048, 256), 1638400), ((3136, 576, 64), 2043904),
    ((196, 1024, 256), 513024), ((64, 4096, 4096), 19136512),
]  # fmt: skip
"""Bytes from and to memory of ZigZag 3.9.1: 256 KiB of local memory, an array of 32 x 32 along K and N, int32 sums."""


@pytest.mark.parametrize(("sizes", "moved"), ZIGZAG)
def test_no_more_bytes_than_zigzag(sizes: tuple[int, int, int], moved: int) -> None:
    lanes = {"K": 32, "N": 32}
    engine = engine_of(product_array=lanes, product_multiple=lanes, local_size="256 KiB", local_buffers=1)
    found = choose(Product(*sizes), engine, "bytes").cost.bytes
    assert found == {(512, 512, 512): 1048576, (64, 4096, 4096): 18350080}.get(sizes, moved) <= moved


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(UsageError, match=r"take one of cycles, bytes, calls; did you mean 'bytes'\?"):
        choose(Product(4, 4, 4), engine_of(), "byte")  # type: ignore[arg-type]  # that's the point
    with pytest.raises(UnsupportedError, match="smallest call of 64 x 64 x 64, 1 x 1 x 1, takes more than its local"):
        choose(Product(64, 64, 64), engine_of().model_copy(update={"local": LocalMemory(size=6)}))
    unit = engine_of().product[0].model_copy(update={"max": MostOfACall(K=4), "multiple": Axes(K=8)})
    with pytest.raises(UnsupportedError, match="no call along K is within its max and a multiple"):
        choose(Product(64, 64, 64), engine_of().model_copy(update={"product": (unit,)}))
    with pytest.raises(UnsupportedError, match="doesn't multiply float16 by float16"):
        choose(Product(4, 4, 4, types=("float16", "float16")), engine_of())
