from __future__ import annotations

from onnxtile.engine.choice import choose
from onnxtile.engine.description import Engine
from onnxtile.engine.load import table_of
from onnxtile.engine.product import Product
from onnxtile.exploration.evaluation import Job, evaluate
from onnxtile.exploration.rows import Figures

FLOATS = ("float32", "float32")
SMALL, LARGE = Product(8, 16, 8, 1, FLOATS, "float32"), Product(64, 96, 40, 2, FLOATS, "float32")


def engine(**memory: object) -> Engine:
    return Engine(**table_of("systolic-32") | {"memory": memory})


def test_costs_of_products_add_up() -> None:
    wide = engine(bandwidth=4)
    ((one, both),) = evaluate(Job((wide,), (SMALL, LARGE), (((0, 1),), ((0, 3), (1, 1))), "cycles"))
    small, large = (choose(product, wide).cost for product in (SMALL, LARGE))
    assert isinstance(one, Figures) and isinstance(both, Figures)
    assert (one.cycles, one.bytes, one.macs) == (small.cycles, small.bytes, 8 * 16 * 8)
    assert both.cycles == 3 * (small.cycles or 0) + (large.cycles or 0)
    assert both.calls == 3 * small.calls + large.calls
    assert both.bytes == 3 * small.bytes + large.bytes
    assert both.macs == 3 * 8 * 16 * 8 + 2 * 64 * 96 * 40


def test_what_is_not_known_or_not_multiplied_is_no_number() -> None:
    ((known,),) = evaluate(Job((engine(),), (SMALL,), (((0, 1),),), "cycles"))
    assert isinstance(known, Figures)
    assert (known.cycles, known.memory_cycles) == (None, None)
    assert known.bytes > 0
    halves = Product(8, 8, 8, 1, ("float16", "int8"), "float16")
    ((reason,),) = evaluate(Job((engine(),), (halves,), (((0, 1),),), "bytes"))
    assert isinstance(reason, str) and "float16" in reason
