"""Write ConvTranspose out as a matrix product, and sums of what overlaps in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import prod
from typing import Literal

import onnx_ir as ir

from onnxtile.ir.attributes import input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import FLOATS, WIDER
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.sizes import count_of
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.layout import Layout
from onnxtile.passes.rewrites.moves import Moves, dims_of
from onnxtile.passes.rewrites.overlaps import Overlaps, by_col2im
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.run_time_sizes import Along, AnySize, RunTimeSizes
from onnxtile.passes.rewrites.transposed_geometry import TransposedGeometry
from onnxtile.tiling.legality import Refusal, type_refusals

Order = Literal["positions", "taps", "pairs"]
"""What follows filters: positions (and the kernel is one axis with them), taps and positions, or a tap a position."""


@dataclass(frozen=True)
class DecomposeConvTranspose(Decompose):
    """Y = col2im(X' @ W') + B, for every ConvTranspose that exceeds `max` (none given: for every one).

    X' is [positions, channels], W' is W as it lies, [channels, filters x kernel]; groups are a batch of products. What
    overlaps in the output is added by Col2Im where onnxruntime has it, else by Slices, Pads and Adds; kernels without
    overlap are laid side by side. Types narrower than float are computed in float, and rounded once.
    """

    operators = lowered_by("decompose-conv-transpose")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, FLOATS)
        if product.reason:
            return
        geometry = TransposedGeometry.of(product.node, product.opset or 0)
        bias, filters = input_of(product.node, 2), None
        if isinstance(geometry, Refusal):
            yield geometry
        else:
            filters = geometry.filters * geometry.group
        if bias is not None and (bias.shape is None or list(bias.shape) != [filters]):
            of_shape = "unknown shape" if bias.shape is None else f"shape {list(bias.shape)}"
            yield Refusal("shape", f"its bias is of {of_shape}, not [{filters}]")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, opset = product.node, product.opset or 0
        x, w, bias = (*node.inputs, None)[:3]
        geometry = TransposedGeometry.of(node, opset)
        assert x is not None and w is not None and x.dtype is not None and isinstance(geometry, TransposedGeometry)
        moves, own = Moves(new, opset), x.dtype
        sizes, wide = RunTimeSizes(moves, x, opset), WIDER.get(own, own)
        if wide != own:
            x = new.node("Cast", "wide", [x], {"to": wide.value}, x.shape, wide)
        a = _positions(moves, x, geometry)
        version = declared_ir_version(model)
        b = _weight(new, w, geometry, wide, version)
        y = moves.node("MatMul", "product", [a, b], [*dims_of(a)[:-1], dims_of(b)[-1]])
        new.stand_in()
        windows = partial(_filters_first if _by_columns(geometry) else _windows, moves, y, geometry, sizes)
        overlaps = Overlaps(moves, geometry, sizes)
        if by_col2im(geometry, wide, opset):
            y = overlaps.by_col2im(windows("positions"))
        elif geometry.is_tiling:
            y = overlaps.interleaved(windows("pairs"))
        else:
            y = overlaps.by_taps(windows("taps"))
        if wide != own:
            y = new.node("Cast", "narrow", [y], {"to": own.value}, y.shape, own)
        if bias is not None:
            column = Layout(bias, [])
            column.reshape([geometry.filters * geometry.group, *[1] * len(geometry.lengths)])
            terms = [y, column.apply(new, "bias", constant_tensor(bias, version))]
            y = new.node("Add", "biased", terms, shape=y.shape, dtype=own)
        new.swap_in(y)


def _merges_batch(geometry: TransposedGeometry) -> bool:
    """Return whether batch and positions are one axis of the product: unless the batch alone isn't known."""
    return isinstance(geometry.batch, int) or not all(isinstance(length, int) for length in geometry.lengths)


def _by_columns(geometry: TransposedGeometry) -> bool:
    """Return whether an image's product is one of its own, [positions, filters x kernel], of positions that are known.

    Its filters come first, so its tiles are transposed.
    """
    is_known = all(isinstance(length, int) for length in geometry.lengths)
    return is_known and (geometry.batch == 1 or not isinstance(geometry.batch, int))


def _positions(moves: Moves, x: ir.Value, geometry: TransposedGeometry) -> ir.Value:
    """Return x [batch, channels, *lengths] as [(group,) batch x positions, channels], or [batch, (group,) ...]."""
    group, channels, lengths = geometry.group, geometry.channels // geometry.group, geometry.lengths
    if not _merges_batch(geometry):
        shape = [geometry.batch, *[group] * (group > 1), channels, count_of(lengths)]
        x, last = moves.reshape("positions", x, shape), len(shape) - 1
        return moves.transpose("channels_last", x, [*range(last - 1), last, last - 1])
    axes = len(lengths)
    x = moves.transpose("channels_last", x, [0, *range(2, 2 + axes), 1])
    rows = count_of([geometry.batch, *lengths])
    x = moves.node("Flatten", "positions", [x], [rows, geometry.channels], {"axis": 1 + axes})
    return (
        x if group == 1 else moves.transpose("grouped", moves.reshape("groups", x, [rows, group, channels]), [1, 0, 2])
    )


def _weight(new: Replacement, w: ir.Value, geometry: TransposedGeometry, wide: ir.DataType, version: int) -> ir.Value:
    """Return w [channels, filters, *kernel] as [(group,) channels, filters x kernel]; a constant ahead of time."""
    layout = Layout(w, [])
    shape = [geometry.channels // geometry.group, geometry.filters * prod(geometry.kernel)]
    layout.reshape(shape if geometry.group == 1 else [geometry.group, *shape])
    layout.cast(wide)
    return layout.apply(new, "weight", constant_tensor(w, version))


def _filters_first(
    moves: Moves, y: ir.Value, geometry: TransposedGeometry, sizes: RunTimeSizes, order: Order
) -> ir.Value:
    """Return the product of an image as `_windows` does."""
    y = moves.swap_last_axes("filters_first", y)
    kernel, count = geometry.kernel, prod(geometry.kernel)
    positions = [Along(2 + axis) for axis in range(len(kernel))]
    front: list[AnySize] = [Along(0), *[geometry.group] * (geometry.group > 1)]
    if order == "positions":
        return sizes.reshape("windows", y, [*front, geometry.filters * count, *positions])
    if order == "taps":
        return sizes.reshape("windows", y, [*front, geometry.filters, *kernel, *positions])
    # the last axis, whose taps move one by one, is paired first; rows of it are whole for the others
    *outer, last = kernel
    joined = count_of(geometry.lengths)
    assert isinstance(joined, int)
    y = sizes.reshape("last_taps", y, [*front, geometry.filters * prod(outer), last, joined])
    at = len(front) + 1
    y = moves.transpose("last_paired", y, [*range(at), at + 1, at])
    row = Along(1 + len(kernel), last)
    y = sizes.reshape("last_joined", y, [*front, geometry.filters, *outer, *positions[:-1], row])
    pairs = [(at + len(outer) + axis, at + axis) for axis in range(len(outer))]
    return moves.transpose("paired", y, [*range(at), *chain(*pairs), at + 2 * len(outer)])


def _windows(moves: Moves, y: ir.Value, geometry: TransposedGeometry, sizes: RunTimeSizes, order: Order) -> ir.Value:
    """Return the product as [batch, (group,) filters, ...], with what `order` says behind."""
    axes, filters, kernel = len(geometry.lengths), geometry.filters, geometry.kernel
    groups = ["group"] * (geometry.group > 1)
    front = [*groups, "batch"] if _merges_batch(geometry) else ["batch", *groups]
    lengths, taps = [f"length{axis}" for axis in range(axes)], [f"tap{axis}" for axis in range(axes)]
    one = order == "positions"
    letters = [*front, *lengths, "filters", *([] if one else taps)]
    extents: dict[str, AnySize] = {"group": geometry.group, "batch": Along(0)}
    extents |= {"filters": filters * prod(kernel) if one else filters}
    extents |= {letter: Along(2 + axis) for axis, letter in enumerate(lengths)} | dict(zip(taps, kernel, strict=True))
    y = sizes.reshape("windows", y, [extents[letter] for letter in letters])
    behind = {"positions": lengths, "taps": [*taps, *lengths], "pairs": [*chain(*zip(lengths, taps, strict=True))]}
    wanted = ["batch", *groups, "filters", *behind[order]]
    return moves.transpose("filters_first", y, [letters.index(letter) for letter in wanted])
