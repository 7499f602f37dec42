"""Operators that changed their form from one opset to the next, written in the one that a sink asks for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from onnxtile.tiling.sinks.ir import Sink

ALLOWS_ZEROS = 14
"""The version of the default operator set from which Reshape takes a size of 0 for what it is."""


def int64(sink: Sink, name: str, numbers: object) -> str:
    """Add a constant of one integer, or a vector of them, and return its name."""
    return sink.constant(name, np.array(numbers, np.int64))


class Splitter:
    """Splits values along one axis, by a tree where a node would have more than `most` outputs (None: no limit).

    From opset 13 on, lengths are constants: `name`, `name1`, ..., one for all nodes that split alike.
    """

    def __init__(self, sink: Sink, name: str, axis: int, most: int | None) -> None:
        self._sink, self._name, self._axis, self._most = sink, name, axis, most
        self._constants: dict[tuple[int, ...], str] = {}

    def split(self, value: str, outputs: Sequence[str], lengths: Sequence[int]) -> None:
        most = self._most or len(outputs)
        if len(outputs) <= most:
            self._node(value, outputs, lengths)
            return
        size = most
        while -(-len(outputs) // size) > most:
            size *= most
        starts = range(0, len(outputs), size)
        chunks = [(outputs[start : start + size], lengths[start : start + size]) for start in starts]
        pieces = [names[0] + f"_and_{len(names) - 1}" * (len(names) > 1) for names, _ in chunks]
        self._node(value, pieces, [sum(sizes) for _, sizes in chunks])
        for piece, (names, sizes) in zip(pieces, chunks, strict=True):
            if len(names) > 1:
                self.split(piece, names, sizes)

    def _node(self, value: str, outputs: Sequence[str], lengths: Sequence[int]) -> None:
        if self._sink.opset < 13:
            self._sink.node("Split", [value], outputs, {"axis": self._axis, "split": lengths})
            return
        key = tuple(lengths)
        if key not in self._constants:
            name = f"{self._name}{len(self._constants) or ''}"
            self._constants[key] = int64(self._sink, name, lengths)
        self._sink.node("Split", [value, self._constants[key]], outputs, {"axis": self._axis})


class Slicer:
    """Cuts values along one axis by a Slice for each piece, where Splitter has one node for all.

    From opset 10 on, bounds are constants, `name_at0`, `name_at64`, ..., for all values that are cut alike.
    """

    def __init__(self, sink: Sink, name: str, axis: int) -> None:
        self._sink, self._name, self._axis = sink, name, axis
        self._constants: dict[str, str] = {}

    def split(self, value: str, outputs: Sequence[str], lengths: Sequence[int]) -> None:
        for output, (start, end) in zip(outputs, pairwise(accumulate(lengths, initial=0)), strict=True):
            if self._sink.opset < 10:
                self._sink.node("Slice", [value], [output], {"axes": [self._axis], "starts": [start], "ends": [end]})
            else:
                names = [self._constant(*at) for at in ((f"at{start}", start), (f"at{end}", end), ("axis", self._axis))]
                self._sink.node("Slice", [value, *names], [output])

    def _constant(self, leaf: str, number: int) -> str:
        if leaf not in self._constants:
            self._constants[leaf] = int64(self._sink, f"{self._name}_{leaf}", [number])
        return self._constants[leaf]


def merge_tree(
    sink: Sink, op_type: str, parts: Sequence[str], output: str, attributes: dict[str, int], most: int | None
) -> None:
    """Join any number of values by Concat or Sum with no more than `most` inputs a node (None: no limit)."""
    level = 0
    while most is not None and len(parts) > most:
        merged = []
        for index, start in enumerate(range(0, len(parts), most)):
            group = parts[start : start + most]
            if len(group) > 1:
                name = f"{output}_{op_type.lower()}{level}_{index}"
                sink.node(op_type, group, [name], attributes)
                merged.append(name)
            else:
                merged += group
        parts, level = merged, level + 1
    sink.node(op_type, parts, [output], attributes)


def reduce_sum(sink: Sink, value: str, output: str, axis: int) -> None:
    """Sum over one axis and drop it."""
    _on_axis(sink, "ReduceSum", value, output, axis, {"keepdims": 0})


def squeeze(sink: Sink, op_type: str, value: str, output: str, axis: int) -> None:
    """Drop an axis of length 1, or put one in: `op_type` is Squeeze or Unsqueeze."""
    _on_axis(sink, op_type, value, output, axis, {})


def _on_axis(sink: Sink, op_type: str, value: str, output: str, axis: int, attributes: dict[str, int]) -> None:
    """Add an operator whose axes are an attribute before opset 13, and an input from there on."""
    if sink.opset < 13:
        sink.node(op_type, [value], [output], {"axes": [axis], **attributes})
    else:
        sink.node(op_type, [value, int64(sink, f"{output}_axes", [axis])], [output], attributes)


def take_first(sink: Sink, value: str, output: str, ends: dict[int, int]) -> None:
    """Keep the first `ends[axis]` elements along each axis given."""
    axes, stops = list(ends), list(ends.values())
    if sink.opset < 10:
        sink.node("Slice", [value], [output], {"axes": axes, "starts": [0] * len(axes), "ends": stops})
    else:
        take_first_dynamic(sink, value, output, axes, int64(sink, f"{output}_ends", stops))


def take_first_dynamic(sink: Sink, value: str, output: str, axes: Sequence[int], ends: str) -> None:
    """Keep the first elements along `axes`, as many as the value `ends` says at run time (opset 10)."""
    starts = int64(sink, f"{output}_starts", [0] * len(axes))
    axes_name = int64(sink, f"{output}_axes", axes)
    sink.node("Slice", [value, starts, ends, axes_name], [output])


def pad_end(sink: Sink, value: str, output: str, rank: int, padding: dict[int, int], is_float: bool) -> None:
    """Append zeros: `padding[axis]` of them along each axis given, each fewer than the axis is long or 1."""
    amounts = [0] * rank + [padding.get(axis, 0) for axis in range(rank)]
    if sink.opset >= 11:
        sink.node("Pad", [value, int64(sink, f"{output}_pads", amounts)], [output])
    elif is_float:
        sink.node("Pad", [value], [output], {"pads": amounts})
    else:
        _pad_integers(sink, value, output, padding)


def _pad_integers(sink: Sink, value: str, output: str, padding: dict[int, int]) -> None:
    """Pad knows no integers before opset 11: append a slice minus itself."""
    for axis, amount in padding.items():
        last = axis == list(padding)[-1]
        padded, piece, zeros = output if last else f"{output}_{axis}", f"{output}_{axis}_like", f"{output}_{axis}_zeros"
        take_first(sink, value, piece, {axis: amount})
        sink.node("Sub", [piece, piece], [zeros])
        sink.node("Concat", [value, zeros], [padded], {"axis": axis})
        value = padded
