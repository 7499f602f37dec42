"""Bring products by weights packed in blocks within limits: Y = A @ W + bias, W of 2, 4 or 8 bits an element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.graphs import Scope
from onnxtile.ir.names import Names
from onnxtile.operators.block_packing import Blocks, Codes
from onnxtile.operators.table import Contraction, contractions_of
from onnxtile.passes.base import Decompose
from onnxtile.passes.rewrites.packed_tiles import Cutting
from onnxtile.passes.rewrites.packed_weights import INPUTS, TYPES, bias_of, weights_of
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, type_refusals
from onnxtile.tiling.plan import Axis

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

    def refusals(self, found: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node = found.node
        yield from type_refusals(found, TYPES)
        if found.reason:
            yield Refusal("unknown-shape", found.reason)
            return
        weights = weights_of(node, found, model)
        if isinstance(weights, Refusal):
            yield weights
            return
        cutting = self._cutting(found, weights)
        tiles = 0 if cutting is None else (cutting.m.count or 1) * (cutting.k.count or 1) * (cutting.n.count or 1)
        if tiles > MOST_PACKED_TILES:
            words = f"it makes {tiles:,} tiles of packed weights, more than {MOST_PACKED_TILES:,}"
            yield Refusal("too-many-tiles", f"{words}; take a larger --max")

    def write_out(self, node: ir.Node, model: ir.Model, names: Names) -> None:
        (found,) = contractions_of(node, Scope("", model.opset_imports, node.graph))  # type: ignore[arg-type]  # it has one
        a, weights = node.inputs[0], weights_of(node, found, model)
        assert a is not None and a.dtype is not None and a.shape is not None and not isinstance(weights, Refusal)
        new = Replacement(node, a.dtype, names)
        cutting = self._cutting(found, weights)
        if cutting is not None:
            cutting.write_out(node, new, found.opset or 0)
            return
        shape = ir.Shape([*list(a.shape)[:-1], weights.n])
        y = new.node("MatMul", "product", [a, new.constant("weights", weights.numbers())], shape=shape)
        new.nodes[-1].name = new.prefix
        new.nodes[-1].doc_string = node.doc_string
        new.nodes[-1].metadata_props.update(node.metadata_props)
        bias = bias_of(node)
        new.swap_in(y if bias is None else new.node("Add", "biased", [y, bias], shape=shape))

    def _cutting(self, found: Contraction, weights: Blocks | Codes) -> Cutting | None:
        """How the product is cut in its packed form; None where it must be written out in numbers."""
        size = found.size
        if self.max is None or self.pad_tiles or isinstance(weights, Codes) or 0 in (size.m, size.batch):
            return None
        m_known = size.m if isinstance(size.m, int) else None
        m, k, n = (
            Axis.cut(*each) for each in ((m_known, self.max.m), (weights.k, self.max.k), (weights.n, self.max.n))
        )
        whole_blocks = k.whole or (k.tile or 0) % weights.block_size == 0
        return Cutting(m, k, n, weights) if whole_blocks and m.count is not None else None
