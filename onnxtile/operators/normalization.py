"""Normalizations: what's taken from elements and what they're divided by comes of the elements themselves.

By mean and variance, for every row that is normalized as one: mean, deviations, their squares, the squares' mean, an
epsilon, a root, a quotient; then scale and shift. By root mean square: squares, their mean, an epsilon, a root, a
quotient; then scale. BatchNormalization for inference is a multiplication and an addition an element: its scale and
shift are worked out of statistics ahead of time.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int, attribute_ints
from onnxtile.ir.symbolic.amounts import Amount, product
from onnxtile.operators.elementwise import SIGMOID, SILU, activation
from onnxtile.operators.formula import Count, Formula, condition, measure
from onnxtile.operators.measures import (
    ROWS,
    X,
    Y,
    along,
    before,
    checked_axis,
    input_sizes,
    is_given,
    is_wanted,
    isnt,
    lines,
    of_input,
    output_sizes,
    version,
)
from onnxtile.operators.registry import MICROSOFT, NHWC, declare
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work


def by_variance(size: Count, rows: Count, scaled: Count | int = 0) -> Work:
    """Return the work for elements in rows, by mean and variance; `scaled`: what scales and shifts it then."""
    return ELEMENTWISE * (5 * size + rows + scaled) + TRANSCENDENTAL * rows


def by_root_mean_square(size: Count, rows: Count, scaled: Count) -> Work:
    """Return the work for elements in rows, by root mean square; `scaled` as in `by_variance`."""
    return ELEMENTWISE * (3 * size + rows + scaled) + TRANSCENDENTAL * rows


_BLOCKS = measure("blocks", "parts of X that are normalized as one: all axes from `axis` on, or those in `axes`")(
    lambda node, opset: before(node, attribute_int(node, "axis", -1))
)
_PLANES = measure("planes", "batch x channels")(lambda node, opset: along(node, 0, (0, 1)))
_PLANES_LAST = measure("planes", "")(lambda node, opset: along(node, 0, (0, -1)))
_CHANNELS = measure("channels", "length of the second axis of X")(lambda node, opset: along(node, 0, (1,)))


def _groups(attribute: str) -> Formula:
    return measure("groups", "batch x groups of channels")(
        lambda node, opset: product([attribute_int(node, attribute, 1), along(node, 0, (0,))])
    )


@condition("training")
def _trained(node: ir.Node, opset: int | None) -> bool:
    """Return whether it trains: since version 14 an attribute says so, from 7 on outputs, before that is_test."""
    if version(opset) >= 14:
        return bool(attribute_int(node, "training_mode", 0))
    if version(opset) >= 7:
        return any(value.name for value in node.outputs[1:])
    return not attribute_int(node, "is_test", 0)


_BATCH = 2 * ELEMENTWISE * X + (4 * ELEMENTWISE * X + (10 * ELEMENTWISE + TRANSCENDENTAL) * _CHANNELS) * _trained
"""Trained: mean, deviations, squares and their mean of X; a channel's scale and shift, and its running statistics."""
_WINDOW = measure("size", "channels that are summed")(lambda node, opset: attribute_int(node, "size", 1))


@measure("blocks", "")
def _blocks(node: ir.Node, opset: int | None) -> Amount:
    dims = input_sizes(node, 0)
    axes = attribute_ints(node, "axes", (0, 2, 3))
    inside = {checked_axis(axis, len(dims)) for axis in axes}
    return product(dim for axis, dim in enumerate(dims) if axis not in inside)


_LP_LINES = measure("lines", "")(lambda node, opset: lines(node, attribute_int(node, "axis", -1)))
declare("BatchNormalization", work=_BATCH, statistics=(3, 4))
declare("BatchNormalization", NHWC, work=2 * ELEMENTWISE * X, statistics=(3, 4))
declare("InstanceNormalization", work=by_variance(X, _PLANES, 2 * X))
declare("InstanceNormalization", NHWC, work=by_variance(X, _PLANES_LAST, 2 * X))
declare("GroupNormalization", work=by_variance(X, _groups("num_groups"), 2 * X))
declare("LayerNormalization", work=by_variance(X, _BLOCKS, X + X * is_given(2, "B")))
declare("RMSNormalization SimplifiedLayerNormalization", work=by_root_mean_square(X, _BLOCKS, X))
declare("MeanVarianceNormalization", work=ELEMENTWISE * (5 * X + 3 * _blocks) + TRANSCENDENTAL * _blocks)
# squares, sums, alpha / size, bias, a power, a quotient
declare("LRN", "", NHWC, work=ELEMENTWISE * (X * _WINDOW + 3 * X) + TRANSCENDENTAL * X)
declare("LpNormalization", work=ELEMENTWISE * (3 * X - _LP_LINES) + TRANSCENDENTAL * _LP_LINES * isnt("p", 1, 2))


@measure("branches", "rows of X's last axis, cut into `num_branches` where that is given")
def _branches(node: ir.Node, opset: int | None) -> Amount:
    return product([lines(node, -1), attribute_int(node, "num_branches", 1)])


@measure("heads", "stretches of X's last axis as long as `scale`")
def _heads(node: ir.Node, opset: int | None) -> Amount:
    last, length = input_sizes(node, 0, 1)[-1], product(input_sizes(node, 1))
    if not isinstance(last, int) or not isinstance(length, int) or not length or last % length:
        raise UnsizedError(f"how often its scale of {length} elements fits the last axis, {last}, isn't known")
    return product([lines(node, -1), last // length])


_OUT_ROWS = measure("rows", "")(lambda node, opset: product(output_sizes(node, 1)[:-1]))
_SKIPPED = ELEMENTWISE * X
_GROUPS = _groups("groups")
_SILU_BEHIND = SILU * X * isnt("activation", 0)
_SEGMENTS = is_given(1, "segment_ids")
_EMBEDDED = ELEMENTWISE * (Y + Y * _SEGMENTS) + MOVEMENT * (2 * Y + Y * _SEGMENTS)
"""Embeddings of words and positions, and of segments if they are given, are looked up and added."""
_MASKED = ELEMENTWISE * of_input(7, "mask") * is_given(7, "mask")
_WIDE_ROWS = measure("rows", "")(lambda node, opset: along(node, 0, (0, 1, 2)))
_TURNED = measure("rotary_embedding_dim", "")(lambda node, opset: attribute_int(node, "rotary_embedding_dim", 0))
declare(
    "SkipLayerNormalization",
    MICROSOFT,
    work=_SKIPPED + ELEMENTWISE * X * is_given(4, "bias") + by_variance(X, ROWS, X + X * is_given(3, "beta")),
)
declare(
    "SkipSimplifiedLayerNormalization",
    MICROSOFT,
    work=_SKIPPED + ELEMENTWISE * X * is_given(3, "bias") + by_root_mean_square(X, ROWS, X),
)
declare("EmbedLayerNormalization", MICROSOFT, work=_EMBEDDED + by_variance(Y, _OUT_ROWS, 2 * Y) + _MASKED)
declare(
    "QEmbedLayerNormalization",
    MICROSOFT,
    work=_EMBEDDED + ELEMENTWISE * (4 * Y + 2 * Y * _SEGMENTS) + by_variance(Y, _OUT_ROWS, 2 * Y) + _MASKED,
)
declare("GroupNorm", MICROSOFT, work=by_variance(X, _GROUPS, 2 * X) + _SILU_BEHIND)
declare(
    "SkipGroupNorm",
    MICROSOFT,
    work=_SKIPPED + ELEMENTWISE * X * is_given(4, "bias") + by_variance(X, _GROUPS, 2 * X) + _SILU_BEHIND,
)
declare("BranchwiseRMSNorm", MICROSOFT, work=by_root_mean_square(X, _branches, X * is_given(1, "scale")))
declare("GatedRMSNorm", MICROSOFT, work=by_root_mean_square(X, _heads, 2 * X) + activation("activation", "silu") * X)
declare("RMSNormRotary", MICROSOFT, work=by_root_mean_square(Y, _WIDE_ROWS, Y) + 3 * ELEMENTWISE * _WIDE_ROWS * _TURNED)
# keys and queries normalized, their dot product, what makes a gate of it, the gate's product with the values
declare(
    "EngramGate",
    MICROSOFT,
    work=by_root_mean_square(X, ROWS, X) * 2
    + (ELEMENTWISE * 2 * X + (3 * ELEMENTWISE + TRANSCENDENTAL + COMPARISON + SIGMOID) * ROWS)
    + ELEMENTWISE * Y
    + by_root_mean_square(Y, ROWS, Y) * is_wanted(1, "gated_value_normed"),
)
declare("HyperConnectionPreMix", MICROSOFT, work=ELEMENTWISE * (2 * X - Y + Y * isnt("reduction_scale", 1)))
