"""The base of the passes that write operators out as products and what is around them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import onnx_ir as ir

from onnxtile.operators.contractions import Contraction
from onnxtile.operators.registry import Operator
from onnxtile.operators.table import PRODUCTS
from onnxtile.passes.base import Decided, ProductPass
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, cut_axes, opset_refusals
from onnxtile.tiling.limits import UNLIMITED, ProductLimits
from onnxtile.tiling.plan import TilePlan


def lowered_by(name: str) -> frozenset[Operator]:
    """Return the operators that the table leaves to the pass of this name."""
    return frozenset(operator for operator, products in PRODUCTS.items() if products.lowered_by == name)


@dataclass(frozen=True)
class Decompose(ProductPass):
    """Writes `operators` out where they exceed `max` (none given: everywhere, but in local functions).

    An operator that can't be written out, or cut afterwards, is refused, or left as it is: see ProductPass.
    """

    max: ProductLimits | None = None
    form: str = "unrolled"
    leave_refused: bool = False
    pad_tiles: bool = False
    operators: ClassVar[frozenset[Operator]]

    @abstractmethod
    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        """Replace the product's node by what it stands for."""

    def rewrite(self, product: Contraction, plan: TilePlan, new: Replacement, model: ir.Model) -> None:
        self.write_out(product, new, model)

    def concerns(self, node: ir.Node, model: ir.Model) -> bool:
        return (node.domain, node.op_type) in self.operators

    def judge(self, model: ir.Model, products: list[Contraction]) -> list[Decided]:
        if self.max is not None:
            return super().judge(model, products)
        return [
            (product, next(self._refusals_anywhere(product, model), TilePlan(*cut_axes(product.size, UNLIMITED))))
            for product in products
            if not product.in_function
        ]

    def _refusals_anywhere(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        """Yield the reasons against writing a product out, whatever its size."""
        unknown = f"{product.reason}; run infer-shapes first"
        unsized = [Refusal("unknown-shape", unknown)] if product.reason else []
        return chain(opset_refusals(product), unsized, self.refusals(product, model))
