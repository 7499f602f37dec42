"""Prove that every product fits the engine."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.errors import LimitsError
from onnxtile.ir.dimensions import free_dimensions
from onnxtile.operators.contractions import contractions
from onnxtile.tiling.legality import engine_refusals, legality, why_over, why_unknown
from onnxtile.tiling.limits import ProductLimits, product_limits


@dataclass(frozen=True)
class CheckLimits(ir.passes.InPlacePass):
    """m <= M, k <= K, n <= N for every product; changes nothing.

    Raises LimitsError that names the first product that exceeds `max`, or whose size isn't known. Calls to tiled
    products count as what the engine gets: one tile. Operators whose products aren't sized yet count as unknown.
    """

    max: ProductLimits

    def __post_init__(self) -> None:
        object.__setattr__(self, "max", product_limits(self.max))

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        for product in contractions(model):
            scope = f" in {product.scope}" if product.scope else ""
            named = f"{product.node.op_type} {product.name!r}{scope}"
            answer = legality(product, self.max)
            for refusal in engine_refusals(product, self.max):
                raise LimitsError(f"{named}: {refusal.words}")
            if answer == "over":
                raise LimitsError(f"{named} {why_over(product, self.max)}")
            if answer == "unknown":
                why = why_unknown(product, self.max, free_dimensions(model))
                hint = " (run infer-shapes before)" if why.code == "unknown-shape" else ""
                raise LimitsError(f"{named} may exceed {self.max}: {why}{hint}")
        return ir.passes.PassResult(model, modified=False)
