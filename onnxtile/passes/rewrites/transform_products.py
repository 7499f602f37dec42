"""Fourier transforms written as products: what brings an axis, or frames of a signal, in front of the matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import lazily
from onnxtile.ir.attributes import given, input_of
from onnxtile.operators.measures import constant_int
from onnxtile.passes.rewrites.fourier import Fourier
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


def by_frames(new: Replacement, node: ir.Node, x: ir.Value, fourier: Fourier) -> ir.Value:
    """Return the STFT: frames are gathered, [batch, frames, length, parts], times the window, then by the matrix."""
    assert x.shape is not None and x.dtype is not None
    batch, samples, parts = x.shape
    assert isinstance(samples, int)
    step, length = constant_int(node, 1, "frame_step"), fourier.length
    count = (samples - length) // step + 1
    places = np.arange(count)[:, None] * step + np.arange(length)
    shape = ir.Shape([batch, count, length, parts])
    frames = new.node("Gather", "signal_frames", [x, new.constant("signal_places", places, INT64)], {"axis": 1}, shape)
    window = input_of(node, 2)
    if given(node, 2) and window is not None:
        column = new.node("Reshape", "window", [window, _numbers(new, "window_sizes", [length, 1])], dtype=x.dtype)
        frames = new.node("Mul", "signal_windowed", [frames, column], shape=shape)
    sizes = _numbers(new, "signal_sizes", [0, count, fourier.rows])
    rows = new.node("Reshape", "signal", [frames, sizes], shape=ir.Shape([batch, count, fourier.rows]))
    y = _product(new, rows, fourier, x.dtype)
    sizes = _numbers(new, "spectrum_sizes", [0, count, fourier.given, 2])
    return new.node("Reshape", "spectra", [y, sizes])
