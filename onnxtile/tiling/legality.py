"""What a product is against the engine's limits, and how it is cut, or the reason why it can't be."""

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
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.sizes import Dim, Size
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.plan import Axis, TilePlan

OPSETS = range(7, 29)
"""Versions of the default operator set that tiled products are written for."""
MOST_TILES = 16_000_000
"""Tiles of one product that are spelled one by one: a node takes about a kilobyte while it's made."""
SYMBOLIC_M_OPSET = 11
"""From here Pad takes its amounts as a value, which a length known only at run time needs."""

Legality = Literal["fits", "over", "unknown"]


@dataclass(frozen=True)
class Refusal:
    """Why a product is left as it is: a code for scripts and words for people."""

    code: str
    words: str

    def __str__(self) -> str:
        return f"{self.code}: {self.words}"


def legality(contraction: Contraction, limits: Limits) -> Legality:
    """`over` where an axis surely exceeds its limit, `unknown` where none surely does but one might."""
    answer: Legality = "fits"
    for _, size, limit in _axes(contraction, limits):
        if limit is not None and isinstance(size, int) and size > limit:
            return "over"
        if limit is not None and not isinstance(size, int):
            answer = "unknown"
    return answer


def doubt(contraction: Contraction, limits: Limits, free: Sequence[str]) -> Refusal:
    """Why the legality of a product is unknown, and what would tell. `free`: the model's free dimensions."""
    if contraction.reason:
        return Refusal("unknown-shape", contraction.reason + _cure(None, free))
    words = [
        f"{axis} is {_named(size, contraction.cause)}{_cure(size, free)}"
        for axis, size, limit in _axes(contraction, limits)
        if limit is not None and not isinstance(size, int)
    ]
    return Refusal("symbolic", ", ".join(words))


@dataclass(frozen=True)
class Ability:
    """What a form can spell: from which opset on, whether an M that is known only at run time, whether tile by tile."""

    first_opset: int = OPSETS[0]
    symbolic_m: bool = False
    spells_each_tile: bool = False


Decision = TilePlan | Refusal | None
"""How a product is cut, why it can't be, or that it fits and stays."""
Refusals = Callable[[Contraction], Iterable[Refusal]]
"""Reasons against cutting a product that lie in its operator."""


@dataclass(frozen=True)
class Judge:
    """Decides on the products of a model.

    `ability`: what the form to be written can spell. `full`: products fit only if they have the size of the limits.
    """

    model: ir.Model
    limits: Limits
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
        return legality(product, self.limits) == "fits" and (not self.full or _is_full(product, self.limits))

    def _plan(self, product: Contraction, more: Refusals) -> TilePlan | Refusal:
        reasons = (
            _place_refusals(product, self.model),
            more(product),
            _size_refusals(product, self.limits, self.ability, self._free),
            _full_refusals(product) if self.full else (),
        )
        for refusal in chain.from_iterable(reasons):
            return refusal
        size = product.size
        empty = 0 in (size.m, size.k, size.n, size.batch)
        full = self.full and not empty
        m, k, n = cut_axes(size, self.limits, full)
        if empty and m.size is None and not m.whole:  # what is spelled tile by tile then needs its count
            words = f"M is {_named(size.m, product.cause)} in a product without elements"
            return Refusal("symbolic-m", f"{words}{_cure(size.m, self._free)}, or leave M unlimited (--max *,K,N)")
        plan = TilePlan(m, k, n, empty, full)
        padded = max((axis.count or 0) * (axis.tile or 0) for axis in (m, k, n))
        if padded > LARGEST:
            return Refusal(
                "too-large", f"a side of {padded:,} with its last tile filled up is no size; take a smaller one"
            )
        if (self.ability.spells_each_tile or plan.empty) and (plan.products or 0) > MOST_TILES:
            words = f"it makes {plan.products:,} tiles, more than {MOST_TILES:,}"
            return Refusal("too-many-tiles", f"{words}; take a larger --max, or --form batched")
        return plan


def cut_axes(size: Size, limits: Limits, full: bool = False) -> tuple[Axis, Axis, Axis]:
    """Cut M, K and N to the limits; a length that isn't a number is known at run time. `full`: see Axis.cut."""
    lengths = (length if isinstance(length, int) else None for length in (size.m, size.k, size.n))
    m, k, n = (Axis.cut(length, limit, full) for length, limit in zip(lengths, limits.axes, strict=True))
    return m, k, n


def _place_refusals(contraction: Contraction, model: ir.Model) -> Iterator[Refusal]:
    """Why nothing can be done where the product is."""
    if contraction.scope and declared_ir_version(model) < OVERRIDABLE_FROM:
        words = (
            f"it is in {contraction.scope}, where IR version {declared_ir_version(model)} has no place for constants"
        )
        yield Refusal("scope", f"{words}; raise the model's IR version to {OVERRIDABLE_FROM}")
    if contraction.in_function:
        yield Refusal("scope", f"it is in {contraction.scope}; run specialize-functions first")
    main = default_opset(model.opset_imports)
    if contraction.scope.startswith("function ") and contraction.opset != main:
        words = f"its function is written in opset {contraction.opset}, the model in {main}"
        yield Refusal("opset", f"{words}; convert the model (onnx.version_converter) so that both are the same")
    yield from opset_refusals(contraction)


def opset_refusals(contraction: Contraction) -> Iterator[Refusal]:
    """Why nothing can be done in the node's opset."""
    opset = contraction.opset
    if opset not in OPSETS:
        words = f"opset {opset} isn't one of {OPSETS[0]} to {OPSETS[-1]}; convert the model (onnx.version_converter)"
        yield Refusal("opset", words)


def _size_refusals(
    contraction: Contraction, limits: Limits, ability: Ability, free: Sequence[str]
) -> Iterator[Refusal]:
    size, opset = contraction.size, contraction.opset
    if opset is not None and opset < ability.first_opset:
        yield Refusal("opset", f"opset {opset} lacks what this form is made of, which {ability.first_opset} has")
    if contraction.reason:
        yield Refusal("unknown-shape", contraction.reason + _cure(None, free))
    for axis, extent in (("K", size.k), ("N", size.n)):
        if not isinstance(extent, int):
            words = f"{axis} is {_named(extent, contraction.cause)}{_cure(extent, free)}"
            yield Refusal(f"symbolic-{axis.lower()}", words)
    if not isinstance(size.m, int) and limits.m is not None:
        words = f"M is {_named(size.m, contraction.cause)}{_cure(size.m, free)}"
        if not ability.symbolic_m:
            other = ", or take --form batched" if opset is not None and opset >= SYMBOLIC_M_OPSET else ""
            yield Refusal("symbolic-m", f"{words}, leave M unlimited (--max *,K,N){other}")
        elif opset is not None and opset < SYMBOLIC_M_OPSET:
            yield Refusal("symbolic-m", f"{words}; opset {opset} can't cut it at run time")


def _is_full(contraction: Contraction, limits: Limits) -> bool:
    return all(most is None or size == most for _, size, most in _axes(contraction, limits))


def _full_refusals(contraction: Contraction) -> Iterator[Refusal]:
    """Why a product can't be padded to full tiles."""
    operands = contraction.node.inputs[: 1 if contraction.node.domain else 2]  # others pack what they multiply by
    if 1 in [len(value.shape) for value in operands if value is not None and value.shape is not None]:
        yield Refusal("vector", "a vector isn't padded to full tiles; make it a matrix of one row or column")
    if contraction.dtype in INTEGERS and contraction.opset is not None and contraction.opset < SYMBOLIC_M_OPSET:
        yield Refusal("opset", f"opset {contraction.opset} pads no integers; convert to {SYMBOLIC_M_OPSET} or newer")


def type_refusals(contraction: Contraction, types: Container[ir.DataType]) -> Iterator[Refusal]:
    """Why a product can't be cut for its type."""
    dtype = contraction.dtype
    if dtype not in types:
        yield Refusal("dtype", "its type isn't known" if dtype is None else f"{dtype.name} isn't tiled")


def _axes(contraction: Contraction, limits: Limits) -> Iterator[tuple[str, Dim, int | None]]:
    size = contraction.size
    yield from zip("MKN", (size.m, size.k, size.n), limits.axes, strict=True)


def _named(size: Dim, cause: str | None) -> str:
    if size is None:
        return f"unknown: {cause}" if cause else "not known before run time"
    return repr(size)


def _cure(size: Dim, free: Sequence[str]) -> str:
    if size in free:
        return f"; bind it with --bind {size}=INT"
    return f"; bind the model's free dimensions ({', '.join(free)}) with --bind" if free else ""
