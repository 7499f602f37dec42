"""Judge a product against the engine's limits: it fits, is cut by a plan, or can't be for a reason."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from typing import Literal

import onnx_ir as ir

from onnxtile.ir.constants import OVERRIDABLE_FROM, declared_ir_version
from onnxtile.ir.dimensions import LARGEST, free_dimensions
from onnxtile.ir.dtypes import INTEGERS
from onnxtile.ir.graphs import default_opset
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.sizes import Size
from onnxtile.tiling.limits import Limits, ProductLimits
from onnxtile.tiling.plan import Axis, TilePlan

OPSETS = range(7, 29)
"""Versions of the default operator set that tiled products are written for."""
MOST_TILES = 16_000_000
"""Tiles of one product that are written one by one: a node takes about a kilobyte while it's made."""
SYMBOLIC_M_OPSET = 11
"""From here Pad takes its amounts as a value, which a length known only at run time needs."""

Legality = Literal["fits", "over", "unknown"]


@dataclass(frozen=True)
class Refusal:
    """The reason that a product is left as it is: a code for scripts and words for people."""

    code: str
    words: str

    def __str__(self) -> str:
        return f"{self.code}: {self.words}"


def legality(product: Contraction, limits: ProductLimits) -> Legality:
    """Return `over` where an axis surely exceeds its limit, `unknown` where none surely does but one might.

    What the engine doesn't multiply for its types, or doesn't run for its operator, is over, too.
    """
    if limits.by_types and None in product.types:
        return "unknown"
    if limits.refusal(product) or not limits.takes(product):
        return "over"
    answer: Legality = "fits"
    for size, limit in zip(product.size.axes, limits.for_product(product).axes, strict=True):
        if limit is not None and isinstance(size, int) and size > limit:
            return "over"
        if limit is not None and not isinstance(size, int):
            answer = "unknown"
    return answer


def engine_refusals(product: Contraction, limits: ProductLimits) -> Iterator[Refusal]:
    """Yield why the engine multiplies no tile of the product, whatever its form."""
    if limits.by_types and None in product.types:
        yield Refusal("dtype", "its types aren't known, and what the engine multiplies depends on them")
    elif words := limits.refusal(product):
        yield Refusal("engine", words)


def why_over(product: Contraction, limits: ProductLimits) -> str:
    """Return what is said behind the name of a product that is over the limits, of types that the engine multiplies."""
    if not limits.takes(product):
        return f"isn't run by the engine: {product.node.op_type} has to be written out as products"
    size, most = "x".join(map(str, product.size.axes)), limits.for_types(product.types)
    sizes = zip(product.size.axes, most.axes, strict=True)
    if any(isinstance(size, int) and limit is not None and size > limit for size, limit in sizes):
        return f"is {size}, over the limits {most}"
    return f"is {size}, within the limits {most}, but local memory doesn't hold it: it has to be cut"


def why_unknown(product: Contraction, limits: ProductLimits, free: Sequence[str]) -> Refusal:
    """Return why the legality of a product is unknown, and the cure. `free`: the model's free dimensions."""
    if product.reason:
        return Refusal("unknown-shape", product.reason + _cure([None], free))
    for refusal in engine_refusals(product, limits):
        return refusal
    lengths = zip("MKN", product.size.axes, limits.for_product(product).axes, strict=True)
    unknown = [(axis, size) for axis, size, limit in lengths if limit is not None and not isinstance(size, int)]
    words = ", ".join(f"{axis} is {_named(product, size)}" for axis, size in unknown)
    return Refusal("symbolic", words + _cure([size for _, size in unknown], free))


@dataclass(frozen=True)
class Ability:
    """The products that a form can write: from which opset on, with an M that is known only at run time, or not.

    `writes_each_tile`: it makes a node for each tile.
    """

    first_opset: int = OPSETS[0]
    symbolic_m: bool = False
    writes_each_tile: bool = False


Decision = TilePlan | Refusal | None
"""The tiles of a product, or the refusal to cut it; None: it fits and stays."""
Refusals = Callable[[Contraction], Iterable[Refusal]]
"""Reasons against cutting a product that lie in its operator."""


@dataclass(frozen=True)
class Judge:
    """Decides on the products of a model.

    `ability`: what the form can write. `full`: products fit only if they have the size of the limits.
    """

    model: ir.Model
    limits: ProductLimits
    ability: Ability
    full: bool = False

    def decisions(self, products: Iterable[Contraction], refusals: Refusals) -> list[tuple[Contraction, Decision]]:
        """Return each product with what is to be done; of a node's products one that's refused or over counts for all.

        `refusals`: the reasons that lie in a product's operator.
        """
        decided: list[tuple[Contraction, Decision]] = []
        for _, same_node in groupby(products, key=lambda product: product.node):
            of_node = list(same_node)
            if all(map(self._fits, of_node)):
                decided += [(product, None) for product in of_node]
                continue
            plans = [self._plan(product, refusals) for product in of_node]
            refusal = next((plan for plan in plans if isinstance(plan, Refusal)), None)
            decided += [(product, refusal or plan) for product, plan in zip(of_node, plans, strict=True)]
        return decided

    @cached_property
    def _free(self) -> list[str]:
        """The model's free dimensions."""
        return free_dimensions(self.model)

    def _fits(self, product: Contraction) -> bool:
        sizes = zip(product.size.axes, self.limits.for_product(product).axes, strict=True)
        is_full = not self.full or all(limit is None or size == limit for size, limit in sizes)
        return is_full and legality(product, self.limits) == "fits"

    def _plan(self, product: Contraction, more: Refusals) -> TilePlan | Refusal:
        of_types = engine_refusals(product, self.limits)
        reasons = (self._scope_refusals(product), more(product), of_types, self._size_refusals(product))
        for refusal in chain(*reasons, _full_refusals(product) if self.full else ()):
            return refusal
        size = product.size
        empty = 0 in (*size.axes, size.batch)
        tiles, full = self.limits.tiles(product), self.full and not empty
        plan = TilePlan(*cut_axes(size, tiles.largest, full), empty, full, tiles.schedule, tiles.why)
        if empty and plan.m.size is None and not plan.m.whole:  # form unrolled then needs its count
            words = f"M is {_named(product, size.m)} in a product without elements"
            return Refusal("symbolic-m", f"{words}{_cure([size.m], self._free)}, or leave M unlimited (--max *,K,N)")
        padded = max((axis.count or 0) * (axis.tile or 0) for axis in (plan.m, plan.k, plan.n))
        if padded > LARGEST:
            words = f"a side of {padded:,} with its last tile filled up is no size; take a smaller one"
            return Refusal("too-large", words)
        if (self.ability.writes_each_tile or plan.empty) and (plan.products or 0) > MOST_TILES:
            words = f"it makes {plan.products:,} tiles, more than {MOST_TILES:,}"
            return Refusal("too-many-tiles", f"{words}; take a larger --max, or --form batched")
        return plan

    def _scope_refusals(self, product: Contraction) -> Iterator[Refusal]:
        """Yield why nothing can be done where the product is."""
        version, main = declared_ir_version(self.model), default_opset(self.model.opset_imports)
        if product.scope and version < OVERRIDABLE_FROM:
            words = f"it is in {product.scope}, where IR version {version} has no place for constants"
            yield Refusal("scope", f"{words}; raise the model's IR version to {OVERRIDABLE_FROM}")
        if product.in_function:
            yield Refusal("scope", f"it is in {product.scope}; run specialize-functions first")
        if product.scope.startswith("function ") and product.opset != main:
            words = f"its function is written in opset {product.opset}, the model in {main}"
            yield Refusal("opset", f"{words}; convert the model (onnx.version_converter) so that both are the same")
        yield from opset_refusals(product)

    def _size_refusals(self, product: Contraction) -> Iterator[Refusal]:
        """Yield why the form can't cut a product of this size."""
        (m, k, n), opset, first = product.size.axes, product.opset, self.ability.first_opset
        if opset is not None and opset < first:
            yield Refusal("opset", f"opset {opset} lacks what this form is made of, which {first} has")
        if product.reason:
            yield Refusal("unknown-shape", product.reason + _cure([None], self._free))
        for axis, size in (("K", k), ("N", n)):
            if not isinstance(size, int):
                yield Refusal(f"symbolic-{axis.lower()}", _unknown(product, axis, size, self._free))
        if isinstance(m, int) or self.limits.for_product(product).m is None:
            return
        words = _unknown(product, "M", m, self._free)
        if not self.ability.symbolic_m:
            words += "" if self.limits.by_types else ", leave M unlimited (--max *,K,N)"
            other = ", or take --form batched" if opset is not None and opset >= SYMBOLIC_M_OPSET else ""
            yield Refusal("symbolic-m", f"{words}{other}")
        elif opset is not None and opset < SYMBOLIC_M_OPSET:
            yield Refusal("symbolic-m", f"{words}; opset {opset} can't cut it at run time")


def cut_axes(size: Size, limits: Limits, full: bool = False) -> tuple[Axis, Axis, Axis]:
    """Cut M, K and N to the limits; a length that isn't a number is known at run time. `full`: see Axis.cut."""
    lengths = (length if isinstance(length, int) else None for length in size.axes)
    m, k, n = (Axis.cut(length, limit, full) for length, limit in zip(lengths, limits.axes, strict=True))
    return m, k, n


def opset_refusals(product: Contraction) -> Iterator[Refusal]:
    """Yield why nothing can be done in the node's opset."""
    if product.opset not in OPSETS:
        words = f"opset {product.opset} isn't one of {OPSETS[0]} to {OPSETS[-1]}"
        yield Refusal("opset", f"{words}; convert the model (onnx.version_converter)")


def _full_refusals(product: Contraction) -> Iterator[Refusal]:
    """Yield why a product can't be padded to full tiles."""
    operands = product.node.inputs[: 1 if product.node.domain else 2]  # others pack what they multiply by
    if 1 in [len(value.shape) for value in operands if value is not None and value.shape is not None]:
        yield Refusal("vector", "a vector isn't padded to full tiles; make it a matrix of one row or column")
    if product.dtype in INTEGERS and product.opset is not None and product.opset < SYMBOLIC_M_OPSET:
        yield Refusal("opset", f"opset {product.opset} pads no integers; convert to {SYMBOLIC_M_OPSET} or newer")


def type_refusals(product: Contraction, types: Container[ir.DataType]) -> Iterator[Refusal]:
    """Yield why a product can't be cut for its type."""
    dtype = product.dtype
    if dtype not in types:
        yield Refusal("dtype", "its type isn't known" if dtype is None else f"{dtype.name} isn't tiled")


def _unknown(product: Contraction, axis: str, size: Dim, free: Sequence[str]) -> str:
    return f"{axis} is {_named(product, size)}{_cure([size], free)}"


def _named(product: Contraction, size: Dim) -> str:
    if size is None:
        why = product.unknown_axis_because
        return f"unknown: {why}" if why else "not known before run time"
    return repr(str(size))


def _cure(sizes: Sequence[Dim], free: Sequence[str]) -> str:
    names = list(dict.fromkeys(map(str, sizes)))
    if None not in sizes and set(names) <= set(free):
        return f"; bind {'it' if len(names) == 1 else 'them'} with --bind {','.join(f'{name}=INT' for name in names)}"
    return f"; bind the model's free dimensions ({', '.join(free)}) with --bind" if free else ""
