"""Random products, engines and schedules."""

from __future__ import annotations

from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from onnxtile.engine.description import Engine
from onnxtile.engine.product import Product, Window
from onnxtile.engine.schedule import AXES, Schedule
from onnxtile.errors import UsageError

TYPES = ["int4", "int8", "float16", "float32"]
SUMS = {
    "int4": ["int8", "int32"], "int8": ["int8", "int32"], "float16": ["float16", "float32"], "float32": ["float32"],
}  # fmt: skip
"""The types of partial sums, by the wider operand's."""
ORDERS = {
    stays: [
        "".join((*outer, *(set("mkn") - set(own)), *inner)) for outer in (own, own[::-1]) for inner in (own, own[::-1])
    ]
    for stays, own in AXES.items()
}


def table(**fields: Any) -> dict[str, Any]:
    """The table of an engine for int8, with some fields another value: `local.size` is written `local_size`."""
    data: dict[str, Any] = {
        "product": [{"types": ["int8", "int8"], "accumulate": "int32", "array": {}}], "local": {"size": 4096},
        "memory": {},
    }  # fmt: skip
    for name, value in fields.items():
        section, _, field = name.partition("_")
        if not field:
            data[section] = value
            continue
        place = data["product"][0] if section == "product" else data.setdefault(section, {})
        place[field] = value
    return data


def engine_of(**fields: Any) -> Engine:
    return Engine.model_validate(table(**fields))


@st.composite
def engines(draw: st.DrawFn, plain: bool = False) -> Engine:
    """A small engine of one pair of types; `plain`: without bursts."""
    a, b = draw(st.sampled_from(TYPES)), draw(st.sampled_from(TYPES))
    small = st.integers(1, 8)
    axes = st.fixed_dictionaries({}, optional={"M": small, "K": small, "N": small})
    multiple = draw(axes)
    most = {axis: multiple.get(axis, 1) * draw(small) for axis in "MKN" if draw(st.booleans())}
    size = st.integers(60, 3000)
    try:
        return engine_of(
            product_types=[a, b], product_accumulate=draw(st.sampled_from(SUMS[max(a, b, key=TYPES.index)])),
            product_array=draw(axes), product_multiple=multiple, product_max=most,
            product_held=draw(st.sampled_from("ABC")), product_fill=draw(st.integers(0, 9)),
            product_fill_overlaps=draw(st.booleans()), product_call=draw(st.integers(0, 20)),
            product_results=draw(st.sampled_from([None, 1, 3, 8])),
            local_size=draw(st.one_of(size, st.fixed_dictionaries({"A": size, "B": size, "C": size}))),
            local_buffers=draw(st.sampled_from([1, 2])), local_bandwidth=draw(st.sampled_from([None, 2, 5.5, 64])),
            memory_bandwidth=draw(st.sampled_from([0.5, 1, 3.75, 16])), memory_latency=draw(st.sampled_from([0, 100])),
            memory_burst=1 if plain else draw(st.sampled_from([1, 1, 4, 16, 64])),
            conv_windows=draw(st.sampled_from(["memory", "engine"])), conv_halo=draw(st.sampled_from(["read", "kept"])),
        )  # fmt: skip
    except UsageError:  # the smallest call doesn't fit the memory
        reject()


def products(engine: Engine, most: int = 40) -> st.SearchStrategy[Product]:
    size = st.integers(1, most)
    types = engine.product[0].types
    return st.builds(
        Product, size, size, size, st.sampled_from([1, 1, 3]), st.just(types), st.sampled_from(["int8", "float32"])
    )


@st.composite
def convolutions(draw: st.DrawFn, engine: Engine, most: int = 5) -> Product:
    """A product of windows, along one, two or three axes."""
    rank = draw(st.sampled_from([1, 2, 2, 3]))
    kernel, outputs, lengths = (tuple(draw(st.integers(1, top)) for _ in range(rank)) for top in (3, most, 9))
    strides, dilations = (tuple(draw(st.integers(1, 3)) for _ in range(rank)) for _ in range(2))
    begin, channels = tuple(draw(st.integers(0, 2)) for _ in range(rank)), draw(st.integers(1, 4))
    window = Window(channels, lengths, kernel, strides, dilations, begin, outputs)
    m = window.positions * draw(st.integers(1, 3))
    return Product(m, channels * window.taps, draw(st.integers(1, 9)), 1, engine.product[0].types, "int8", window)


@st.composite
def schedules(draw: st.DrawFn, product: Product) -> Schedule:
    """Any schedule of a product, whether it fits an engine or not."""
    tile = tuple(draw(st.integers(1, size + 1)) for size in product.sizes)
    stays = draw(st.sampled_from("ABC"))
    first, second = (tile["mkn".index(axis)] * draw(st.integers(1, 6)) for axis in AXES[stays])
    return Schedule((tile[0], tile[1], tile[2]), stays, (first, second), draw(st.sampled_from(ORDERS[stays])))
