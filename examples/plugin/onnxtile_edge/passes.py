"""The passes: what the operator stands for, and a rewrite of single nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

import onnxtile
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.node_writer import NodeWriter
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, type_refusals


@dataclass(frozen=True)
class DecomposeDenseRelu(Decompose):
    """Y = max(0, X @ W + B), for every DenseRelu that exceeds `max` (none given: for every one)."""

    operators = lowered_by("decompose-dense-relu")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, (ir.DataType.FLOAT,))

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        x, w, bias = product.node.inputs
        shape = product.node.outputs[0].shape
        multiplied = new.node("MatMul", "product", [x, w], shape=shape)
        new.swap_in(new.node("Relu", "relu", [new.node("Add", "biased", [multiplied, bias], shape=shape)]))


@onnxtile.rewrite("Div")
def reciprocals(node: ir.Node, op: NodeWriter) -> ir.Value | None:
    """x / c := x * (1 / c), for constants that are powers of two, so that nothing is rounded."""
    x, c = node.inputs
    numbers = op.numbers(c)
    if numbers is None or numbers.dtype != np.float32 or (np.frexp(numbers)[0] != 0.5).any():
        return None
    return op.Mul(x, 1 / numbers)
