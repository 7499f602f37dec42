"""Match what stands between DequantizeLinear and QuantizeLinear, and tell whether its integers will do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import read_array
from onnxtile.ir.attributes import attribute_int, input_of
from onnxtile.ir.constants import constant_tensor
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.rewrites.quantization import INT32

PLAIN = {"block_size": 0, "saturate": 1, "precision": 0, "output_dtype": 0}
"""Attributes of DequantizeLinear and QuantizeLinear, and what they say of those that are matched."""
LONGEST = 2**31 // 255**2
"""The largest K whose sums of products of bytes, each less a zero point, surely fit int32."""
LARGEST_BIAS = 2**30
"""Biases below it, and sums of products of bytes up to half of K's bound, surely fit int32."""


def means_more(node: ir.Node) -> bool:
    """Return whether a DequantizeLinear or QuantizeLinear has attributes that mean more than what is matched."""
    return any(attribute_int(node, name, default) != default for name, default in PLAIN.items())


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


def drop_idle(values: Iterable[ir.Value | None]) -> None:
    """Remove the DequantizeLinear nodes whose results nothing reads any more. `values`: those results."""
    for producer in (producer_of(value, "DequantizeLinear") for value in values):
        idle = producer is not None and not producer.outputs[0].uses() and not producer.outputs[0].is_graph_output()
        if producer is not None and producer.graph is not None and idle:
            producer.graph.remove(producer, safe=True)


def integer_bias(value: ir.Value, scales: tuple[ir.Value | None, ir.Value | None], version: int) -> ir.Value | None:
    """Return the int32 constant that a bias is dequantized from, if its scale is that of the product.

    `scales`: those of the operands. It has no zero point, and numbers below LARGEST_BIAS. `version`: the IR's.
    """
    node = producer_of(value, "DequantizeLinear")
    if node is None or node.inputs[0] is None or node.inputs[0].dtype != INT32 or means_more(node):
        return None
    tensors = [constant_tensor(each, version) for each in (node.inputs[0], input_of(node, 1), *scales)]
    if any(tensor is None for tensor in tensors):
        return None
    numbers, scale, x_scale, w_scale = (read_array(tensor) for tensor in tensors if tensor is not None)
    zero = input_of(node, 2)
    zeros = None if zero is None else constant_tensor(zero, version)
    if zero is not None and (zeros is None or read_array(zeros).any()):
        return None
    wanted = (x_scale * w_scale).reshape(-1)
    if wanted.dtype != scale.dtype or any(each.size not in (1, numbers.size) for each in (scale, wanted)):
        return None
    if not (scale.reshape(-1) == wanted).all():
        return None
    along = scale.size == 1 or attribute_int(node, "axis", 1) in (numbers.ndim - 1, -1)
    return node.inputs[0] if along and np.abs(numbers.astype(np.int64)).max(initial=0) < LARGEST_BIAS else None
