"""Resampling: output elements are interpolated between neighbours, along one axis after the other.

n neighbours along an axis take n multiplications and n - 1 additions: linear has 2, cubic 4, with antialias more where
it shrinks; so d axes of n neighbours take (2n - 1)(n^d - 1)/(n - 1) an element. Nearest copies. Where a place to read
follows from sizes (Resize), finding it and its neighbours' weights isn't counted: that's once for a row. Where it
follows from data (GridSample, RoiAlign, DeformConv), it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int, attribute_ints, attribute_string
from onnxtile.ir.symbolic.amounts import Amount, product
from onnxtile.operators.formula import Formula, measure
from onnxtile.operators.measures import Y, checked_axis, input_sizes, of_input, output_sizes, says
from onnxtile.operators.registry import MICROSOFT, NCHWC, NHWC, declare
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT

_TAPS = {"linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}


def interpolated(taps: Sequence[int]) -> int:
    """Return the operations for one element with so many neighbours along each axis."""
    count, lines = 0, 1
    for neighbours in taps:
        count += lines * (2 * neighbours - 1)
        lines *= neighbours
    return count


def taps_of(mode: str) -> int:
    """Return the neighbours along an axis; UnsizedError for an unknown mode."""
    if mode not in _TAPS:
        raise UnsizedError(f"how its mode {mode!r} interpolates isn't known")
    return _TAPS[mode]


@measure("interpolation", "operations for one element by its neighbours; 0 where the nearest is copied")
def _resized(node: ir.Node, opset: int | None) -> Amount:
    """Count along the axes whose sizes differ, or that are cropped; the others have one neighbour with the weight 1."""
    mode = attribute_string(node, "mode", "nearest")
    if mode == "nearest":
        return 0
    taps, before, after = taps_of(mode), input_sizes(node, 0), output_sizes(node)
    if len(before) != len(after):
        raise UnsizedError(f"its input has {len(before)} axes and its output {len(after)}")
    pairs = zip(before, after, strict=True)
    resized = {axis for axis, (old, new) in enumerate(pairs) if old != new} | _cropped(node, len(before))
    if not attribute_int(node, "antialias", 0):
        return interpolated([taps] * len(resized))
    return interpolated([_antialiased(taps, before[axis], after[axis]) for axis in sorted(resized)])


def _cropped(node: ir.Node, rank: int) -> set[int]:
    if attribute_string(node, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize":
        return set()
    return {checked_axis(axis, rank) for axis in attribute_ints(node, "axes", range(rank))}


def _antialiased(taps: int, old: Amount, new: Amount) -> int:
    """Return the neighbours with antialias, as in onnx's reference: the filter is as much wider as the axis shrinks."""
    if not isinstance(old, int) or not isinstance(new, int) or not new:
        raise UnsizedError("how wide its filter is depends on how much it shrinks, which isn't known")
    return 2 - 2 * (math.floor(-(taps // 2) / min(new / old, 1)) + 1)


def by_data(default: str, axes: Callable[[ir.Node], int]) -> Formula:
    """Return the measure of an interpolation along so many axes."""

    def read(node: ir.Node, opset: int | None) -> Amount:
        mode = attribute_string(node, "mode", default)
        return 0 if mode == "nearest" else interpolated([taps_of(mode)] * axes(node))

    return measure("interpolation", "")(read)


def _axes_of_grid(node: ir.Node) -> int:
    axes = input_sizes(node, 1, 1)[-1]
    if not isinstance(axes, int):
        raise UnsizedError("how many axes its grid has isn't known")
    return axes


@measure("weights of a coordinate", "what its place takes (4, 3 with align_corners), and weights: linear 3, cubic 27")
def _coordinate(node: ir.Node, opset: int | None) -> Amount:
    """Count (x + 1) * length - 1, halved, or (x + 1) / 2 * (length - 1), and its rounding or weights."""
    mode = attribute_string(node, "mode", "linear")
    weights = 1 if mode == "nearest" else 3 if taps_of(mode) == 2 else 27
    return (3 if attribute_int(node, "align_corners", 0) else 4) + weights


@measure("samples", "sampling_ratio squared")
def _samples(node: ir.Node, opset: int | None) -> Amount:
    ratio = attribute_int(node, "sampling_ratio", 0)
    if ratio <= 0:
        raise UnsizedError("how many samples a bin takes depends on the regions: its sampling_ratio is 0")
    return ratio * ratio


_BINS = measure("bins", "Y without its channels")(
    lambda node, opset: product(dim for axis, dim in enumerate(output_sizes(node, 2)) if axis != 1)
)
_GRID = of_input(1, "grid")
_RESIZE = MOVEMENT * Y * says("mode", "nearest", default="nearest") + ELEMENTWISE * Y * _resized
_GRID_SAMPLE = MOVEMENT * Y * says("mode", "nearest") + ELEMENTWISE * (
    _GRID * _coordinate + Y * by_data("linear", _axes_of_grid)
)
# a sample: 10 for its place in both axes and 4 weights, then 4 products; an average adds and divides them, max compares
_SAMPLED = ELEMENTWISE * (10 * _BINS * _samples + 4 * Y * _samples)
_ROI_ALIGN = (
    _SAMPLED
    + ELEMENTWISE * 4 * Y * _samples * says("mode", "avg", default="avg")
    + COMPARISON * (4 * Y * _samples - Y) * says("mode", "max", default="avg")
)
_CROPS = MOVEMENT * Y * says("mode", "nearest", default="bilinear") + ELEMENTWISE * Y * by_data(
    "bilinear", lambda node: 2
)
declare("Resize", "", NHWC, work=_RESIZE, settings=(1, 2, 3))
declare("Upsample", "", NCHWC, work=_RESIZE, settings=(1,))
declare("GridSample", "", MICROSOFT, NHWC, work=_GRID_SAMPLE)
declare("RoiAlign", work=_ROI_ALIGN, settings=(1, 2))
declare("CropAndResize", MICROSOFT, work=_CROPS, settings=(1, 2, 3))
