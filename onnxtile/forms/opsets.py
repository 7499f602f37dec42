"""Operators that changed their form from one opset to the next, written in the one that a sink asks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxtile.forms.sink import Sink


def split(sink: Sink, value: str, outputs: Sequence[str], lengths: Sequence[int], axis: int, lengths_name: str) -> None:
    """Split `value` along `axis`; from opset 13 on, `lengths_name` names a constant that holds the lengths."""
    if sink.opset < 13:
        sink.node("Split", [value], outputs, {"axis": axis, "split": lengths})
    else:
        sink.node("Split", [value, lengths_name], outputs, {"axis": axis})


def reduce_sum(sink: Sink, value: str, output: str, axis: int) -> None:
    """Sum over one axis and drop it."""
    if sink.opset < 13:
        sink.node("ReduceSum", [value], [output], {"axes": [axis], "keepdims": 0})
    else:
        axes = sink.constant(f"{output}_axes", np.array([axis], np.int64))
        sink.node("ReduceSum", [value, axes], [output], {"keepdims": 0})


def take_first(sink: Sink, value: str, output: str, ends: dict[int, int]) -> None:
    """Keep the first `ends[axis]` elements along each axis given."""
    axes, stops = list(ends), list(ends.values())
    if sink.opset < 10:
        sink.node("Slice", [value], [output], {"axes": axes, "starts": [0] * len(axes), "ends": stops})
    else:
        take_first_dynamic(sink, value, output, axes, sink.constant(f"{output}_ends", np.array(stops, np.int64)))


def take_first_dynamic(sink: Sink, value: str, output: str, axes: Sequence[int], ends: str) -> None:
    """Keep the first elements along `axes`, as many as the value `ends` says at run time (opset 10)."""
    starts = sink.constant(f"{output}_starts", np.zeros(len(axes), np.int64))
    axes_name = sink.constant(f"{output}_axes", np.array(axes, np.int64))
    sink.node("Slice", [value, starts, ends, axes_name], [output])


def pad_end(sink: Sink, value: str, output: str, rank: int, padding: dict[int, int], is_float: bool) -> None:
    """Append zeros: `padding[axis]` of them along each axis given, each fewer than the axis is long or 1."""
    amounts = [0] * rank + [padding.get(axis, 0) for axis in range(rank)]
    if sink.opset >= 11:
        sink.node("Pad", [value, sink.constant(f"{output}_pads", np.array(amounts, np.int64))], [output])
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
