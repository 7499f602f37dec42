"""Attention in plain operators: Y = softmax(scale * Q @ K' + what is between) @ V, by heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.passes.rewrites.steps import Size, Steps

MINUS_INFINITY = -np.inf


@dataclass(frozen=True)
class Heads:
    """Sizes of an attention: only `batch` may be known at run time alone.

    `queries`, `keys`: lengths. Every `heads / kv_heads` heads of the query share one of the keys and values.
    """

    batch: Size
    heads: int
    kv_heads: int
    queries: int
    keys: int
    size: int
    value_size: int

    @property
    def shared(self) -> int:
        return self.heads // self.kv_heads


def attended(
    steps: Steps, q: ir.Value, k: ir.Value, v: ir.Value, heads: Heads, between: Callable[[ir.Value], ir.Value]
) -> ir.Value:
    """Add the attention of q [batch, queries, heads, size], scaled already, to k and v [batch, kv_heads, keys, size].

    `between` adds what makes weights of scores [batch, heads, queries, keys]. Query heads that share keys are rows of
    one product. Returns [batch, queries, heads * value_size].
    """
    rows = heads.shared * heads.queries
    q = by_head(steps, "queries", q, heads)
    by_kv = (heads.batch, heads.kv_heads)
    turned = steps("Transpose", "keys_turned", k, shape=[*by_kv, heads.size, heads.keys], perm=[0, 1, 3, 2])
    scores = steps("MatMul", "scores", q, turned, shape=[*by_kv, rows, heads.keys])
    steps.new.stand_in("/queries by keys")
    by_heads = (heads.batch, heads.heads, heads.queries, heads.keys)
    if heads.shared > 1:
        scores = steps.reshape("scores_by_head", scores, [0, *by_heads[1:]], by_heads)
    weights = between(scores)
    if heads.shared > 1:
        weights = steps.reshape("weights_by_key", weights, [0, heads.kv_heads, rows, heads.keys])
    weights.shape = ir.Shape([*by_kv, rows, heads.keys])
    y = steps("MatMul", "attended", weights, v, shape=[*by_kv, rows, heads.value_size])
    steps.new.stand_in("/weights by values")
    apart = [heads.kv_heads, heads.shared, heads.queries, heads.value_size]
    if heads.shared > 1:
        y = steps.reshape("attended_apart", y, [0, *apart])
        y = steps("Transpose", "attended_by_query", y, perm=[0, 3, 1, 2, 4])
    else:
        y = steps("Transpose", "attended_by_query", y, perm=[0, 2, 1, 3])
    width = heads.heads * heads.value_size
    return steps.reshape("attended_flat", y, [0, heads.queries, width], [heads.batch, heads.queries, width])


def by_head(steps: Steps, leaf: str, q: ir.Value, heads: Heads) -> ir.Value:
    """Add queries [batch, queries, heads, size] as [batch, kv_heads, heads that share * queries, size]."""
    if heads.shared == 1:
        shape = [heads.batch, heads.heads, heads.queries, heads.size]
        return steps("Transpose", f"{leaf}_by_head", q, shape=shape, perm=[0, 2, 1, 3])
    q = steps.reshape(f"{leaf}_apart", q, [0, heads.queries, heads.kv_heads, heads.shared, heads.size])
    q = steps("Transpose", f"{leaf}_turned", q, perm=[0, 2, 3, 1, 4])
    rows = heads.shared * heads.queries
    shape = [heads.batch, heads.kv_heads, rows, heads.size]
    return steps.reshape(f"{leaf}_by_head", q, [0, heads.kv_heads, rows, heads.size], shape)


def scaled(steps: Steps, leaf: str, value: ir.Value, factor: float) -> ir.Value:
    """Add the value times a factor; 1 costs no node."""
    assert value.dtype is not None
    number = np.array(factor, value.dtype.numpy())
    return value if number == 1 else steps("Mul", leaf, value, number, shape=value.shape)


def capped(steps: Steps, scores: ir.Value, cap: float) -> ir.Value:
    """Add cap * tanh(scores / cap); a cap of 0 is none."""
    if not cap:
        return scores
    assert scores.dtype is not None
    number = steps.constant("cap", np.array(cap, scores.dtype.numpy()))
    return steps("Mul", "capped", steps("Tanh", "bent", steps("Div", "shrunk", scores, number)), number)


def masked(steps: Steps, scores: ir.Value, visible: ir.Value) -> ir.Value:
    """Add the scores, minus infinity where a key isn't visible."""
    assert scores.dtype is not None
    return steps("Where", "masked", visible, scores, np.array(MINUS_INFINITY, scores.dtype.numpy()), dtype=scores.dtype)


def weights_of(steps: Steps, scores: ir.Value, heads: Heads, sink: ir.Value | None = None) -> ir.Value:
    """Add the Softmax of the last axis. `sink`: a score more a head [heads], or a number, whose weight is left out."""
    if sink is None:
        return steps("Softmax", "weights", scores, axis=-1)
    column = steps.reshape("sink", sink, [1, -1, 1, 1])
    sizes = steps("Shape", "score_sizes", scores, dtype=ir.DataType.INT64)
    first = steps("Slice", "sink_batch", sizes, [0], [1], [0])
    sizes = steps("Concat", "sink_shape", first, [heads.heads, heads.queries, 1], axis=0)
    column = steps("Expand", "sink_column", column, sizes)
    wide = steps("Softmax", "weights_with_sink", steps("Concat", "with_sink", scores, column, axis=-1), axis=-1)
    return steps("Slice", "weights", wide, [0], [heads.keys], [3])


def rotated(
    steps: Steps, leaf: str, x: ir.Value, cos: ir.Value, sin: ir.Value, size: int, interleaved: bool
) -> ir.Value:
    """Add the rotary embedding of x [batch, length, heads, size].

    cos, sin: [batch or 1, length, 1, half of what is rotated]; the rest of a head stays. Pairs are halves of what is
    rotated, or neighbours where it's interleaved: (a, b) becomes (a cos - b sin, a sin + b cos).
    """
    assert cos.shape is not None and isinstance(cos.shape[3], int)
    half = cos.shape[3]
    turned = x if size == 2 * half else steps("Slice", f"{leaf}_rotary", x, [0], [2 * half], [3])
    if interleaved:
        pairs = steps.reshape(f"{leaf}_pairs", turned, [0, 0, 0, half, 2])
        cos, sin = (
            steps.reshape(f"{leaf}_{name}", value, [0, 0, 0, half, 1]) for name, value in (("cos", cos), ("sin", sin))
        )
        a, b = (steps("Slice", f"{leaf}_{name}", pairs, [at], [at + 1], [4]) for at, name in enumerate("ab"))
    else:
        a, b = (
            steps("Slice", f"{leaf}_{name}", turned, [at * half], [(at + 1) * half], [3])
            for at, name in enumerate("ab")
        )
    one = steps("Sub", f"{leaf}_one", steps("Mul", f"{leaf}_a_cos", a, cos), steps("Mul", f"{leaf}_b_sin", b, sin))
    other = steps("Add", f"{leaf}_other", steps("Mul", f"{leaf}_a_sin", a, sin), steps("Mul", f"{leaf}_b_cos", b, cos))
    y = steps("Concat", f"{leaf}_joined", one, other, axis=-1)
    if interleaved:
        y = steps.reshape(f"{leaf}_flat", y, [0, 0, 0, 2 * half])
    if size != 2 * half:
        y = steps("Concat", f"{leaf}_whole", y, steps("Slice", f"{leaf}_rest", x, [2 * half], [size], [3]), axis=-1)
    y.shape = x.shape
    return y
