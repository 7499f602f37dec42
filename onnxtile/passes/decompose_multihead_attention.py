"""Write onnxruntime's MultiHeadAttention out: Y = softmax(scale * Q @ K' + masks) @ V, by heads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, attribute_int, input_of
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.attention import Heads
from onnxtile.passes.rewrites.masked_attention import (
    Masking,
    attended_masked,
    heads_of,
    joined,
    mask_refusals,
    type_and_opset_refusals,
)
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.steps import Steps
from onnxtile.tiling.legality import Refusal

INPUTS = {
    "MultiHeadAttention": {"bias": 3, "mask": 4, "added": 5, "past": 6, "shared": 8, "beams": 9},
    "DecoderMaskedMultiHeadAttention": {"mask": 3, "added": 4, "past": 5, "shared": 7, "beams": 9, "bias": 10},
}
"""Numbers of inputs behind query, key and value; `past` is followed by that of the values."""
ATTRIBUTES = {
    "num_heads", "scale", "mask_filter_value", "unidirectional", "past_present_share_buffer", "output_qk"
}  # fmt: skip


@dataclass(frozen=True)
class DecomposeMultiheadAttention(Decompose):
    """Y = softmax(scale * Q @ K' + masks) @ V, for every MultiHeadAttention of which a product exceeds `max`.

    None given: for every one, and for every DecoderMaskedMultiHeadAttention without beams and without a shared buffer,
    which means the same for one token. What masks scores is added to them.
    """

    operators = lowered_by("decompose-multihead-attention")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node = product.node
        if product.reason:
            return
        yield from type_and_opset_refusals(node.op_type, product.dtype, product.opset or 0)
        for name in sorted(node.attributes.keys() - ATTRIBUTES):
            yield Refusal("attribute", f"{node.op_type} has no attribute {name!r}; remove it")
        at = INPUTS[node.op_type]
        if any(input_of(node, at[name]) is not None for name in ("shared", "beams")) or attribute_int(
            node, "past_present_share_buffer", 0
        ):
            yield Refusal("cache", "its past is in a shared buffer, or of several beams, which isn't lowered")
        if len(node.outputs) > 3 and node.outputs[3].name:
            yield Refusal("output", "it gives its scores away (qk), which isn't lowered; take them from elsewhere")
        heads = heads_of(node)
        if isinstance(heads, Refusal):
            yield heads
            return
        yield from mask_refusals(Masking.of(node, at["mask"], at["added"]), heads)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, steps = product.node, Steps(new)
        heads, at = heads_of(node), INPUTS[node.op_type]
        assert not isinstance(heads, Refusal)
        q, k, v = _operands(steps, node, heads)
        pasts = [input_of(node, at["past"] + index) for index in (0, 1)]
        k, v = (
            joined(steps, f"all_{leaf}", past, x, heads, size)
            for leaf, past, x, size in zip(
                ("keys", "values"), pasts, (k, v), (heads.size, heads.value_size), strict=True
            )
        )
        masking = Masking.of(node, at["mask"], at["added"])
        scale = attribute_float(node, "scale", 0.0) or 1 / math.sqrt(heads.size)
        y = attended_masked(steps, q, k, v, heads, masking, scale)
        presents = [
            steps("Identity", f"kept_{leaf}", x) if output.name else None
            for leaf, x, output in zip(("keys", "values"), (k, v), node.outputs[1:3], strict=False)
        ]
        new.swap_in(*(y, *presents, None)[: len(node.outputs)])


def _operands(steps: Steps, node: ir.Node, heads: Heads) -> list[ir.Value]:
    """Add the query [batch, queries, heads, size], and key and value [batch, heads, new keys, size]."""
    bias, start = input_of(node, INPUTS[node.op_type]["bias"]), 0
    sizes, found = (heads.size, heads.size, heads.value_size), []
    for leaf, value, size in zip(("query", "key", "value"), _flat(steps, node, heads), sizes, strict=True):
        assert value.shape is not None
        if len(value.shape) == 4:  # by heads already, and without a bias
            found.append(value)
            continue
        width, length = heads.heads * size, value.shape[1]
        if bias is not None:
            part = steps("Slice", f"{leaf}_bias", bias, [start], [start + width], [0])
            value = steps("Add", f"{leaf}_biased", value, part)
        start += width
        shape = [heads.batch, length, heads.heads, size]
        value = steps.reshape(f"{leaf}_heads", value, [0, 0, heads.heads, size], shape)
        if leaf != "query":
            value = steps.new.transpose(f"{leaf}_by_head", value, [0, 2, 1, 3])
        found.append(value)
    return found


def _flat(steps: Steps, node: ir.Node, heads: Heads) -> list[ir.Value]:
    """Add query, key and value [batch, length, heads * size], which may come in one; those by heads stay so."""
    given = [value for value in node.inputs[:3] if value is not None]
    flat: list[ir.Value] = []
    for value in given:
        assert value.shape is not None
        dims, leaf = list(value.shape), ("query", "key", "value")[len(flat)]
        if len(dims) == 5:  # [batch, length, heads, how many, size]
            for at in range(int(str(dims[3]))):
                part = steps("Slice", f"{leaf}_{at}_part", value, [at], [at + 1], [3])
                shape = [dims[0], dims[1], heads.heads * heads.size]
                flat.append(steps.reshape(f"{leaf}_{at}", part, [0, 0, heads.heads * heads.size], shape))
        elif len(given) == 1:
            widths = [heads.heads * size for size in (heads.size, heads.size, heads.value_size)]
            ends = [sum(widths[: at + 1]) for at in range(3)]
            flat += [
                steps("Slice", f"packed_{at}", value, [end - width], [end], [2], shape=[*dims[:2], width])
                for at, (end, width) in enumerate(zip(ends, widths, strict=True))
            ]
        else:
            flat.append(value)
    return flat
