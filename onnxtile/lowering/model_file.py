"""The model's file: written piece by piece, its weights streamed, and moved into place together with its data file."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.ir.io.data_files import data_file, remove_old_data
from onnxtile.ir.io.files import real, replacing
from onnxtile.ir.io.progress import TOLD_BYTES, Meter, Progress, silent
from onnxtile.ir.io.protobuf_wire import LARGEST, ROOM, head, number_of, varint
from onnxtile.lowering.bulk_reading import Offsets
from onnxtile.lowering.model_writer import ModelInPieces, write_calls
from onnxtile.lowering.weight_stream import ALIGNMENT, Field, Placed, fields, pieces, write_data
from onnxtile.tiling.forms.form import Form

_GRAPH = number_of(onnx.ModelProto, "graph")
_BUFFER = 1 << 20


@dataclass(frozen=True)
class DataFilePolicy:
    """Weights go to a data file beside the model always, or only where the model would pass protobuf's 2 GB.

    `align`: bytes that the start of each weight is a multiple of.
    """

    always: bool = False
    align: int = ALIGNMENT

    def __post_init__(self) -> None:
        if self.align < ALIGNMENT or self.align % ALIGNMENT:
            raise UsageError(f"alignment is {self.align}: give a multiple of {ALIGNMENT} bytes")


@dataclass(frozen=True)
class Written:
    """A model's file before it's moved into place, the number of its nodes, and where its main graph has them."""

    path: Path
    nodes: int
    offsets: Offsets


class _TooLargeError(UnsupportedError):
    """The model's file passes protobuf's 2 GB."""

    def __init__(self) -> None:
        super().__init__("the model passes protobuf's 2 GB by its nodes alone: take form batched or function")


def save(
    model: ir.Model, target: Path, form: Form, weights: str, source: Path | None = None, say: Progress = silent
) -> int:
    """Write the model as `saving` does, with nothing else to be done before it's there; return the number of nodes."""
    with saving(model, target, form, weights, source, say=say) as written:
        return written.nodes


@contextmanager
def saving(
    model: ir.Model,
    target: Path,
    form: Form,
    weights: str,
    source: Path | None = None,
    data: DataFilePolicy = DataFilePolicy(),
    say: Progress = silent,
    value_info: bool = False,
) -> Iterator[Written]:
    """Write the model with its calls written as nodes (see `to_proto`) beside `target`.

    `source`: the file that it was read from, whose external data stays where it is if `target` is in the same folder.
    What was written is moved onto `target` when the block ends, and removed if it raises. Weights go to the file one by
    one; those of a model above 2 GB, or of any if `data` says so, to a file `target.CHECKSUM.data`: it's there before
    the model that refers to it takes the place of the old one, whose own data goes after. So a kill at any moment
    leaves a model and its data, old or new.
    """
    beside = source is not None and real(source.parent) == real(target).parent  # a link finds its data beside itself
    in_pieces = write_calls(model, form, weights, beside, say, value_info)
    left = in_pieces.weights
    if not data.always and left.least_bytes <= LARGEST:
        try:
            with replacing(target) as temporary:
                yield _write(temporary, in_pieces, pieces(left), say)
            remove_old_data(target, kept="")
            return
        except _TooLargeError:
            say("write the weights beside the model, which would pass 2 GB")
    entries: list[Placed] = []

    def write(file: BinaryIO) -> int:
        placed, checksum = write_data(left, file, data.align, say)
        entries.extend(placed)
        return checksum

    with data_file(target, write) as name, replacing(target) as temporary:
        yield _write(temporary, in_pieces, fields(entries, name), say)
    remove_old_data(target, kept=name)


def _write(path: Path, in_pieces: ModelInPieces, initializers: Iterable[Field], say: Progress) -> Written:
    """Write the model; how long its graph is, is known at the end, and filled in where room was left for it."""
    proto = onnx.ModelProto.FromString(in_pieces.proto.SerializeToString())
    graph = proto.graph.SerializeToString()
    proto.ClearField("graph")
    meter = Meter(say, "write", len(in_pieces.nodes) + in_pieces.weights.least_bytes)
    with path.open("wb", buffering=_BUFFER) as file:
        file.write(proto.SerializeToString() + head(_GRAPH, 0, ROOM))
        start = file.tell()
        file.write(in_pieces.nodes)
        file.write(graph)
        begin = start + len(in_pieces.nodes) + len(graph)
        ends, end = array("q", [begin]), begin
        for field in initializers:
            for piece in field:
                file.write(piece)
                end += len(piece)
            ends.append(end)
            if end - meter.done > TOLD_BYTES:
                meter.add(end - meter.done)
            if end > LARGEST:
                break
        if end > LARGEST:
            raise _TooLargeError
        file.seek(start - ROOM)
        file.write(varint(end - start, ROOM))
    nodes = start + np.array([0, *in_pieces.ends])
    return Written(path, in_pieces.count, Offsets(nodes, np.array(ends), ((int(nodes[-1]), begin),)))
