"""Find where a file that something else wrote has its nodes and initializers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from onnxtile.ir.io.protobuf_wire import inside, number_of, runs
from onnxtile.lowering.bulk_reading import INITIALIZER, NODE, Offsets

GRAPH = number_of(onnx.ModelProto, "graph")


def offsets_of(path: Path) -> Offsets:
    """Find where the main graph of a file has what `lower` says of those that it writes."""
    data = memoryview(path.read_bytes())
    start, stop = next((start, stop) for number, start, stop in runs(data, 0, len(data), 0) if number == GRAPH)
    fields = list(runs(data, inside(data, start), stop, 0))
    spans = [[(begin, end) for number, begin, end in fields if number == wanted] for wanted in (NODE, INITIALIZER)]
    nodes, initializers = (
        np.array([*(begin for begin, _ in span), *(end for _, end in span[-1:])] or [0]) for span in spans
    )
    return Offsets(nodes, initializers, tuple(field[1:] for field in fields if field[0] not in (NODE, INITIALIZER)))
