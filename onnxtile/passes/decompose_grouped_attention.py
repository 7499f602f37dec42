"""Write GroupQueryAttention out: Y = softmax(scale * Q @ K' + bias and mask) @ V, where heads share keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.attributes import input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.grouped_attention import GroupedAttention
from onnxtile.passes.rewrites.grouped_query import GroupedQuery, grouped_refusals
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.steps import Steps
from onnxtile.tiling.legality import Refusal


@dataclass(frozen=True)
class DecomposeGroupedAttention(Decompose):
    """Y = softmax(scale * Q @ K' + bias and mask) @ V, for every GroupQueryAttention of which a product exceeds `max`.

    None given: for every one. Keys are those of the past's buffer and, behind them, the new ones; how many tokens there
    are says which of them a query sees, so that both products have sizes that are known ahead of time.
    """

    operators = lowered_by("decompose-grouped-attention")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        if not product.reason:
            yield from grouped_refusals(product)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        total = input_of(product.node, 6)
        tensor = None if total is None else constant_tensor(total, declared_ir_version(model))
        longest = None if tensor is None else int(tensor.numpy().reshape(-1)[0])
        GroupedAttention(Steps(new), GroupedQuery.of(product.node), longest).write()
