"""Fourier transforms written as products: what brings an axis, or frames of a signal, in front of the matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import lazily
from onnxtile.ir.attributes import given, input_of
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.measures import constant_int
from onnxtile.operators.transforms import stft_signal
from onnxtile.passes.rewrites.fourier import Fourier
from onnxtile.passes.rewrites.moves import Moves, dims_of
from onnxtile.passes.rewrites.replacement import Replacement

INT64 = ir.DataType.INT64


def _product(new: Replacement, rows: ir.Value, fourier: Fourier, dtype: ir.DataType) -> ir.Value:
    assert rows.shape is not None
    numbers = lazily(lambda: fourier.matrix(dtype), dtype, [fourier.rows, fourier.columns])
    shape = ir.Shape([*rows.shape[:-1], fourier.columns])
    y = new.node("MatMul", "product", [rows, new.constant("matrix", numbers)], shape=shape)
    new.stand_in()
    return y


def _numbers(new: Replacement, leaf: str, numbers: Sequence[int]) -> ir.Value:
    return new.constant(leaf, np.array(numbers, np.int64), INT64)


def along_an_axis(new: Replacement, x: ir.Value, fourier: Fourier, axis: int) -> ir.Value:
    """Return the DFT: the axis stands before the parts, and both become the rows of the matrix."""
    assert x.shape is not None and x.dtype is not None
    rank = len(x.shape)
    order = [*(index for index in range(rank) if index not in (axis, rank - 1)), axis, rank - 1]
    turned = new.transpose("signal_turned", x, order)
    others = [x.shape[index] for index in order[:-2]]
    if x.shape[axis] != fourier.taken:
        bounds = [
            _numbers(new, f"signal_{leaf}", [at])
            for leaf, at in (("from", 0), ("to", fourier.taken), ("axis", rank - 2))
        ]
        shape = ir.Shape([*others, fourier.taken, fourier.parts])
        turned = new.node("Slice", "signal_taken", [turned, *bounds], shape=shape)
    sizes = _numbers(new, "signal_sizes", [*[0] * len(others), fourier.rows])
    rows = new.node("Reshape", "signal", [turned, sizes], shape=ir.Shape([*others, fourier.rows]))
    y = _product(new, rows, fourier, x.dtype)
    parts = [fourier.given, fourier.given_parts]
    sizes = _numbers(new, "spectrum_sizes", [*[0] * len(others), *parts])
    y = new.node("Reshape", "spectrum_parts", [y, sizes], shape=ir.Shape([*others, *parts]))
    return new.transpose("spectrum", y, [order.index(index) for index in range(rank)])


def by_frames(new: Replacement, node: ir.Node, x: ir.Value, fourier: Fourier, opset: int) -> ir.Value:
    """Return the STFT: frames are gathered, [batch, frames, length, parts], times the window, then by the matrix."""
    moves, length, dtype = Moves(new, opset), fourier.length, x.dtype
    assert dtype is not None
    batch, samples, parts = stft_signal(node)
    if len(dims_of(x)) == 2:
        x = moves.node("Unsqueeze", "signal_parts", [x, moves.numbers("signal_parts_axis", [2])], [batch, samples, 1])
    places, count = _places(moves, x, constant_int(node, 1, "frame_step"), length)
    shape = [batch, count, length, parts]
    frames = moves.node("Gather", "signal_frames", [x, places], shape, {"axis": 1})
    window = input_of(node, 2)
    if given(node, 2) and window is not None:
        column = new.node("Reshape", "window", [window, moves.numbers("window_sizes", [length, 1])], dtype=dtype)
        frames = moves.node("Mul", "signal_windowed", [frames, column], shape)
    sizes = moves.numbers("signal_sizes", [0, 0, fourier.rows])
    rows = moves.node("Reshape", "signal", [frames, sizes], [batch, count, fourier.rows])
    y = _product(new, rows, fourier, dtype)
    sizes = moves.numbers("spectrum_sizes", [0, 0, fourier.given, 2])
    return moves.node("Reshape", "spectra", [y, sizes], [batch, count, fourier.given, 2])


def _places(moves: Moves, x: ir.Value, step: int, length: int) -> tuple[ir.Value, Dim]:
    """Return where samples of frames lie in the signal, [frames, length], and how many frames there are."""
    samples = dims_of(x)[1]
    if isinstance(samples, int):
        count = (samples - length) // step + 1
        places = np.arange(count)[:, None] * step + np.arange(length)
        return moves.new.constant("signal_places", places, INT64), count
    sizes = moves.new.node("Shape", "signal_size", [x], shape=ir.Shape([3]), dtype=INT64)
    first, second, by = (
        moves.new.constant(f"frames_{leaf}", np.array(number, np.int64), INT64)
        for leaf, number in (("first", 0), ("axis", 1), ("step", step))
    )
    own = moves.node("Gather", "signal_samples", [sizes, second], [], {"axis": 0})
    behind = moves.new.constant("frames_behind", np.array(length - 1, np.int64), INT64)
    end = moves.node("Sub", "frames_end", [own, behind], [])
    starts = moves.node("Range", "frame_starts", [first, end, by], [None])
    column = moves.node("Reshape", "frame_column", [starts, moves.numbers("frame_column_sizes", [-1, 1])], [None, 1])
    within = moves.numbers("frame_places", range(length))
    return moves.node("Add", "signal_places", [column, within], [None, length]), None
