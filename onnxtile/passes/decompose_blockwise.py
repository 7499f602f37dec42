"""Bring products by weights packed in blocks within limits: Y = A @ W + bias, W of 2, 4 or 8 bits an element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.operators.block_packing import Blocks, Codes
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.packed_tiles import write_packed_tiles
from onnxtile.passes.rewrites.packed_weights import TYPES, bias_of, weights_of
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, cut_axes, type_refusals
from onnxtile.tiling.limits import UNLIMITED
from onnxtile.tiling.plan import TilePlan

MOST_PACKED_TILES = 100_000
"""Tiles of one product that keep their bytes: each is a node in memory, and three initializers."""


@dataclass(frozen=True)
class DecomposeBlockwise(Decompose):
    """Y = A @ W + bias, for every MatMulNBits and MatMulBnb4 that exceeds `max` (none given: for every one).

    A MatMulNBits whose tiles along K are whole blocks becomes MatMulNBits of one tile each, on parts of its bytes.
    Where that can't be (other tiles, an M that is known only at run time, `pad_tiles`), and for MatMulBnb4, W becomes
    constant numbers, 4 to 16 times as large, and the node a MatMul, which tile-matmul cuts.
    """

    operators = lowered_by("decompose-blockwise")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, TYPES)
        if product.reason:
            yield Refusal("unknown-shape", product.reason)
            return
        weights = weights_of(product, model)
        if isinstance(weights, Refusal):
            yield weights
            return
        plan = TilePlan(*cut_axes(product.size, (self.max or UNLIMITED).tiles(product).largest))
        if self._stays_packed(product, plan, weights) and (plan.products or 0) > MOST_PACKED_TILES:
            words = f"it makes {plan.products:,} tiles of packed weights, more than {MOST_PACKED_TILES:,}"
            yield Refusal("too-many-tiles", f"{words}; take a larger --max")

    def rewrite(self, product: Contraction, plan: TilePlan, new: Replacement, model: ir.Model) -> None:
        weights = weights_of(product, model)
        if isinstance(weights, Blocks) and self._stays_packed(product, plan, weights):
            write_packed_tiles(product.node, plan, weights, new, product.opset or 0)
        else:
            self.write_out(product, new, model)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        a, bias, weights = product.node.inputs[0], bias_of(product.node), weights_of(product, model)
        assert a is not None and a.shape is not None and not isinstance(weights, Refusal)
        shape = ir.Shape([*list(a.shape)[:-1], weights.n])
        y = new.node("MatMul", "product", [a, new.constant("weights", weights.numbers())], shape=shape)
        new.stand_in()
        new.swap_in(y if bias is None else new.node("Add", "biased", [y, bias], shape=shape))

    def _stays_packed(self, product: Contraction, plan: TilePlan, weights: Blocks | Codes) -> bool:
        """Return whether the product is cut in its packed form; its weights become numbers otherwise."""
        if self.max is None or self.pad_tiles or isinstance(weights, Codes) or plan.m.count is None:
            return False
        whole_blocks = plan.k.whole or (plan.k.tile or 0) % weights.block_size == 0
        return whole_blocks and 0 not in (product.size.m, product.size.batch)
