"""Write mixtures of experts out: Y = sum over experts of weight * (act(X @ fc1' + b1) @ fc2' + b2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int, attribute_string, input_of
from onnxtile.ir.dtypes import FLOATS
from onnxtile.ir.symbolic.amounts import dimension
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.sizes import count_of, read_size
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.expert_weights import ExpertWeights, format_refusals
from onnxtile.passes.rewrites.experts import Experts
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, type_refusals

INT64 = ir.DataType.INT64
TYPES = [dtype for dtype in FLOATS if dtype != ir.DataType.DOUBLE]
ACTIVATIONS = ("relu", "gelu", "silu", "swiglu", "identity")
FIRST_OPSET = 14
"""The version of the default operator set that brought the last of what a mixture is written in."""


@dataclass(frozen=True)
class DecomposeExperts(Decompose):
    """Y = sum over experts of weight * expert(X), for every MoE and QMoE of which a product exceeds `max`.

    Every expert computes every token; the weights of those that a token isn't sent to are 0, and their results are left
    out. The router stays what it is: softmax, the `k` most likely experts, their shares. Weights that are packed
    become numbers.
    """

    operators = lowered_by("decompose-experts")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node, opset = product.node, product.opset or 0
        yield from type_refusals(product, TYPES)
        if opset < FIRST_OPSET:
            yield Refusal("opset", f"opset {opset} lacks what it's written in; convert to {FIRST_OPSET} or newer")
        yield from _meaning_refusals(node)
        if product.reason is None:
            yield from _size_refusals(node, model)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, dtype = product.node, product.dtype
        x, router = node.inputs[:2]
        assert x is not None and x.shape is not None and router is not None and dtype is not None
        dims = [read_size(dim) for dim in x.shape]
        hidden, tokens = dims[-1], count_of(dims[:-1])
        fc1, fc2, fc3 = (ExpertWeights.of(node, index) for index in range(3))
        assert isinstance(hidden, int) and fc2.weight is not None and fc2.weight.shape is not None
        inner, block = _inner(fc2), attribute_int(node, "block_size", 0)
        experts = Experts(new, node, product.opset or 0, dtype, tokens, int(fc2.weight.shape.numpy()[0]))
        weights = experts.routed(router, input_of(node, 14) if node.op_type == "QMoE" else None)
        rows = x
        if len(dims) == 3:
            size = new.constant("as_rows", np.array([-1, hidden]), INT64)
            rows = new.node("Reshape", "rows", [x, size], shape=ir.Shape([dimension(tokens), hidden]))

        def projected(value: ir.Value, fc: ExpertWeights, k: int, name: str) -> ir.Value:
            operand = fc.operand(new, model, k, block, dtype)
            return experts.product(value, operand, fc.bias_by_expert(new, model), name)

        up = projected(rows, fc1, hidden, "up")
        gate = None if fc3.weight is None else projected(rows, fc3, hidden, "gate")
        results = projected(experts.activated(up, gate, inner), fc2, inner, "down")
        y = experts.mixed(results, weights, hidden)
        if len(dims) == 3:
            shape = new.node("Shape", "shape", [x], shape=ir.Shape([3]), dtype=INT64)
            y = new.node("Reshape", "as_given", [y, shape], {"allowzero": 1}, dtype=dtype)
        new.swap_in(y)


def _inner(fc2: ExpertWeights) -> int:
    """Return the inner size: how many numbers fc2 has along its last axis."""
    assert fc2.weight is not None and fc2.weight.shape is not None
    return int(fc2.weight.shape.numpy()[2]) * 8 // (fc2.bits or 8)


def _meaning_refusals(node: ir.Node) -> Iterator[Refusal]:
    """Yield why it isn't said what the node computes, or engines disagree on it."""
    activation, fc3 = attribute_string(node, "activation_type", "relu"), ExpertWeights.of(node, 2)
    if activation not in ACTIVATIONS:
        words = f"activation_type is {activation!r}; take one of {', '.join(ACTIVATIONS)}"
        yield Refusal("activation", words)
    if (fc3.weight is None) == (activation == "swiglu" and attribute_int(node, "swiglu_fusion", 0) == 0):
        words = f"{activation} {'without' if fc3.weight is None else 'with'} fc3, which isn't specified"
        yield Refusal("inputs", f"{words} with swiglu_fusion {attribute_int(node, 'swiglu_fusion', 0)}")
    for name in ("use_sparse_mixer", "swiglu_limit_after_activation"):
        if attribute_int(node, name, 0):
            yield Refusal("attribute", f"{name} is set, which onnxruntime does on GPUs only, so nothing was compared")
    if node.op_type == "QMoE":
        yield from format_refusals(node)
        if not attribute_int(node, "normalize_routing_weights", 0) and input_of(node, 14) is None:
            words = "normalize_routing_weights is 0 in QMoE, where onnxruntime's engines weigh differently"
            yield Refusal("attribute", f"{words}; give router_weights, or set it")


def _size_refusals(node: ir.Node, model: ir.Model) -> Iterator[Refusal]:
    x, router, fc2 = input_of(node, 0), input_of(node, 1), ExpertWeights.of(node, 1)
    if x is None or x.shape is None or len(x.shape) not in (2, 3) or not isinstance(x.shape[-1], int):
        yield Refusal("shape", "its input isn't known to be tokens of 2 or 3 axes and a hidden size; declare it so")
        return
    if router is None or router.shape is None or len(router.shape) != 2 or not isinstance(router.shape[1], int):
        yield Refusal("shape", "how many experts its router knows isn't known; declare the shape of router_probs")
        return
    experts, hidden, k = router.shape[1], x.shape[-1], attribute_int(node, "k", 1)
    if fc2.weight is None or fc2.weight.shape is None or not 1 <= k <= experts:
        yield Refusal("shape", f"it sends a token to {k} experts of {experts}")
        return
    inner, block = _inner(fc2), attribute_int(node, "block_size", 0)
    if 0 in (hidden, inner):
        yield Refusal("empty", "its experts are empty; remove the node")
    fused = 1 + (
        attribute_string(node, "activation_type", "relu") == "swiglu" and ExpertWeights.of(node, 2).weight is None
    )
    for index, (n, length) in enumerate([(fused * inner, hidden), (hidden, inner), (inner, hidden)]):
        yield from ExpertWeights.of(node, index).refusals(experts, n, length, block, model)
