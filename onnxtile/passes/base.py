"""What all passes that write an operator out as a product and what's around it have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float
from onnxtile.ir.constants import drop_if_unused, raise_ir_version
from onnxtile.ir.names import Names
from onnxtile.operators.table import Contraction, Operator, contractions
from onnxtile.tiling.forms.table import form_of
from onnxtile.tiling.legality import FLOATS, INTEGERS, Decision, Judge, Refusal, opset_refusals
from onnxtile.tiling.limits import Limits

CONSTANTS_FROM = 4
"""Initializers that aren't graph inputs need this IR version."""


@dataclass(frozen=True)
class Decompose(ir.passes.InPlacePass):
    """Writes `operators` out where they exceed `max` (none given: everywhere).

    An operator that can't be written out, or cut afterwards, is refused before anything changes, or left as it is where
    `leave_refused` says so; `form`, `pad_tiles`: see TileMatMul. Operators in local functions are left alone where
    `max` isn't given.
    """

    max: Limits | None = None
    form: str = "unrolled"
    leave_refused: bool = False
    pad_tiles: bool = False
    operators: ClassVar[frozenset[Operator]]

    @abstractmethod
    def refusals(self, found: Contraction, model: ir.Model) -> Iterable[Refusal]:
        """Reasons that lie in the operator itself: its type, its attributes."""

    @abstractmethod
    def write_out(self, node: ir.Node, model: ir.Model, names: Names) -> None:
        """Put what the node stands for in its place."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "max", None if self.max is None else Limits.of(self.max))
        form_of(self.form)

    def requires(self, model: ir.Model) -> None:
        for node, refusal in self._nodes(model) if not self.leave_refused else ():
            if refusal:
                name = next(found.name for found in contractions(model) if found.node is node)
                raise ir.passes.PreconditionError(f"{node.op_type} {name!r}: {refusal}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        nodes = [node for node, refusal in self._nodes(model) if not refusal]
        if not nodes:
            return ir.passes.PassResult(model, modified=False)
        names = Names(model)
        raise_ir_version(model, CONSTANTS_FROM)
        for node in nodes:
            sources = list(node.inputs)
            self.write_out(node, model, names)
            for source in sources:
                drop_if_unused(source, model)
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        for node, refusal in self._nodes(model):
            if not refusal:
                raise ir.passes.PostconditionError(f"{node.op_type} {node.name!r} is still there")

    def concerns(self, node: ir.Node, model: ir.Model) -> bool:
        """Whether the pass would write the node out."""
        return (node.domain, node.op_type) in self.operators

    def decisions(
        self, model: ir.Model, limits: Limits, products: Iterable[Contraction] | None = None
    ) -> Iterator[tuple[Contraction, Decision]]:
        """Every product that concerns the pass, with what is to be done; `products`: see `Judge.decisions`."""
        judge = Judge(model, limits, form_of(self.form).ability, self.pad_tiles)
        return judge.decisions(
            lambda node: self.concerns(node, model), lambda found: self.refusals(found, model), products
        )

    def _nodes(self, model: ir.Model) -> list[tuple[ir.Node, Refusal | None]]:
        """The nodes to write out, and those that can't be, each once."""
        if self.max is not None:
            decided = list(self.decisions(model, self.max))
            pairs = [(found.node, each if isinstance(each, Refusal) else None) for found, each in decided if each]
        else:
            every = [
                found for found in contractions(model) if self.concerns(found.node, model) and not found.in_function
            ]
            reasons = (chain(opset_refusals(found), _unsized(found), self.refusals(found, model)) for found in every)
            pairs = [(found.node, next(why, None)) for found, why in zip(every, reasons, strict=True)]
        return list(dict(pairs).items())


def _unsized(found: Contraction) -> Iterator[Refusal]:
    if found.reason:
        yield Refusal("unknown-shape", f"{found.reason}; run infer-shapes first")


def factor_refusals(found: Contraction, *factors: str) -> Iterator[Refusal]:
    """Why a product can't be scaled by attributes of its node: they don't exist in its type."""
    dtype = found.dtype
    for factor in factors:
        value = attribute_float(found.node, factor, 1.0)
        if dtype in (*INTEGERS, *FLOATS) and not _exists_in(dtype, value):
            yield Refusal("factor", f"{factor} is {value:g}, which {dtype.name} can't hold; scale the operands instead")


def _exists_in(dtype: ir.DataType, value: float) -> bool:
    """Whether a factor can be a constant of the type: a whole number in range, or a float that rounds as usual."""
    if dtype in INTEGERS:
        info = np.iinfo(dtype.numpy())
        return value.is_integer() and int(info.min) <= int(value) <= int(info.max)
    with np.errstate(over="ignore"):
        held = float(np.array(value).astype(dtype.numpy()))
    return abs(held - value) <= abs(value) * 2.0**-8 or not math.isfinite(value)
