"""Convolutions as products (im2col): windows are rows, kernels are columns, and the product is laid out again.

Windows are cut axis by axis, a Slice for each kernel position of an axis, and joined channels innermost: K runs over
the kernel's last axis first, and over channels fastest.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import onnx_ir as ir

from onnxtile.ir.symbolic.amounts import Dim, dimension
from onnxtile.operators.sizes import count_of
from onnxtile.operators.windows import Geometry, WindowAxis
from onnxtile.passes.rewrites.layout import Layout
from onnxtile.passes.rewrites.moves import ENDLESS, PADS_AS_INPUT, SLICES_WITH_STEPS, Moves, dims_of
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.same_pads import same_pads
from onnxtile.tiling.legality import Refusal


class Im2col:
    """Writes the operands of a convolution's product, A @ B, and lays out its result.

    Axes of A are [(group,) (batch,) M, K]: positions, and a batch that's a number, are merged to M. Where more than a
    batch is known only at run time, or there is nothing, positions stay apart: [(group,) batch, *positions, K].
    Where the result has its channels first and M is of one image, the product's tiles bring them there.
    """

    def __init__(self, new: Replacement, geometry: Geometry, opset: int) -> None:
        self.geometry, self._moves = geometry, Moves(new, opset)

    def write(
        self, x: ir.Value, w: ir.Value, bias: ir.Value | None,
        tensors: tuple[ir.TensorProtocol | None, ir.TensorProtocol | None],
    ) -> ir.Value:  # fmt: skip
        """Add a Conv's product and what is around it; `tensors`: those of a constant weight and bias."""
        new, shape = self._moves.new, ir.Shape(map(dimension, self.product_dims))
        y = new.node("MatMul", "product", [self.windows(x), self.weight(w, tensors[0])], shape=shape)
        new.stand_in()
        y = self.laid_out(y)
        return y if bias is None else with_bias(new, self.geometry, y, bias, tensors[1])

    @cached_property
    def rows(self) -> list[Dim]:
        """Axes of the product between the group's and its last one."""
        geometry, out = self.geometry, self.geometry.out
        apart = [geometry.batch, *out]
        if not self._merges:
            return apart
        positions = count_of(out)
        return [count_of(apart)] if isinstance(geometry.batch, int) else [geometry.batch, positions]

    @property
    def _merges(self) -> bool:
        """Return whether positions are one axis: their numbers are known, and there are some."""
        return all(isinstance(size, int) and size for size in (*self.geometry.out, self.geometry.depth))

    @property
    def _by_columns(self) -> bool:
        """Return whether a product is [positions, filters], and its image is [filters, positions]."""
        batch = self.geometry.batch
        return self._merges and not self.geometry.channels_last and (batch == 1 or not isinstance(batch, int))

    @property
    def group(self) -> list[Dim]:
        return [self.geometry.group] if self.geometry.group > 1 else []

    def windows(self, x: ir.Value, filler: ir.Value | None = None) -> ir.Value:
        """Add A, padded with `filler`: a scalar of x's type (None: 0)."""
        value = self._grouped(padded_data(self._moves, x, self.geometry, filler))
        first = len(self.group) + 1
        for index, axis in enumerate(self.geometry.axes):
            if axis.kernel != 1 or axis.stride != 1:
                value = self._unfolded(value, index, axis, first + index)
        return self._moves.reshape("x_windows", value, [*self.group, *self.rows, self.geometry.depth])

    def weight(self, w: ir.Value, tensor: ir.TensorProtocol | None) -> ir.Value:
        """Add B [(group,) K, N]. `tensor`: that of a constant weight, which is laid out ahead of time."""
        geometry = self.geometry
        kernel = [f"k{index}" for index in range(len(geometry.axes))]
        layout = Layout(w, ["f", *kernel, "c"] if geometry.kernel_first else ["f", "c", *kernel])
        columns, group = geometry.filters_of_group, ["g"] * len(self.group)
        layout.reshape([*self.group, columns, *layout.dims[1:]], [*group, *layout.letters])
        layout.arrange([*group, *reversed(kernel), "c", "f"])
        alone = [1] * (len(self.rows) - 1) if group else []
        layout.reshape([*self.group, *alone, geometry.depth, columns])
        return layout.apply(self._moves.new, "w_columns", tensor)

    @property
    def filter_dims(self) -> list[int]:
        """The shape in which a number for each filter broadcasts over the product."""
        return [*self.group, *[1] * (len(self.rows) * len(self.group)), self.geometry.filters_of_group]  # type: ignore[list-item]  # they're numbers

    def of_filters(self, leaf: str, value: ir.Value) -> ir.Value:
        """Return a number for each filter (a bias, a scale) so that it broadcasts over the product."""
        layout = Layout(value, ["f"])
        if self.group:
            layout.reshape([*self.group, *[1] * len(self.rows), self.geometry.filters_of_group])
        return layout.apply(self._moves.new, leaf, None)

    @property
    def product_dims(self) -> list[Dim]:
        """The shape of A @ B."""
        return [*self.group, *self.rows, self.geometry.filters_of_group]

    def laid_out(self, product: ir.Value) -> ir.Value:
        """Add Y [batch, filters, *positions], or with its channels last, of the product [(group,) *rows, N]."""
        geometry, moves = self.geometry, self._moves
        spread = [geometry.batch, *geometry.out]
        count = len(spread)
        if self._by_columns:
            value = moves.swap_last_axes("y_channels_first", product)
            if self.group and geometry.batch != 1:
                value = moves.transpose("y_by_batch", value, [1, 0, 2, 3])
            return moves.reshape("y_spread", value, [geometry.batch, geometry.filters, *geometry.out])
        value = moves.reshape("y_spread", product, [*self.group, *spread, geometry.filters_of_group])
        unknown = [size for size in geometry.out if not isinstance(size, int)]
        if self.group and not geometry.channels_last and not unknown and 0 not in spread:
            value = moves.transpose("y_by_group", value, [1, 0, count + 1, *range(2, count + 1)])
            return moves.reshape("y_merged", value, [geometry.batch, geometry.filters, *geometry.out])
        if self.group:
            value = moves.transpose("y_by_position", value, [*range(1, count + 1), 0, count + 1])
            value = moves.reshape("y_merged", value, [*spread, geometry.filters])
        last = geometry.channels_last
        return value if last else moves.transpose("y_channels_first", value, [0, count, *range(1, count)])

    def _grouped(self, x: ir.Value) -> ir.Value:
        """Bring the data into the order [(group,) batch, *positions, channels]."""
        geometry, moves = self.geometry, self._moves
        rank = len(geometry.axes) + 2
        front, *positions = dims_of(x)
        positions = positions[:-1] if geometry.channels_last else positions[1:]
        unknown = [size for size in positions if not isinstance(size, int)]
        if self.group and not geometry.channels_last and not unknown and 0 not in (front, *positions):
            split = [front, *self.group, geometry.channels_of_group, *positions]
            value = moves.reshape("x_grouped", x, split)
            return moves.transpose("x_channels_last", value, [1, 0, *range(3, rank + 1), 2])
        if not geometry.channels_last:
            x = moves.transpose("x_channels_last", x, [0, *range(2, rank), 1])
        if not self.group:
            return x
        value = moves.reshape("x_grouped", x, [front, *positions, *self.group, geometry.channels_of_group])
        return moves.transpose("x_by_group", value, [rank - 1, *range(rank - 1), rank])

    def _unfolded(self, value: ir.Value, index: int, axis: WindowAxis, at: int) -> ir.Value:
        """Put the elements that windows have along one axis behind each other, channels fastest."""
        assert isinstance(axis.kernel, int)
        taps = []
        for tap in range(axis.kernel):
            behind = (axis.kernel - 1 - tap) * axis.dilation
            end = -behind if behind else ENDLESS
            leaf = f"x_axis{index}_tap{tap}"
            taps.append(self._moves.slice(leaf, value, at, tap * axis.dilation, end, axis.stride, axis.out))
        return self._moves.concat(f"x_axis{index}", taps, len(dims_of(value)) - 1)


def with_axes(new: Replacement, x: ir.Value, geometry: Geometry) -> ir.Value:
    """Return x; where its shape isn't known, behind a Reshape that keeps it, and says how many axes it has."""
    if x.shape is not None:
        return x
    dims = [geometry.batch, geometry.channels, *(axis.length for axis in geometry.axes)]
    kept = [dim if isinstance(dim, int) and dim > 0 else 0 for dim in dims]
    wanted = new.constant("x_shape", np.array(kept, np.int64), ir.DataType.INT64)
    return new.node("Reshape", "x", [x, wanted], shape=ir.Shape(map(dimension, dims)), dtype=x.dtype)


def padded_data(moves: Moves, x: ir.Value, geometry: Geometry, filler: ir.Value | None = None) -> ir.Value:
    """Add x with its padding around it: `filler`, a scalar of its type, or 0."""
    x = with_axes(moves.new, x, geometry)
    axes, last = geometry.axes, geometry.channels_last
    if any(axis.begin is None for axis in axes):
        dims = dims_of(x)
        dims[slice(1, -1) if last else slice(2, None)] = [axis.padded for axis in axes]
        return moves.pad_by("x_padded", x, same_pads(moves, x, geometry), dims, filler)
    pads = [(axis.begin or 0, axis.end or 0) for axis in axes]
    none = (0, 0)
    return moves.pad("x_padded", x, [none, *pads, none] if last else [none, none, *pads], filler)


def with_bias(
    new: Replacement, geometry: Geometry, y: ir.Value, bias: ir.Value, tensor: ir.TensorProtocol | None
) -> ir.Value:  # fmt: skip
    """Add a bias to y [batch, filters, *positions]; `tensor`: that of a constant, which is laid out ahead of time."""
    layout = Layout(bias, ["f"])
    layout.reshape([geometry.filters, *[1] * len(geometry.axes)])
    return new.node("Add", "biased", [y, layout.apply(new, "bias", tensor)], shape=y.shape, dtype=y.dtype)


def window_refusals(
    geometry: Geometry, opset: int, pads_integers: bool = False, steps: bool = True
) -> Iterator[Refusal]:  # fmt: skip
    """Yield why windows can't be cut. `pads_integers`: the data are integers, or padded with something else than 0.

    `steps`: strides become steps of slices.
    """
    known = {"number of channels": geometry.channels_of_group, "number of output channels": geometry.filters_of_group}
    known |= {f"kernel's length along axis {index}": axis.kernel for index, axis in enumerate(geometry.axes)}
    for what, size in known.items():
        if not isinstance(size, int):
            yield Refusal("symbolic", f"the {what} is known only at run time")
    if 0 in known.values():
        yield Refusal("empty", "its weight has no elements")
    for axis in geometry.axes:
        if axis.missing > 1 or (axis.begin is None and isinstance(axis.kernel, int) and axis.stride > axis.extent):
            words = "auto_pad would pad by a negative amount, and engines differ in where they cut"
            yield Refusal("auto-pad", f"{words}; write the pads out")
        if min(axis.begin or 0, axis.end or 0) < 0:
            yield Refusal("pads", "its pads are negative, which Conv doesn't have; cut its data with a Slice")
        padded = axis.begin is None or axis.begin or axis.end
        if opset < PADS_AS_INPUT and (axis.begin is None or (padded and pads_integers)):
            what = "pads that follow from the data's shape" if axis.begin is None else "Pad of integers"
            yield Refusal("opset", f"opset {opset} lacks {what}; convert to {PADS_AS_INPUT} or newer")
        if steps and opset < SLICES_WITH_STEPS and axis.stride > 1 and not isinstance(axis.length, int):
            words = f"opset {opset} lacks slices with steps, for strides along an axis of unknown length"
            yield Refusal("opset", f"{words}; convert to {SLICES_WITH_STEPS} or newer")
