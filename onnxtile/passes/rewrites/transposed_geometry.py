"""The geometry of a transposed convolution: which element of its product is added to which of its output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int, attribute_ints, attribute_string
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.sizes import shape
from onnxtile.tiling.legality import Refusal

TOTALS_HALVED_OTHERWISE = 11
"""The version of the default operator set from which an odd total of pads is divided as engines divide it."""
AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True)
class TransposedGeometry:
    """ConvTranspose of X [batch, channels, *lengths] by W [channels, filters / group, *kernel].

    Element i of an axis by tap t of the kernel is added to element stride * i + dilation * t. `begins` are taken off
    in front; `grown` is how many more elements the output has than stride * length (negative: fewer).
    """

    batch: Dim
    lengths: list[Dim]
    group: int
    channels: int
    filters: int
    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    begins: list[int]
    grown: list[int]

    @classmethod
    def of(cls, node: ir.Node, opset: int) -> TransposedGeometry | Refusal:
        """Read a node whose sizes were found not to contradict, or return why it isn't lowered."""
        (batch, _, *lengths), (channels, filters, *kernel) = shape(node, 0), shape(node, 1)
        axes = len(lengths)
        taps = [size for size in kernel if isinstance(size, int)]
        if not isinstance(channels, int) or not isinstance(filters, int) or len(taps) != axes:
            return Refusal("unknown-shape", "the shape of its weight isn't known")
        if 0 in (*lengths, *taps):
            return Refusal("shape", "it has no positions, or a kernel without elements; give both elements")
        names = {"strides": 1, "dilations": 1, "output_padding": 0, "pads": 0}
        lists = {name: list(attribute_ints(node, name, ())) or [default] * axes for name, default in names.items()}
        strides, dilations, extra = (lists[name] for name in ("strides", "dilations", "output_padding"))
        lists["pads"] = list(attribute_ints(node, "pads", ())) or [0] * (2 * axes)
        for refusal in _refusals(lists, axes):
            return refusal
        begins, grown = [], []
        spans = [(size - 1) * dilation + 1 for size, dilation in zip(taps, dilations, strict=True)]
        for axis, (span, stride, more) in enumerate(zip(spans, strides, extra, strict=True)):
            pads = _pads(node, axis, lengths[axis], span - stride + more, stride, lists["pads"], opset)
            if isinstance(pads, Refusal):
                return pads
            begins.append(pads[0])
            grown.append(span - stride + more - sum(pads))
        made = cls(
            batch, lengths, attribute_int(node, "group", 1), channels, filters, taps, strides, dilations, begins, grown
        )
        if any(isinstance(size, int) and size < 1 for size in made.output):
            return Refusal("shape", f"its pads take off all of its output, {made.output} elements are left; mend them")
        return made

    @property
    def merges_batch(self) -> bool:
        """Return whether batch and positions are one axis of the product: unless the batch alone isn't known."""
        return isinstance(self.batch, int) or not all(isinstance(length, int) for length in self.lengths)

    @property
    def is_by_image(self) -> bool:
        """Return whether rows of a product are the positions of one image, and their number is known."""
        return not self.merges_batch or (self.batch == 1 and all(isinstance(length, int) for length in self.lengths))

    @property
    def output(self) -> list[Dim]:
        """Elements of the output along each axis."""
        return [
            None if length is None else length * stride + grown
            for length, stride, grown in zip(self.lengths, self.strides, self.grown, strict=True)
        ]

    @property
    def spans(self) -> list[int]:
        """Elements of the output that one of the input reaches, along each axis."""
        return [(size - 1) * dilation + 1 for size, dilation in zip(self.kernel, self.dilations, strict=True)]

    @property
    def is_tiling(self) -> bool:
        """Return whether kernels neither overlap nor leave gaps: each element of the product is one of the output."""
        return self.kernel == self.strides and set(self.dilations) == {1}


def _refusals(lists: dict[str, list[int]], axes: int) -> Iterator[Refusal]:
    """Yield what attributes contradict."""
    for name, numbers in lists.items():
        wanted = 2 * axes if name == "pads" else axes
        if len(numbers) != wanted:
            yield Refusal("attribute", f"{name} has {len(numbers)} numbers, not {wanted}; mend it")
        least = 1 if name in ("strides", "dilations") else 0
        if min(numbers) < least:
            yield Refusal("attribute", f"{name} are {numbers}; they must be {least} or more")


def _pads(
    node: ir.Node, axis: int, length: Dim, overlap: int, stride: int, pads: list[int], opset: int
) -> tuple[int, int] | Refusal:
    """Return what is taken off in front and behind along an axis; without it, stride * length + overlap are there."""
    auto_pad = attribute_string(node, "auto_pad", "NOTSET")
    if auto_pad not in AUTO_PADS:
        return Refusal("attribute", f"auto_pad is {auto_pad!r}; take one of {', '.join(AUTO_PADS)}")
    wanted = attribute_ints(node, "output_shape", ())
    axes = len(pads) // 2
    if wanted and len(wanted) not in (axes, axes + 2):
        return Refusal("attribute", f"output_shape has {len(wanted)} numbers, not {axes}; mend it")
    if not wanted and not auto_pad.startswith("SAME"):
        return (0, 0) if auto_pad == "VALID" else (pads[axis], pads[axis + axes])
    total = overlap
    if wanted:
        if not isinstance(length, int):
            return Refusal(
                "symbolic", "output_shape is given, and pads follow from lengths that aren't known; bind them"
            )
        total = stride * length + overlap - wanted[len(wanted) - axes + axis]
    if total == -1 and auto_pad == "NOTSET":
        return 0, -1
    if total < 0:
        given = "output_shape" if wanted else auto_pad
        return Refusal("auto-pad", f"{given} would pad by a negative amount, where engines differ; write the pads out")
    if total % 2 and opset < TOTALS_HALVED_OTHERWISE:
        words = f"an odd number of pads is divided otherwise in opset {opset} than engines do"
        return Refusal("auto-pad", f"{words}; write the pads out")
    less, more = total // 2, total - total // 2
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)
