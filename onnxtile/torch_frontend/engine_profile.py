"""Work out what a network of torch takes on an engine, by the calls of its operators in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from onnxtile.engine.description import BITS
from onnxtile.engine.limits import EngineLimits
from onnxtile.engine.product import Product, Window
from onnxtile.errors import UsageError
from onnxtile.ir.symbolic.amounts import Amount, Unknown
from onnxtile.profiling.engine_costs import EngineProfile, Layer
from onnxtile.profiling.engine_layers import OnEngine, activation_bytes, profile_of_layers
from onnxtile.profiling.results import NodeProfile
from onnxtile.torch_frontend.aten.products import PRODUCTS, types_of
from onnxtile.torch_frontend.aten.products import Product as Sizes
from onnxtile.torch_frontend.aten.work import computes, counted
from onnxtile.torch_frontend.trace.calls import Call, Recording

Row = tuple[Call, NodeProfile]
_CONVOLUTIONS = ("aten.convolution", "aten._convolution", "aten.convolution_overrideable")


def engine_profile(recording: Recording, rows: Iterable[Row], limits: EngineLimits) -> EngineProfile:
    """Return what a run that was recorded takes on an engine; `rows`: the calls of its profile, in their order.

    A product runs as is best (`limits.minimize`), in the types of its operands. Other operators move their inputs and
    outputs, as in a model of ONNX.
    """
    rows, on_engine = list(rows), OnEngine(limits)
    layers = [layer for call, row in rows for layer in _layers(call, row, limits, on_engine)]
    return profile_of_layers(limits, layers, activation_bytes(_given(recording, rows), limits.engine))


def _layers(call: Call, row: NodeProfile, limits: EngineLimits, on_engine: OnEngine) -> Iterator[Layer]:
    """Yield a layer for each product of a call; one for a call that has none, and moves something."""
    sizes = PRODUCTS.get(call.operator.name)
    products = None if sizes is None else counted(call, lambda call: (sizes(call), types_of(call)))
    layer = Layer(name=row.name, op=row.op, module=row.module, times=row.times)
    if products is None or (not isinstance(products, Unknown) and not products[0]):
        if isinstance(row.macs, Unknown):  # nobody knows whether it holds a product
            yield on_engine.unsized(layer, row, row.macs.reason)
        elif row.bandwidth != 0:
            yield on_engine.other(row)
        return
    if isinstance(products, Unknown):
        yield on_engine.unsized(layer, row, products.reason)
        return
    found, dtypes = products
    types = tuple(map(type_name, dtypes))
    for number, size in enumerate(found, 1):
        part = f"product {number}" if len(found) > 1 else ""
        one = Layer(
            name=row.name, op=row.op, module=row.module, part=part, times=row.times, types=(types[0], types[1]),
            m=size.m, k=size.k, n=size.n, batch=size.batch,
        )  # fmt: skip
        yield _layer(call, row, one, size, limits, on_engine)


def _layer(call: Call, row: NodeProfile, layer: Layer, size: Sizes, limits: EngineLimits, on_engine: OnEngine) -> Layer:
    """Return the layer of one product with what it costs."""
    assert layer.types is not None
    a, b = layer.types
    if limits.engine.unit_for(a, b) is None:
        has = ", ".join(" by ".join(unit.types) for unit in limits.engine.product)
        return on_engine.unmultiplied(layer, row, f"{limits.name} doesn't multiply {a} by {b}; it multiplies {has}")
    product = Product(size.m, size.k, size.n, size.batch, (a, b), "int32" if BITS[a] <= 8 and "int" in a else a)
    if product.empty:
        return layer
    if limits.engine.conv.windows == "engine":
        product = with_window(product, call)
    return on_engine.best(layer, product, row.times)


def with_window(product: Product, call: Call) -> Product:
    """Return the product of a convolution with its windows; as it is where it's none, or a transposed one."""
    if call.operator.name not in _CONVOLUTIONS or call.argument("transposed"):
        return product
    x, weight, y = call.inputs[0].shape, call.shape("weight"), call.outputs[0].shape
    axes = len(x) - 2
    strides, begin, dilations = (_each(call.argument(name), axes) for name in ("stride", "padding", "dilation"))
    window = Window(weight[1], tuple(x[2:]), tuple(weight[2:]), strides, dilations, begin, tuple(y[2:]))
    try:
        return Product(*product.sizes, product.batch, product.types, product.result, window)
    except UsageError:  # a layout of which torch's arguments tell another shape
        return product


def _each(values: list[int], axes: int) -> tuple[int, ...]:
    """Return a number for each axis; torch takes one for all."""
    return tuple(values) * axes if len(values) == 1 else tuple(values)


def type_name(dtype: torch.dtype) -> str:
    """Return a type's name as engine files have it: `float8_e4m3fn` is `float8e4m3fn` there."""
    return str(dtype).removeprefix("torch.").replace("float8_", "float8")


def _given(recording: Recording, rows: Iterable[Row]) -> Iterator[tuple[Amount, Amount]]:
    """Yield the values that some call makes and another one reads, once each, with their bytes."""
    unseen = {value.storage for call in recording.calls if computes(call) for value in call.inputs}
    for call, _ in rows:
        for value in call.outputs:
            if value.storage in unseen:
                unseen.remove(value.storage)
                yield 1, recording.bytes_of(value)
