"""Transforms that are products by a matrix they make themselves."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, attribute_int, given, node_name
from onnxtile.ir.symbolic.amounts import Amount, Dim, total
from onnxtile.operators.formula import measure
from onnxtile.operators.measures import WINDOWS, Y, constant_int, is_given, is_set, output_sizes
from onnxtile.operators.registry import MICROSOFT, declare, one_product
from onnxtile.operators.sizes import Size, count_of, read_size, shape
from onnxtile.operators.work import ELEMENTWISE, NONE


def dft(node: ir.Node) -> Size:
    """DFT of [..., length, ..., parts] along an axis: real parts, or real and imaginary ones, by the matrix of cosines
    and sines. One-sided, it takes (inverse) or makes (else) only length // 2 + 1 frequencies.
    """
    x = shape(node, 0, least=2)
    axis = dft_axis(node, len(x))
    inverse, onesided = bool(attribute_int(node, "inverse", 0)), bool(attribute_int(node, "onesided", 0))
    length = dft_length(node, x[axis])
    others = count_of([dim for index, dim in enumerate(x[:-1]) if index != axis])
    taken = _frequencies(length) if inverse and onesided else length
    own = x[axis]
    if isinstance(taken, int) and isinstance(own, int):
        taken = min(taken, own)  # what's behind the end is zeros
    given_back = _frequencies(length) if onesided and not inverse else length
    return Size(others, count_of([taken, x[-1]]), count_of([given_back, 1 if inverse and onesided else 2]), 1)


def stft(node: ir.Node) -> Size:
    """STFT of [batch, length, parts]: the DFT of every frame."""
    x = stft_signal(node)
    frame = frame_length(node)
    step, frames = constant_int(node, 1, "frame_step"), None
    if step < 1:
        raise ModelError(f"STFT {node_name(node)!r}: frame_step is {step}; it must be 1 or more")
    if isinstance(frame, int) and isinstance(x[1], int):
        frames = max(0, (x[1] - frame) // step + 1)
    frequencies = _frequencies(frame) if attribute_int(node, "onesided", 1) else frame
    return Size(count_of([x[0], frames]), count_of([frame, x[2]]), count_of([frequencies, 2]), 1)


def rfft(node: ir.Node) -> Size:
    """Rfft [..., length] -> [..., length // 2 + 1, 2] and Irfft the other way round (com.microsoft)."""
    x = shape(node, 0, least=1 if node.op_type == "Rfft" else 2)
    if attribute_int(node, "signal_ndim", 1) != 1:
        raise UnsizedError(f"{node.op_type} of several axes isn't sized")
    if node.op_type == "Rfft":
        return Size(count_of(x[:-1]), x[-1], count_of([_frequencies(x[-1]), 2]), 1)
    length = 2 * (x[-2] - 1) if isinstance(x[-2], int) else None
    return Size(count_of(x[:-2]), count_of(x[-2:]), length, 1)


def affine_grid(node: ir.Node) -> Size:
    """AffineGrid: positions in homogeneous coordinates by theta [batch, axes, axes + 1]."""
    theta, grid = shape(node, 0, 3), node.outputs[0].shape
    if grid is None:
        raise UnsizedError("the size of the grid (input 1) is known only at run time")
    positions = [read_size(dim) for dim in grid[1:-1]]
    return Size(count_of(positions), theta[-1], theta[-2], theta[0])


def dft_length(node: ir.Node, own: Dim) -> Dim:
    """Return how many points a DFT along an axis of `own` numbers has."""
    if given(node, 1):
        return constant_int(node, 1, "dft_length")
    if attribute_int(node, "inverse", 0) and attribute_int(node, "onesided", 0):
        return 2 * (own - 1) if isinstance(own, int) else None
    return own


def stft_signal(node: ir.Node) -> list[Dim]:
    """Return batch, length and parts of an STFT's signal: torch's exporters write real ones without the last axis."""
    dims = shape(node, 0, least=2)
    return [*dims, 1] if len(dims) == 2 else shape(node, 0, 3)


def frame_length(node: ir.Node) -> Dim:
    """Return how many samples a frame of an STFT has."""
    if given(node, 3):
        return constant_int(node, 3, "frame_length")
    return shape(node, 2, 1)[0] if given(node, 2) else stft_signal(node)[1]


def _frequencies(length: Dim) -> Dim:
    return length // 2 + 1 if isinstance(length, int) else None


def dft_axis(node: ir.Node, rank: int) -> int:
    """Return the axis of a DFT: an attribute (1 by default) before opset 20, an input (-2 by default) since."""
    if given(node, 2):
        axis = constant_int(node, 2, "axis")
    elif "axis" in node.attributes or rank == 3:
        axis = attribute_int(node, "axis", 1)
    else:
        opset = getattr(node.graph, "opset_imports", {}).get("")
        if opset is None:
            raise UnsizedError("its axis isn't given, and the default depends on the opset")
        axis = 1 if opset < 20 else -2
    if not -rank <= axis < rank - 1 or axis == -1:
        raise ModelError(f"DFT {node_name(node)!r}: axis {axis} isn't one of a signal with {rank} axes")
    return axis % rank


@measure("axes' lengths", "lengths of the grid's axes together")
def _grid_axes(node: ir.Node, opset: int | None) -> Amount:
    return total(output_sizes(node, 3)[1:-1])


_REFUSED = (
    "points, axis or step that are known only at run time (STFT: its signal's length may be); onesided of complex "
    "numbers, or its inverse of real ones; no elements; matrices of more than 67,108,864 numbers"
)
declare(
    "DFT",
    products=one_product(
        "other",
        dft,
        "M = signals, K = length x parts, N = frequencies x parts: by the transform's matrix",
        "decompose-transforms",
        _REFUSED,
    ),
    work=ELEMENTWISE * Y * is_set("inverse"),
)
declare(
    "STFT",
    products=one_product(
        "other",
        stft,
        "M = batch x frames, K = frame length x parts, N = frequencies x 2: by the matrix",
        "decompose-transforms",
        _REFUSED,
    ),
    work=ELEMENTWISE * WINDOWS * is_given(2, "window"),
)
declare(
    "Rfft",
    MICROSOFT,
    products=one_product("other", rfft, "M = signals, K = length, N = frequencies x 2: by the matrix of the transform"),
    work=NONE,
)
declare(
    "Irfft",
    MICROSOFT,
    products=one_product("other", rfft, "M = signals, K = frequencies x 2, N = length: by the matrix of the transform"),
    work=NONE,
)
declare(
    "AffineGrid",
    products=one_product("other", affine_grid, "M = positions of the grid, K = axes + 1, N = axes, batch = batch"),
    work=2 * ELEMENTWISE * _grid_axes,
)
