"""Write onnxruntime's Attention and QAttention out: queries, keys and values are one product of the input."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, attribute_int, input_of
from onnxtile.operators.attention_ort import PROJECTION
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.arithmetic import Arithmetic
from onnxtile.passes.rewrites.attention import Heads
from onnxtile.passes.rewrites.masked_attention import (
    Masking,
    attended_masked,
    heads_of,
    joined,
    mask_refusals,
    split_projection,
    type_and_opset_refusals,
)
from onnxtile.passes.rewrites.quantization import Quantized, integer_product, integer_refusals, rescaled
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.steps import Steps
from onnxtile.tiling.legality import Refusal

INPUTS: dict[str, dict[str, int]] = {
    "Attention": {"mask": 3, "past": 4, "added": 5, "shared": 6},
    "QAttention": {"mask": 5, "past": 8},
}
ATTRIBUTES = {
    "num_heads", "scale", "mask_filter_value", "unidirectional", "qkv_hidden_sizes", "do_rotary",
    "rotary_embedding_dim", "past_present_share_buffer",
}  # fmt: skip


@dataclass(frozen=True)
class DecomposeProjectedAttention(Decompose):
    """Y = softmax(scale * Q @ K' + masks) @ V of [Q K V] = X @ W + bias, for every Attention that exceeds `max`.

    None given: for every one. That of QAttention is a product of integers, which is scaled once.
    """

    operators = lowered_by("decompose-projected-attention")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node, opset = product.node, product.opset or 0
        if product.reason:
            return
        at, quantized = INPUTS[node.op_type], node.op_type == "QAttention"
        yield from type_and_opset_refusals(node.op_type, node.inputs[2 if quantized else 0].dtype, opset)  # type: ignore[union-attr]
        for name in sorted(node.attributes.keys() - ATTRIBUTES):
            yield Refusal("attribute", f"{node.op_type} has no attribute {name!r}; remove it")
        if attribute_int(node, "do_rotary", 0):
            yield Refusal("rotary", "it rotates queries and keys, which no engine here can confirm; do that outside")
        if attribute_int(node, "past_present_share_buffer", 0) or input_of(node, at.get("shared", 99)) is not None:
            yield Refusal("cache", "its past is in a shared buffer, which isn't lowered; export it without one")
        heads = heads_of(node)
        if isinstance(heads, Refusal):
            yield heads
            return
        if input_of(node, at["past"]) is not None and heads.size != heads.value_size:
            yield Refusal("shape", "it has a past, and keys and values of different sizes; give them one size")
        yield from mask_refusals(Masking.of(node, at["mask"], at.get("added")), heads)
        if quantized:
            a, b = _quantized(node)
            yield from integer_refusals((a, b))
            yield from a.refusals(1, model)
            yield from b.refusals(heads.heads * (2 * heads.size + heads.value_size), model)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, steps, heads, at = product.node, Steps(new), heads_of(product.node), INPUTS[product.node.op_type]
        assert not isinstance(heads, Refusal)
        projected = self._projected(steps, product, heads, model)
        q, k, v = split_projection(steps, projected, heads)
        k, v = (new.transpose(f"{leaf}_by_head", x, [0, 2, 1, 3]) for leaf, x in (("keys", k), ("values", v)))
        past = input_of(node, at["past"])
        if past is not None:
            old = heads.keys - heads.queries
            shape = [heads.heads, old, heads.size]
            k, v = (
                joined(steps, f"all_{leaf}", steps.reshape(f"past_{leaf}", steps(
                    "Slice", f"past_{leaf}_part", past, [which], [which + 1], [0]), [-1, *shape]), x, heads, heads.size)
                for which, (leaf, x) in enumerate((("keys", k), ("values", v)))
            )  # fmt: skip
        scale = attribute_float(node, "scale", 0.0) or 1 / math.sqrt(heads.size)
        masking = Masking.of(node, at["mask"], at.get("added"))
        y = attended_masked(steps, q, k, v, heads, masking, scale)
        present = None
        if len(node.outputs) > 1 and node.outputs[1].name:
            sizes = [1, -1, heads.heads, heads.keys, heads.size]
            parts = [steps.reshape(f"kept_{leaf}", x, sizes) for leaf, x in (("keys", k), ("values", v))]
            present = steps("Concat", "kept", *parts, axis=0)
        new.swap_in(*(y, present)[: len(node.outputs)])

    def _projected(self, steps: Steps, product: Contraction, heads: Heads, model: ir.Model) -> ir.Value:
        """Add X @ W + bias [batch, queries, hidden sizes of Q + K + V]."""
        node, bias = product.node, input_of(product.node, 2)
        x, weights = node.inputs[:2]
        assert x is not None and weights is not None and weights.shape is not None
        shape = ir.Shape([heads.batch, heads.queries, weights.shape[1]])
        if node.op_type == "QAttention":
            fold, float_ = Arithmetic(steps.new, model, product.opset or 0), ir.DataType.FLOAT
            a, b = _quantized(node)
            assert a.scale is not None and b.scale is not None
            total = integer_product(fold, a, b, shape)
            total.shape = shape
            scales = a.parameter(fold, a.scale, "a_scale"), b.parameter(fold, b.scale, "b_scale")
            scale = fold.of("Mul", "scales", *scales, float_)
            y = rescaled(fold, total, scale, Quantized("Y", None))
        else:
            y = steps("MatMul", "projection", x, weights, shape=shape)
            steps.new.stand_in(f"/{PROJECTION}")
        return y if bias is None else steps("Add", "projected", y, bias, shape=shape)


def _quantized(node: ir.Node) -> tuple[Quantized, Quantized]:
    """Return the input and the weights of a QAttention."""
    a, b = (
        Quantized(letter, *(input_of(node, index) for index in indices))
        for letter, indices in (("A", (0, 3, 6)), ("B", (1, 4, 7)))
    )
    return a, b
