"""Bring products by weights packed in blocks within limits: Y = A @ W + bias, W of 2, 4 or 8 bits an element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.operators.block_packing import Blocks, Codes
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose
from onnxtile.passes.rewrites.packed_tiles import Cutting
from onnxtile.passes.rewrites.packed_weights import INPUTS, TYPES, bias_of, weights_of
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, cut_axes, type_refusals

MOST_PACKED_TILES = 100_000
"""Tiles of one product that keep their bytes: each is a node in memory, and three initializers."""


@dataclass(frozen=True)
class DecomposeBlockwise(Decompose):
    """Y = A @ W + bias, for every MatMulNBits and MatMulBnb4 that exceeds `max` (none given: for every one).

    A MatMulNBits whose tiles along K are whole blocks becomes MatMulNBits of one tile each, on parts of its bytes.
    Where that can't be (other tiles, an M that is known only at run time, `pad_tiles`), and for MatMulBnb4, W becomes
    constant numbers, 4 to 16 times as large, and the node a MatMul, which tile-matmul cuts.
    """

    operators = frozenset(("com.microsoft", op_type) for op_type in INPUTS)

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, TYPES)
        if product.reason:
            yield Refusal("unknown-shape", product.reason)
            return
        weights = weights_of(product, model)
        if isinstance(weights, Refusal):
            yield weights
            return
        cutting = self._cutting(product, weights)
        tiles = 0 if cutting is None else (cutting.m.count or 1) * (cutting.k.count or 1) * (cutting.n.count or 1)
        if tiles > MOST_PACKED_TILES:
            words = f"it makes {tiles:,} tiles of packed weights, more than {MOST_PACKED_TILES:,}"
            yield Refusal("too-many-tiles", f"{words}; take a larger --max")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node = product.node
        a, weights = node.inputs[0], weights_of(product, model)
        assert a is not None and a.shape is not None and not isinstance(weights, Refusal)
        cutting = self._cutting(product, weights)
        if cutting is not None:
            cutting.write_out(node, new, product.opset or 0)
            return
        shape = ir.Shape([*list(a.shape)[:-1], weights.n])
        y = new.node("MatMul", "product", [a, new.constant("weights", weights.numbers())], shape=shape)
        new.stand_in()
        bias = bias_of(node)
        new.swap_in(y if bias is None else new.node("Add", "biased", [y, bias], shape=shape))

    def _cutting(self, product: Contraction, weights: Blocks | Codes) -> Cutting | None:
        """How the product is cut in its packed form; None where it must be written out in numbers."""
        size = product.size
        if self.max is None or self.pad_tiles or isinstance(weights, Codes) or 0 in (size.m, size.batch):
            return None
        m, k, n = cut_axes(size, self.max)
        whole_blocks = k.whole or (k.tile or 0) % weights.block_size == 0
        return Cutting(m, k, n, weights) if whole_blocks and m.count is not None else None
