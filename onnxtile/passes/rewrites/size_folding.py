"""Replace what is computed from sizes alone by constants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator
from onnx_ir.passes.common import LiftConstantsToInitializersPass, RemoveUnusedNodesPass

from onnxtile.ir.bounds import most
from onnxtile.ir.node_replacement import register_constant

_WHOLE = (ir.DataType.INT64, ir.DataType.BOOL)


def fold_sizes(model: ir.Model) -> None:
    """Make constants of the whole numbers that follow from known sizes, and drop what isn't read then.

    A value larger than its operands (a mask, from two ranges) stays computed. Only the main graph is folded; run
    infer-shapes before.
    """
    graph = model.graph
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    for node in list(graph):
        value = node.outputs[0]
        if value.dtype not in _WHOLE or value.is_graph_output() or len(node.outputs) > 1:
            continue
        array = _sizes(node) if node.op_type == "Shape" else _computed(node)
        if array is not None:
            name, value.name = str(value.name), None
            value.replace_all_uses_with(register_constant(graph, name, ir.tensor(array)))
    RemoveUnusedNodesPass()(model)


def _sizes(node: ir.Node) -> np.ndarray | None:
    """Return the result of a Shape, if it's known."""
    source = node.inputs[0]
    if source is None or source.shape is None:
        return None
    attributes = {name: attribute.as_int() for name, attribute in node.attributes.items()}
    dims = list(source.shape)[attributes.get("start", 0) : attributes.get("end")]
    return np.array(dims, np.int64) if all(isinstance(dim, int) for dim in dims) else None


def _computed(node: ir.Node) -> np.ndarray | None:
    """Return an operator's result of constant whole numbers, unless it's larger than they are, or very large."""
    sources = [value for value in node.inputs if value is not None]
    if not all(value.const_value is not None and value.dtype in _WHOLE for value in sources):
        return None
    shape = node.outputs[0].shape
    sizes = [dim for dim in shape or () if isinstance(dim, int)]
    if shape is None or len(sizes) < len(shape) or math.prod(sizes) > most("shape-numbers"):
        return None
    feeds = {str(value.name): value.const_value.numpy() for value in sources if value.const_value is not None}
    results: Any = ReferenceEvaluator(ir.to_proto(node)).run(None, feeds)
    array = np.asarray(results[0])
    return array if array.ndim < 2 or array.size <= max(operand.size for operand in feeds.values()) else None
