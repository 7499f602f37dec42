"""Write Fourier transforms out as products by their matrices: Y = frames(X) @ W."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, attribute_int, input_of
from onnxtile.ir.dtypes import FLOATS
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.transforms import dft_axis, dft_length, frame_length, stft_signal
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.fourier import Fourier
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.transform_products import along_an_axis, by_frames
from onnxtile.tiling.legality import Refusal, type_refusals

MOST_NUMBERS = 1 << 26
"""Numbers of a matrix that's computed: a quarter of a gigabyte of float32."""


@dataclass(frozen=True)
class DecomposeTransforms(Decompose):
    """Y = X @ W along an axis, for every DFT that exceeds `max`, and Y = (frames of X * window) @ W for every STFT.

    W, computed ahead of time, has the cosines and sines of the transform, each rounded once to the type of X; numbers
    that are left out or stand for zeros behind the end have no rows in it.
    """

    operators = lowered_by("decompose-transforms")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node = product.node
        yield from type_refusals(product, FLOATS)
        if product.reason:
            return
        x = input_of(node, 0)
        assert x is not None and x.shape is not None
        if 0 in x.shape:
            yield Refusal("empty", "its input has no elements; remove the node")
        try:
            fourier = _fourier(node)
        except (UnsizedError, ModelError) as why:
            yield Refusal("symbolic", str(why))
            return
        if isinstance(fourier, Refusal):
            yield fourier
        elif fourier.rows * fourier.columns > MOST_NUMBERS:
            words = f"its matrix is {fourier.rows:,} x {fourier.columns:,}, more than {MOST_NUMBERS:,} numbers"
            yield Refusal("too-large", f"{words}; take a transform of fewer points")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, fourier = product.node, _fourier(product.node)
        x = node.inputs[0]
        assert isinstance(fourier, Fourier) and x is not None and x.shape is not None
        if node.op_type == "STFT":
            new.swap_in(by_frames(new, node, x, fourier, product.opset or 0))
        else:
            new.swap_in(along_an_axis(new, x, fourier, dft_axis(node, len(x.shape))))


def _fourier(node: ir.Node) -> Fourier | Refusal:
    """Return the node's transform; UnsizedError where something of it isn't known."""
    x = input_of(node, 0)
    assert x is not None and x.shape is not None
    inverse, stft = bool(attribute_int(node, "inverse", 0)), node.op_type == "STFT"
    dims = stft_signal(node) if stft else list(x.shape)
    parts = dims[-1]
    onesided = bool(attribute_int(node, "onesided", int(stft)))
    if parts not in (1, 2):
        return Refusal("shape", f"its last axis is {parts}, where numbers have 1 or 2 parts")
    assert isinstance(parts, int)
    if onesided and not inverse and parts == 2:
        return Refusal("onesided", "onesided of complex numbers, whose spectrum is no mirror image; leave it out")
    if onesided and inverse and parts == 1:
        return Refusal("onesided", "onesided and inverse of real numbers, which onnx doesn't say; give complex ones")
    if stft:
        length, samples = frame_length(node), dims[1]
        if not isinstance(length, int):
            return Refusal("symbolic", f"its frames have {length} samples, which isn't a number; bind it with --bind")
        if length < 1 or (isinstance(samples, int) and length > samples):
            return Refusal("shape", f"its frames of {length} samples aren't in a signal of {samples}")
        window = input_of(node, 2)
        if window is not None and (window.shape is None or list(window.shape) != [length]):
            return Refusal("shape", f"its window isn't known to have {length} numbers; declare it so")
        return Fourier(length, length, parts, False, onesided)
    own = dims[dft_axis(node, len(dims))]
    length = dft_length(node, own)
    if not isinstance(length, int) or not isinstance(own, int):
        return Refusal("symbolic", f"its axis has {own} numbers, its transform {length}; bind them with --bind")
    if length < 1:
        return Refusal("shape", f"its transform has {length} points; it needs 1 or more")
    taken = length // 2 + 1 if inverse and onesided else length
    return Fourier(length, min(taken, own), parts, inverse, onesided)
