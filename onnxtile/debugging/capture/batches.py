"""Decide which values are computed in one run: as many as are expected to fit into the memory that they may take."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import onnx_ir as ir

from onnxtile.debugging.capture.session import InnerValues
from onnxtile.verification.sessions import EngineError


def batches(inner: InnerValues, values: Sequence[ir.Value], most: int) -> list[list[str]]:
    """Return the values' names in their order, in batches of at most `most` bytes.

    Where inference doesn't know a shape, a run that computes shapes alone tells it. What's still not known, or larger,
    is a batch of its own.
    """
    shapes = {str(value.name): shape for value in values if (shape := _known(value)) is not None}
    unknown = [str(value.name) for value in values if value.name not in shapes and _item_bytes(value)]
    if unknown and len(values) > 1:
        with contextlib.suppress(EngineError):  # which is raised again when the values themselves are computed
            shapes |= inner.shapes(unknown)
    batches: list[list[str]] = []
    room = 0
    for value in values:
        name, item_bytes = str(value.name), _item_bytes(value)
        size = math.prod(shapes[name]) * item_bytes if name in shapes and item_bytes else None
        if not batches or size is None or size > room:
            batches.append([])
            room = most
        batches[-1].append(name)
        room = 0 if size is None else max(0, room - size)
    return batches


def _known(value: ir.Value) -> tuple[int, ...] | None:
    sizes = [dim for dim in value.shape or () if isinstance(dim, int)]
    return tuple(sizes) if value.shape is not None and len(sizes) == len(value.shape) else None


def _item_bytes(value: ir.Value) -> int | None:
    """Return the bytes of an element in memory; None where that isn't known, or an engine tells no shape."""
    if not isinstance(value.type, ir.TensorType) or value.type.dtype in (ir.DataType.STRING, ir.DataType.UNDEFINED):
        return None
    return -(-value.type.dtype.bitwidth // 8)
