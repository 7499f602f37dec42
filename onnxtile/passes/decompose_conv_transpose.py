"""Write ConvTranspose out as a matrix product, and sums of what overlaps in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

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
from onnxtile.passes.rewrites.run_time_sizes import RunTimeSizes
from onnxtile.passes.rewrites.transposed_geometry import TransposedGeometry
from onnxtile.tiling.legality import Refusal, type_refusals


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
        overlaps = Overlaps(moves, geometry, sizes)
        if by_col2im(geometry, wide, opset):
            y = overlaps.by_col2im(overlaps.windows(y, "positions"))
        elif geometry.is_tiling:
            y = overlaps.interleaved(overlaps.windows(y, "pairs"))
        else:
            y = overlaps.by_taps(overlaps.windows(y, "taps"))
        if wide != own:
            y = new.node("Cast", "narrow", [y], {"to": own.value}, y.shape, own)
        if bias is not None:
            column = Layout(bias, [])
            column.reshape([geometry.filters * geometry.group, *[1] * len(geometry.lengths)])
            terms = [y, column.apply(new, "bias", constant_tensor(bias, version))]
            y = new.node("Add", "biased", terms, shape=y.shape, dtype=own)
        new.swap_in(y)


def _positions(moves: Moves, x: ir.Value, geometry: TransposedGeometry) -> ir.Value:
    """Return x [batch, channels, *lengths] as [(group,) batch x positions, channels], or [batch, (group,) ...]."""
    group, channels, lengths = geometry.group, geometry.channels // geometry.group, geometry.lengths
    if not geometry.merges_batch:
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
