"""Write products between DequantizeLinear and QuantizeLinear out as products of the integers themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int
from onnxtile.ir.dtypes import BYTES
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.arithmetic import Arithmetic
from onnxtile.passes.rewrites.quantization import Quantized, integer_product, integer_refusals, rescaled
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal

PLAIN = {"block_size": 0, "saturate": 1, "precision": 0, "output_dtype": 0}
"""Attributes of DequantizeLinear and QuantizeLinear, and what they say of those that are matched."""
LONGEST = 2**31 // 255**2
"""The largest K whose sums of products of bytes, each less a zero point, surely fit int32."""


@dataclass(frozen=True)
class DecomposeQdq(Decompose):
    """Q(DQ(A) @ DQ(B)) = quantize(sA * sB / sY * (A - zA) @ (B - zB)), for every such MatMul that exceeds `max`.

    That's what onnxruntime makes of the three, and how integer engines compute them: exact, and rounded once. A MatMul
    whose DequantizeLinears or QuantizeLinear can't be taken so stays, and is cut as a product of floats.
    """

    operators = lowered_by("tile-matmul")

    def concerns(self, node: ir.Node, model: ir.Model) -> bool:
        """Return whether the node matches, K is known to be short enough, and nothing speaks against its parameters."""
        operands = match_qdq(node) if super().concerns(node, model) else None
        if operands is None:
            return False
        a, b, y = operands
        columns = b.value.shape[-1] if b.value is not None and b.value.shape else None
        lengths = (1, columns if isinstance(columns, int) else None, 1)
        reasons = (side.refusals(length, model) for side, length in zip(operands, lengths, strict=True))
        depth = a.value.shape[-1] if a.value is not None and a.value.shape else None
        fits = isinstance(depth, int) and depth <= LONGEST and y.zero is not None and y.zero.dtype in BYTES
        return fits and not any(chain(integer_refusals((a, b)), *reasons))

    def refusals(self, product: Contraction, model: ir.Model) -> Iterable[Refusal]:
        return ()

    def as_multiplied(self, product: Contraction) -> Contraction:
        return with_quantized_types(product)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, fold, operands = product.node, Arithmetic(new, model, product.opset or 0), match_qdq(product.node)
        assert operands is not None
        a, b, y = operands
        assert a.scale is not None and b.scale is not None
        dequantized, (quantize,) = dict.fromkeys(node.inputs), node.outputs[0].consumers()
        total = integer_product(fold, a, b, node.outputs[0].shape)
        scale = a.parameter(fold, a.scale, "a_scale"), b.parameter(fold, b.scale, "b_scale")
        scales = fold.of("Mul", "scales", *scale, ir.DataType.FLOAT)
        new.swap_in(rescaled(fold, total, scales, y), last=quantize)
        for producer in (producer_of(value, "DequantizeLinear") for value in dequantized):
            assert producer is not None and producer.graph is not None
            if not producer.outputs[0].uses() and not producer.outputs[0].is_graph_output():
                producer.graph.remove(producer, safe=True)


def match_qdq(node: ir.Node) -> tuple[Quantized, Quantized, Quantized] | None:
    """Match Q(DQ(A) @ DQ(B)): a MatMul of two DequantizeLinear, read by one QuantizeLinear alone.

    Returns A, B and the result, if each has one scale or one a row or column, and no attributes that mean more.
    """
    a, b = (producer_of(value, "DequantizeLinear") for value in node.inputs)
    y = only_reader(node.outputs[0], "QuantizeLinear")
    if a is None or b is None or y is None:
        return None
    sides = (_quantized("A", a, a.inputs[0]), _quantized("B", b, b.inputs[0]), _quantized("Y", y, y.outputs[0]))
    return None if None in sides else sides  # type: ignore[return-value]  # None is excluded


def _quantized(letter: str, node: ir.Node, integers: ir.Value | None) -> Quantized | None:
    _, scale, zero = (*node.inputs, None)[:3]
    rank = len(integers.shape) if integers is not None and integers.shape is not None else 0
    last = attribute_int(node, "axis", 1) in (rank - 1, -1)
    if scale is None or scale.shape is None or (list(scale.shape) not in ([], [1]) and not last):
        return None
    if any(attribute_int(node, name, default) != default for name, default in PLAIN.items()):
        return None
    return Quantized(letter, integers, scale, zero)


def with_quantized_types(product: Contraction) -> Contraction:
    """Return a product of two DequantizeLinear with the types of what they read."""
    nodes = [producer_of(value, "DequantizeLinear") for value in product.node.inputs[:2]]
    a, b = (None if node is None else node.inputs[0] for node in nodes)
    return replace(product, types=(None if a is None else a.dtype, None if b is None else b.dtype))


def producer_of(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """Return the node that computes a value, if it's of this operator of ONNX."""
    node = None if value is None else value.producer()
    return node if node is not None and (node.domain, node.op_type) == ("", op_type) else None


def only_reader(value: ir.Value, op_type: str) -> ir.Node | None:
    """Return the one node that reads a value, as its first input and in the same graph, if it's of this operator."""
    readers = [] if value.is_graph_output() else value.uses()
    node, operand = next(iter(readers)) if len(readers) == 1 else (None, 0)
    if node is None or operand or (node.domain, node.op_type) != ("", op_type) or node.graph is not value.graph:
        return None
    return node
