"""Attention whose scores are masked by what is added to them: as many keys as the past and the new ones have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, attribute_int, input_of
from onnxtile.operators.attention import QUERIES_BY_KEYS, WEIGHTS_BY_VALUES
from onnxtile.operators.registry import products_of
from onnxtile.passes.rewrites.attention import Heads, attended, scaled, weights_of
from onnxtile.passes.rewrites.steps import Steps
from onnxtile.tiling.legality import Refusal

TYPES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.FLOAT)
FIRST_OPSET, BFLOAT16_FROM = 9, 16
"""Versions of the default operator set with Where, and with Where of bfloat16."""
FILTER = -10_000.0
"""What is added to the score of a key that's masked, where nobody says otherwise."""


@dataclass(frozen=True)
class Masking:
    """Hold what is added to scores: `filter` where `mask` hides a key, a type's lowest behind a query, and `bias`."""

    mask: ir.Value | None
    bias: ir.Value | None
    filter: float
    causal: bool

    @classmethod
    def of(cls, node: ir.Node, mask: int, bias: int | None) -> Masking:
        """Read a node's, whose inputs of these numbers are mask and bias."""
        value = input_of(node, mask)
        hides = value is not None and (value.shape is None or len(value.shape) != 2 or value.shape[1] != 1)
        return cls(
            value if hides else None,
            None if bias is None else input_of(node, bias),
            attribute_float(node, "mask_filter_value", FILTER),
            bool(attribute_int(node, "unidirectional", 0)),
        )


def heads_of(node: ir.Node) -> Heads | Refusal:
    """Return the sizes of a node's attention, as its products are declared, or why they aren't known."""
    products, query = products_of(node), input_of(node, 0)
    assert products is not None and products.sizes is not None and query is not None and query.shape is not None
    sizes = products.sizes(node)
    scores, values = sizes[QUERIES_BY_KEYS], sizes[WEIGHTS_BY_VALUES]
    heads, numbers = attribute_int(node, "num_heads", 0), (scores.m, scores.n, scores.k, values.n)
    queries, keys, size, value_size = (number if isinstance(number, int) else -1 for number in numbers)
    if min(queries, keys, size, value_size) < 0:
        return Refusal("unknown-shape", "the lengths and sizes of its heads aren't all numbers; bind free dimensions")
    if 0 in (queries, keys, size, value_size) or query.shape[0] == 0:
        return Refusal("empty", "it has no elements; remove the node")
    return Heads(query.shape[0], heads, heads, queries, keys, size, value_size)


def attended_masked(
    steps: Steps, q: ir.Value, k: ir.Value, v: ir.Value, heads: Heads, masking: Masking, scale: float
) -> ir.Value:
    """Add the attention of q [batch, queries, heads, size] to k and v [batch, heads, keys, size]."""

    def between(scores: ir.Value) -> ir.Value:
        added = _added(steps, masking, heads, scores.dtype)
        if added is not None:
            scores = steps("Add", "masked", scores, added)
        if masking.bias is not None:
            scores = steps("Add", "biased", scores, masking.bias)
        return weights_of(steps, scores, heads)

    return attended(steps, scaled(steps, "scaled_query", q, scale), k, v, heads, between)


def _added(steps: Steps, masking: Masking, heads: Heads, dtype: ir.DataType | None) -> ir.Value | None:
    """Add what masks the scores [batch or 1, 1, queries or 1, keys]; None: nothing does."""
    assert dtype is not None
    zero, hidden = (np.array(number, dtype.numpy()) for number in (0, masking.filter))
    added: ir.Value | None = None
    if masking.mask is not None:
        added = steps("Where", "mask_scores", _visible(steps, masking.mask, heads), zero, hidden, dtype=dtype)
    if masking.causal and heads.queries > 1:
        before = heads.keys - heads.queries
        sees = np.tri(heads.queries, heads.keys, before, bool)[None, None]
        lowest = np.array(dtype.min, dtype.numpy())
        if added is None:
            return steps.constant("causal", np.where(sees, zero, lowest))
        added = steps("Where", "causal_scores", sees, added, lowest, dtype=dtype)
    return added


def _visible(steps: Steps, mask: ir.Value, heads: Heads) -> ir.Value:
    """Add which keys a mask shows [batch, 1, queries or 1, keys]: marks, or where each sequence ends, or begins too."""
    assert mask.shape is not None
    is_bool = ir.DataType.BOOL
    if len(mask.shape) > 1:
        rows = heads.queries if len(mask.shape) == 3 else 1
        marks = steps.reshape("mask_marks", mask, [-1, 1, rows, heads.keys])
        return steps("Greater", "visible", marks, np.array(0, np.int32), dtype=is_bool)
    places = np.arange(heads.keys, dtype=np.int32)[None, None, None]
    if mask.shape[0] == heads.batch:
        return steps("Less", "visible", places, steps.reshape("ends", mask, [-1, 1, 1, 1]), dtype=is_bool)
    parts = steps.reshape("mask_parts", mask, [2, -1, 1, 1, 1])
    end, start = (
        steps.reshape(leaf, steps("Slice", f"{leaf}_part", parts, [at], [at + 1], [0]), [-1, 1, 1, 1])
        for at, leaf in enumerate(("ends", "starts"))
    )
    ahead = steps("Less", "before_start", places, start, dtype=is_bool)
    return steps(
        "And", "visible", steps("Less", "before_end", places, end, dtype=is_bool), steps("Not", "begun", ahead)
    )


def joined(steps: Steps, leaf: str, past: ir.Value | None, new: ir.Value, heads: Heads, size: int) -> ir.Value:
    """Add keys or values [batch, heads, keys, size] of the past and, behind them, the new ones."""
    if past is None:
        return new
    shape = [heads.batch, heads.heads, heads.keys, size]
    return steps("Concat", leaf, past, new, shape=shape, axis=2)


def split_projection(steps: Steps, projected: ir.Value, heads: Heads) -> list[ir.Value]:
    """Add query, key and value [batch, queries, heads, size]."""
    found, start = [], 0
    for leaf, size in (("query", heads.size), ("key", heads.size), ("value", heads.value_size)):
        end = start + heads.heads * size
        part = steps("Slice", leaf, projected, [start], [end], [2])
        shape = [heads.batch, heads.queries, heads.heads, size]
        found.append(steps.reshape(f"{leaf}_heads", part, [0, 0, heads.heads, size], shape))
        start = end
    return found


def mask_refusals(masking: Masking, heads: Heads) -> Iterator[Refusal]:
    """Yield why a mask can't be read."""
    mask = masking.mask
    if mask is not None:
        dims = None if mask.shape is None else list(mask.shape)
        known = ([heads.batch], [heads.batch, heads.keys], [heads.batch, heads.queries, heads.keys])
        both = dims is not None and isinstance(heads.batch, int) and dims == [2 * heads.batch]
        if dims not in known and not both:
            shapes = " or ".join("x".join(map(str, sizes)) for sizes in known)
            yield Refusal("mask", f"its mask is of shape {dims}, and {shapes} is understood; declare or change it")
        elif mask.dtype != ir.DataType.INT32:
            yield Refusal("mask", "its mask isn't of int32; cast it")
    bias = masking.bias
    if bias is not None and (bias.shape is None or len(bias.shape) != 4 or bias.shape[3] != heads.keys):
        yield Refusal(
            "shape", f"attention_bias isn't known to have 4 axes, the last of {heads.keys}; declare its shape"
        )


def type_and_opset_refusals(op_type: str, dtype: ir.DataType | None, opset: int) -> Iterator[Refusal]:
    """Yield why attention of this type can't be written out in this opset."""
    if dtype not in TYPES:
        yield Refusal("dtype", "its type isn't known" if dtype is None else f"{dtype.name} isn't tiled")
    if opset < FIRST_OPSET:
        yield Refusal("opset", f"opset {opset} has no Where for {op_type}; convert to {FIRST_OPSET} or newer")
    if dtype == ir.DataType.BFLOAT16 and opset < BFLOAT16_FROM:
        yield Refusal("opset", f"opset {opset} has no Where of BFLOAT16; convert to {BFLOAT16_FROM} or newer")
