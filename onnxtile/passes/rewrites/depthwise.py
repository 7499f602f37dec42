"""Depthwise convolutions without a product: each kernel position's elements times its weights, added up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product as every
from typing import Literal, TypeAlias

import numpy as np
import onnx_ir as ir

from onnxtile.errors import wrong_name
from onnxtile.ir.arrays import lazily, read_array
from onnxtile.ir.dtypes import WIDER
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.windows import Geometry, WindowAxis
from onnxtile.passes.rewrites.im2col import padded_data
from onnxtile.passes.rewrites.moves import ENDLESS, Moves, dims_of
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal

DepthwiseName: TypeAlias = Literal["vector", "keep", "gemm"]
DEPTHWISE: tuple[DepthwiseName, ...] = ("vector", "keep", "gemm")
"""List choices for convolutions whose channels have kernels of their own: sums of elements, products, or nothing."""


def check_depthwise(choice: str) -> None:
    """Raise UsageError for what is no choice."""
    if choice not in DEPTHWISE:
        raise wrong_name(f"depthwise is {choice!r}", choice, DEPTHWISE)


def kept(geometry: Geometry, choice: DepthwiseName) -> Iterator[Refusal]:
    """Yield the reason that a convolution stays as it is, where that's the choice for its kind."""
    if choice == "keep" and is_depthwise(geometry):
        words = "its channels have kernels of their own, which --depthwise keep leaves as they are"
        yield Refusal("depthwise", words)


def is_depthwise(geometry: Geometry) -> bool:
    """Return whether each channel has kernels of its own."""
    return geometry.group > 1 and geometry.channels_of_group == 1


class Depthwise:
    """Writes a depthwise convolution as a Slice, a Mul and an Add for each kernel position.

    Sums of float16 and bfloat16 are added in float32, and rounded once.
    """

    def __init__(self, new: Replacement, geometry: Geometry, opset: int) -> None:
        self._new, self._geometry, self._moves = new, geometry, Moves(new, opset)

    def write(self, x: ir.Value, w: ir.Value, tensor: ir.TensorProtocol | None) -> ir.Value:
        """Add the convolution of x [batch, channels, *positions] by w [filters, 1, *kernel], whose constant's `tensor`.

        Returns a value [batch, filters, *positions].
        """
        geometry, moves, own = self._geometry, self._moves, x.dtype
        assert own is not None
        wide = WIDER.get(own, own)
        data = self._cast("x_wide", padded_data(moves, x, geometry), wide)
        multiplier = geometry.filters_of_group
        assert isinstance(multiplier, int)
        if multiplier > 1:
            dims = dims_of(data)
            dims[1] = geometry.filters
            channels = moves.numbers("x_channels", np.repeat(np.arange(geometry.group), multiplier).tolist())
            data = moves.node("Gather", "x_repeated", [data, channels], dims, {"axis": 1})
        kernel = [axis.kernel for axis in geometry.axes]
        assert all(isinstance(size, int) for size in kernel)
        taps = list(every(*(range(size) for size in kernel if isinstance(size, int))))
        weights = self._weights(w, tensor, len(taps), wide)
        slices: dict[tuple[int, ...], ir.Value] = {(): data}
        total: ir.Value | None = None
        for index, (tap, weight) in enumerate(zip(taps, weights, strict=True)):
            part = self._multiplied(index, self._slice(slices, tap), weight)
            total = part if total is None else moves.node("Add", f"y_sum{index}", [total, part], dims_of(part))
        assert total is not None
        return self._cast("y_own", total, own)

    def _multiplied(self, index: int, data: ir.Value, weight: ir.Value) -> ir.Value:
        return self._moves.node("Mul", f"y_tap{index}", [data, weight], dims_of(data))

    def _slice(self, slices: dict[tuple[int, ...], ir.Value], tap: tuple[int, ...]) -> ir.Value:
        """Return the elements that a kernel position meets: cut axis by axis, each cut made once."""
        if tap not in slices:
            before = self._slice(slices, tap[:-1])
            axis = self._geometry.axes[len(tap) - 1]
            slices[tap] = self._cut("_".join(map(str, tap)), before, axis, len(tap) + 1, tap[-1])
        return slices[tap]

    def _cut(self, label: str, value: ir.Value, axis: WindowAxis, at: int, tap: int) -> ir.Value:
        assert isinstance(axis.kernel, int)
        if axis.kernel == axis.stride == 1:
            return value
        behind = (axis.kernel - 1 - tap) * axis.dilation
        end = -behind if behind else ENDLESS
        return self._moves.slice(f"x_tap{label}", value, at, tap * axis.dilation, end, axis.stride, axis.out)

    def _weights(
        self, w: ir.Value, tensor: ir.TensorProtocol | None, taps: int, wide: ir.DataType
    ) -> list[ir.Value]:  # fmt: skip
        """Return [1, filters, 1, ...] for each kernel position: cut ahead of time where the weight is a constant."""
        moves, filters, ones = self._moves, self._geometry.filters, [1] * len(self._geometry.axes)
        assert isinstance(filters, int)
        if tensor is not None:
            shape = [1, filters, *ones]

            def of(tap: int) -> ir.TensorProtocol:
                def numbers() -> np.ndarray:
                    return read_array(tensor).reshape(filters, taps)[:, tap].astype(wide.numpy()).reshape(shape)

                return lazily(numbers, wide, shape)

            return [self._new.constant(f"w_tap{tap}", of(tap)) for tap in range(taps)]
        rows = moves.transpose("w_rows", moves.reshape("w_flat", w, [filters, taps]), [1, 0])
        dims: list[Dim] = [taps, filters, *ones]
        spread = self._cast("w_wide", moves.reshape("w_spread", rows, dims), wide)
        return [moves.slice(f"w_tap{tap}", spread, 0, tap, tap + 1, 1, 1) for tap in range(taps)]

    def _cast(self, leaf: str, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        if value.dtype == dtype:
            return value
        return self._new.node("Cast", leaf, [value], {"to": dtype.value}, value.shape, dtype)
