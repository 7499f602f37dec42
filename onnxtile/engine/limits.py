"""The limits of an engine, product by product: those of its unit for the types, and the tiles that were chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import onnx_ir as ir

from onnxtile.engine.choice import Choice, Minimize, choose
from onnxtile.engine.compute import axes_of
from onnxtile.engine.description import BITS, Engine, Operand, ProductUnit
from onnxtile.engine.given import PREFIX
from onnxtile.engine.operands import fits, room_of
from onnxtile.engine.product import Product, result_of
from onnxtile.engine.schedule import Schedule
from onnxtile.engine.scheduled import Scheduled
from onnxtile.engine.traffic import traffic
from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.ir.dtypes import WIDER
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.registry import Types
from onnxtile.tiling.limits import UNLIMITED, Limits, ProductLimits, Tiles

Answer = TypeVar("Answer")
_LONGER = {ir.DataType.FLOAT: "float32", ir.DataType.DOUBLE: "float64"}
_WHOLE: dict[Operand, str] = {"A": "mknmk", "B": "nkmnk", "C": "mnkmn"}
"""An order in which each operand stays."""


@dataclass(frozen=True)
class EngineLimits(ProductLimits, JsonRecord, members="engine=name minimize"):
    """The limits of an engine. A product that one call takes, and local memory holds, stays whole.

    `minimize`: what the chosen tiles and orders cost least of. `source`: where the engine was read from, a file or a
    name. `narrow_products`: partial products of float16 and bfloat16 stay in their type, instead of float32.
    """

    engine: Engine
    minimize: Minimize = "cycles"
    source: str = ""
    narrow_products: bool = False
    _answers: dict[tuple[object, ...], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Answers for products that were asked for before: the tiles of a model are alike."""

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def option(self) -> str:
        what = "" if self.minimize == "cycles" else f":{self.minimize}"
        return PREFIX + (self.source or self.name) + what

    def __str__(self) -> str:
        return self.name

    def unmultiplied(self, types: Types) -> str | None:
        if self._unit(types) is not None:
            return None
        has = ", ".join(" by ".join(unit.types) for unit in self.engine.product)
        return f"{self.name} doesn't multiply {' by '.join(map(type_name, types))}; it multiplies {has}"

    def for_types(self, types: Types) -> Limits:
        unit = self._unit(types)
        return UNLIMITED if unit is None else limits_of(unit)

    def for_all_types(self) -> Limits:
        units = {limits_of(unit): unit for unit in reversed(self.engine.product)}
        if len(units) == 1:
            return next(iter(units))
        sizes = ", ".join(f"{limits} for {' by '.join(unit.types)}" for limits, unit in reversed(units.items()))
        cure = "give sizes, or take an onnxtile.ProductLimits in the pass"
        raise UsageError(f"the limits of {self.name} depend on types ({sizes}), and this option takes one size: {cure}")

    def refusal(self, product: Contraction) -> str | None:
        return self._answer(product, self._refusal)

    def _answer(self, product: Contraction, ask: Callable[[Contraction], Answer]) -> Answer:
        """Return what was answered of a product alike, or ask."""
        native = product.family == "conv"
        key = (ask.__name__, product.size, product.types, product.reason, native)
        if key not in self._answers:
            self._answers[key] = ask(product)
        found: Answer = self._answers[key]
        return found

    def _refusal(self, product: Contraction) -> str | None:
        words = self.unmultiplied(product.types)
        if words is None and (multiplied := self._multiplied(product)) is not product:
            words = self.unmultiplied(multiplied.types)
            if words is not None:
                words = f"cut along K it's multiplied in a wider type, and {words}; take --narrow-products"
        if words is not None:
            return words
        chosen = self._choice(product)
        return None if chosen is None or isinstance(chosen, Choice) else chosen

    @property
    def takes_convolutions(self) -> bool:
        return self.engine.conv.native

    def takes(self, product: Contraction) -> bool:
        return self.takes_convolutions or product.family != "conv"

    def narrow(self, products: bool) -> EngineLimits:
        return replace(self, narrow_products=products)

    def for_product(self, product: Contraction) -> Limits:
        return self._answer(product, self._for_product)

    def _for_product(self, product: Contraction) -> Limits:
        chosen = None if self._stays_whole(product) else self._choice(product)
        return Limits(*chosen.schedule.tile) if isinstance(chosen, Choice) else self.for_types(product.types)

    def multiples(self, product: Contraction) -> tuple[int, int, int]:
        return self._answer(product, self._multiples)

    def _multiples(self, product: Contraction) -> tuple[int, int, int]:
        unit = self._unit(self._multiplied(product).types)
        return (1, 1, 1) if unit is None else axes_of(unit.multiple)

    def tiles(self, product: Contraction) -> Tiles:
        return self._answer(product, self._tiles)

    def _tiles(self, product: Contraction) -> Tiles:
        chosen, of_engine = self._choice(product), product_of(product)
        if isinstance(chosen, Choice):
            return Tiles(Limits(*chosen.schedule.tile), Scheduled.of(chosen).text())
        largest = self.for_types(product.types)
        return Tiles(largest, why=f"no order was chosen: {of_engine}" if isinstance(of_engine, str) else "")

    def runs(self, schedule: Schedule, product: Product) -> bool:
        """Return whether the engine can run a product, whose types it multiplies, by a schedule."""
        unit = self.engine.unit_for(*product.types)
        if unit is None:
            return False
        sizes = zip(schedule.tile, product.sizes, limits_of(unit).axes, strict=True)
        within = all(most is None or min(tile, size) <= most for tile, size, most in sizes)
        return within and fits(traffic(product, schedule, unit, self.engine).local, room_of(self.engine))

    def _choice(self, product: Contraction) -> Choice | str | None:
        """Return how a product runs; None where there's nothing to choose, or why it can't run at all."""
        of_engine = product_of(self._multiplied(product))
        if isinstance(of_engine, str) or of_engine.empty:
            return None
        try:
            return choose(of_engine, self.engine, self.minimize)
        except UnsupportedError as error:
            return str(error)

    def _stays_whole(self, product: Contraction) -> bool:
        """Return whether one call takes the product, and local memory holds it."""
        of_engine = product_of(product)
        if isinstance(of_engine, str) or of_engine.empty:
            return True
        pairs = zip(of_engine.sizes, self.for_types(product.types).axes, strict=True)
        native = self.engine.conv.native and product.family == "conv"
        within = all(limit is None or size <= limit for size, limit in pairs)
        return within and (native or self._holds(of_engine))

    def _multiplied(self, product: Contraction) -> Contraction:
        """Return the product with its types widened where it's cut along K and partial products aren't narrow."""
        wide = WIDER.get(product.types[0]) if product.types[0] is not None else None
        if wide is None or self.narrow_products or self.unmultiplied(product.types) or self._stays_whole(product):
            return product
        of_engine = product_of(product)
        if isinstance(of_engine, str):
            return product
        try:
            whole = choose(of_engine, self.engine, self.minimize).schedule.tile[1] >= of_engine.k
        except UnsupportedError:
            whole = False
        return product if whole else replace(product, types=(wide, wide))

    def _unit(self, types: Types) -> ProductUnit | None:
        a, b = map(type_name, types)
        return self.engine.unit_for(a, b)

    def _holds(self, product: Product) -> bool:
        """Return whether local memory holds the product as one call."""
        unit = self.engine.unit_for(*product.types)
        sizes = dict(zip("mkn", product.sizes, strict=True))
        whole = (
            Schedule(product.sizes, stays, (sizes[order[0]], sizes[order[1]]), order) for stays, order in _WHOLE.items()
        )
        return unit is not None and any(
            fits(traffic(product, schedule, unit, self.engine).local, room_of(self.engine)) for schedule in whole
        )


def type_name(dtype: ir.DataType | None) -> str:
    """Return a type's name as engine files have it; one that they don't have in the same letters."""
    return "" if dtype is None else _LONGER.get(dtype, dtype.name.lower())


def limits_of(unit: ProductUnit) -> Limits:
    """Return the largest sizes of a call: what it's padded to, a multiple, has to be within them, too."""
    pairs = ((getattr(unit.max, axis), getattr(unit.multiple, axis)) for axis in "MKN")
    m, k, n = (most if most is None else most // multiple * multiple for most, multiple in pairs)
    return Limits(m, k, n)


def product_of(product: Contraction) -> Product | str:
    """Return the product as an engine runs it; or why that can't be told."""
    sizes = dict(zip(("M", "K", "N", "the batch"), (*product.size.axes, product.size.batch), strict=True))
    if product.reason is not None:
        return product.reason
    for axis, size in sizes.items():
        if not isinstance(size, int):
            return f"{axis} is {'not known' if size is None else repr(str(size))}"
    a, b = map(type_name, product.types)
    for name in (a, b):
        if name not in BITS:
            return f"type {name or '?'} isn't one that engines multiply"
    m, k, n, batch = (size for size in sizes.values() if isinstance(size, int))
    return sized(m, k, n, batch, product.types)


def sized(m: int, k: int, n: int, batch: int, types: Types) -> Product:
    """Return a product of that size and of these types, whose results the engine doesn't quantize."""
    a, b = map(type_name, types)
    return Product(m, k, n, batch, (a, b), result_of((a, b)))


def engine_limits(engine: Engine | str | Path, minimize: Minimize = "cycles") -> EngineLimits:
    """Return the limits of an engine, or of the file or built-in description of that name. Raises UsageError."""
    if isinstance(engine, Engine):
        return EngineLimits(engine, minimize)
    return EngineLimits(Engine.load(engine), minimize, str(engine))
