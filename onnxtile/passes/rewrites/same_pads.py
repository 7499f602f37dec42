"""The padding of auto_pad SAME, worked out at run time: for strides along axes of unknown length."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.operators.windows import Geometry
from onnxtile.passes.rewrites.moves import Moves

INT64 = ir.DataType.INT64


def same_pads(moves: Moves, x: ir.Value, geometry: Geometry) -> ir.Value:
    """Add the pads of x along all its axes: along each of its positions (ceil(L / s) - 1) * s + extent - L in all.

    The larger half is at the end, or at the begin where auto_pad is SAME_LOWER. None is negative where no stride is
    longer than the extent.
    """
    axes = geometry.axes
    count, first = len(axes), 1 if geometry.channels_last else 2
    sizes = moves.new.node("Shape", "x_pads_sizes", [x], shape=ir.Shape([count + 2]), dtype=INT64)
    lengths = moves.slice("x_pads_lengths", sizes, 0, first, first + count, 1, count)

    def of(op_type: str, leaf: str, left: ir.Value, right: ir.Value) -> ir.Value:
        return moves.new.node(op_type, leaf, [left, right], shape=left.shape, dtype=left.dtype)

    strides = moves.numbers("x_pads_strides", [axis.stride for axis in axes])
    less_1 = moves.numbers("x_pads_strides_less_1", [axis.stride - 1 for axis in axes])
    extents = moves.numbers("x_pads_extents", [axis.extent for axis in axes])
    one, two = moves.numbers("x_pads_one", [1] * count), moves.numbers("x_pads_two", [2] * count)
    windows = of("Div", "x_pads_windows", of("Add", "x_pads_rounded_up", lengths, less_1), strides)
    last = of("Mul", "x_pads_last_start", of("Sub", "x_pads_last_window", windows, one), strides)
    total = of("Sub", "x_pads_beyond", of("Add", "x_pads_reach", last, extents), lengths)
    begins = of("Div", "x_pads_begins", of("Add", "x_pads_plus_1", total, one) if geometry.lower else total, two)
    ends = of("Sub", "x_pads_ends", total, begins)
    front, back = [0] * first, [0] * (2 - first)
    zeros = {
        leaf: moves.numbers(f"x_pads_{leaf}", numbers)
        for leaf, numbers in (("front", front), ("between", back + front), ("back", back))
        if numbers
    }
    pieces = [zeros["front"], begins, zeros["between"], ends, *([zeros["back"]] if back else [])]
    return moves.concat("x_pads", pieces, 0)
