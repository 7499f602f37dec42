"""How many values are computed in one run: as many as are expected to fit into the memory that they may take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import onnx_ir as ir

from onnxtile.debugging.capture.session import Inside
from onnxtile.verification.sessions import EngineError


def batches(inside: Inside, values: Sequence[ir.Value], most: int) -> list[list[str]]:
    """The values' names in their order, in parts of at most `most` bytes.

    Where inference doesn't know a shape, a run tells it that computes shapes alone. What's still not known, or larger,
    is a part of its own.
    """
    shapes = {str(value.name): shape for value in values if (shape := _known(value)) is not None}
    unknown = [str(value.name) for value in values if value.name not in shapes and _bytes_each(value)]
    if unknown and len(values) > 1:
        shapes |= _measured(inside, unknown)
    parts: list[list[str]] = []
    room = 0
    for value in values:
        name, each = str(value.name), _bytes_each(value)
        size = math.prod(shapes[name]) * each if name in shapes and each else None
        if not parts or size is None or size > room:
            parts.append([])
            room = most
        parts[-1].append(name)
        room = 0 if size is None else max(0, room - size)
    return parts


def _known(value: ir.Value) -> tuple[int, ...] | None:
    sizes = [dim for dim in value.shape or () if isinstance(dim, int)]
    return tuple(sizes) if value.shape is not None and len(sizes) == len(value.shape) else None


def _bytes_each(value: ir.Value) -> int | None:
    """Bytes of an element in memory; None where that isn't known, and for what has no shape that an engine tells."""
    if not isinstance(value.type, ir.TensorType) or value.type.dtype in (ir.DataType.STRING, ir.DataType.UNDEFINED):
        return None
    return -(-value.type.dtype.bitwidth // 8)


def _measured(inside: Inside, names: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    """Shapes as a run has them; none where it fails, which is told when the values themselves are computed."""
    try:
        return inside.shapes(names)
    except EngineError:
        return {}
