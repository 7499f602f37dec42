"""A model's initializers as bytes of its file, or of a data file beside it: one at a time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import BinaryIO, NamedTuple

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.ir.arrays import raw_data, read_array
from onnxtile.ir.io.data_files import DataTensor
from onnxtile.ir.io.progress import Meter, Progress, silent
from onnxtile.ir.io.protobuf_wire import head, message, number_of, pair, varint
from onnxtile.tiling.call_writer import CallWriter, CutConstant

INLINE_BYTES = 1024
"""Initializers up to this size stay in the model's file."""
ALIGNMENT = 4
"""Bytes that the start of each initializer in a data file is a multiple of, at least."""
_INITIALIZER = number_of(onnx.GraphProto, "initializer")
_NAME, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = (
    number_of(onnx.TensorProto, name) for name in ("name", "raw_data", "external_data", "data_location")
)
_ELSEWHERE = varint(_DATA_LOCATION << 3) + varint(onnx.TensorProto.EXTERNAL)
_COPIED_BYTES = 1 << 16
"""Tiles up to this size are copied to be written; larger ones aren't where they lie in one piece."""


class Entry(NamedTuple):
    """An initializer: its TensorProto but for the raw bytes, their number (None: it has none), what returns them."""

    described: bytes
    nbytes: int | None
    data: Callable[[], bytes | memoryview]


@dataclass(frozen=True)
class WeightStream:
    """The main graph's initializers in the file's order: those it had, new small ones, and those that are cut.

    `keep_external`: those it had in external data stay there.
    """

    uncut: list[ir.TensorProtocol]
    new: list[onnx.TensorProto]
    cuts: list[CutConstant]
    writer: CallWriter
    keep_external: bool

    @property
    def least_bytes(self) -> int:
        """Return the bytes that they take in a model's file at least."""
        inside = [tensor for tensor in self.uncut if not stays_elsewhere(tensor, self.keep_external)]
        return sum(tensor.nbytes for tensor in (*inside, *(cut.tensor for cut in self.cuts)))

    def tiles(self, blank: bool = False) -> Iterator[tuple[str, ir.DataType, np.ndarray]]:
        """Yield name, type and view of each tile, one constant at a time in memory; `blank`: without numbers."""
        for cut in self.cuts:
            for name, array in self.writer.arrays(cut, cut.blank if blank else None):
                yield name, cut.dtype, array

    def described(self) -> Iterator[tuple[str, int, Sequence[int]]]:
        """Yield name, type and shape of each; no numbers are read."""
        for tensor in self.uncut:
            yield str(tensor.name), tensor.dtype.value, tensor.shape.numpy()
        for constant in self.new:
            yield constant.name, constant.data_type, tuple(constant.dims)
        for name, dtype, array in self.tiles(blank=True):
            yield name, dtype.value, array.shape

    def stored(self) -> Iterator[Entry]:
        """Yield those that aren't cut; the bytes of each are made when they're asked for."""
        for tensor in self.uncut:
            yield _entry(tensor, self.keep_external)
        for constant in self.new:
            yield Entry(constant.SerializeToString(), None, bytes)

    def entries(self) -> Iterator[Entry]:
        """Yield all of them."""
        yield from self.stored()
        for name, dtype, array in self.tiles():
            encoded = name.encode()
            described = _shape_and_type(dtype.value, array.shape) + head(_NAME, len(encoded)) + encoded
            yield Entry(described, array.nbytes, partial(raw_data, array))


Field = tuple[bytes | memoryview, ...]
"""A field of a message, whole or in pieces."""


def pieces(weights: WeightStream) -> Iterator[Field]:
    """Yield the initializers as fields of the graph, one at a time."""
    for described, nbytes, data in weights.stored():
        if nbytes is None:
            yield (message(_INITIALIZER, described),)
        else:
            start = described + head(_RAW_DATA, nbytes)
            yield (head(_INITIALIZER, len(start) + nbytes) + start, data())
    for name, dtype, array in weights.tiles():
        encoded, nbytes = name.encode(), array.nbytes
        before, behind = _frame(dtype.value, array.shape, len(encoded), nbytes)
        if nbytes <= _COPIED_BYTES:
            yield (before + encoded + behind + array.tobytes(),)
        else:
            yield (before + encoded + behind, raw_data(array))


Placed = tuple[bytes, int, int]
"""An initializer as `write_data` left it: its TensorProto but for where it is, offset (-1: it's whole), length."""


def write_data(weights: WeightStream, file: BinaryIO, align: int, say: Progress = silent) -> tuple[list[Placed], int]:
    """Write the initializers above INLINE_BYTES to `file`, each from a multiple of `align` bytes on.

    Returns what remains to be written of each to the model's file (see `fields`), and the CRC-32 of the data file.
    """
    entries: list[Placed] = []
    checksum = position = 0
    meter = Meter(say, "write weights,", weights.least_bytes)
    for described, nbytes, data in weights.entries():
        if nbytes is None:
            entries.append((described, -1, 0))
        elif nbytes <= INLINE_BYTES:
            entries.append((described + head(_RAW_DATA, nbytes) + data(), -1, 0))
        else:
            padding = bytes(-position % align)
            for piece in (padding, data()) if padding else (data(),):
                file.write(piece)
                checksum = zlib.crc32(piece, checksum)
                position += len(piece)
            meter.add(nbytes)
            entries.append((described, position - nbytes, nbytes))
    return entries, checksum


def fields(entries: list[Placed], location: str) -> Iterator[Field]:
    """Yield the fields of the graph for initializers that `write_data` wrote."""
    where = pair(_EXTERNAL_DATA, "location", location)
    for described, offset, length in entries:
        if offset >= 0:
            span = pair(_EXTERNAL_DATA, "offset", str(offset)) + pair(_EXTERNAL_DATA, "length", str(length))
            described += where + span + _ELSEWHERE
        yield (message(_INITIALIZER, described),)


def stays_elsewhere(tensor: ir.TensorProtocol, keep_external: bool) -> bool:
    """Return whether a tensor may stay in its data file: `keep_external`, and the file is in the model's folder."""
    outside = isinstance(tensor, DataTensor) and tensor.file.outside
    return keep_external and isinstance(tensor, ir.ExternalTensor) and not outside


def _entry(tensor: ir.TensorProtocol, keep_external: bool) -> Entry:
    plain = isinstance(tensor, (ir.Tensor, ir.ExternalTensor, ir.LazyTensor)) and tensor.dtype.bitwidth >= 8
    if not plain or stays_elsewhere(tensor, keep_external):
        return Entry(ir.serde.serialize_tensor(tensor).SerializeToString(), None, bytes)
    proto = onnx.TensorProto(name=tensor.name, data_type=tensor.dtype.value, dims=tensor.shape.numpy())
    if tensor.doc_string:
        proto.doc_string = tensor.doc_string
    for key, value in sorted(tensor.metadata_props.items()):
        proto.metadata_props.add(key=key, value=value)
    return Entry(proto.SerializeToString(), tensor.nbytes, lambda: raw_data(read_array(tensor)))


@lru_cache(maxsize=4096)
def _shape_and_type(data_type: int, shape: tuple[int, ...]) -> bytes:
    return bytes(onnx.TensorProto(data_type=data_type, dims=shape).SerializeToString())


@lru_cache(maxsize=4096)
def _frame(data_type: int, shape: tuple[int, ...], letters: int, nbytes: int) -> tuple[bytes, bytes]:
    """Return what stands before the name of an initializer of so many letters, and between that and its bytes."""
    before, behind = _shape_and_type(data_type, shape) + head(_NAME, letters), head(_RAW_DATA, nbytes)
    return head(_INITIALIZER, len(before) + letters + len(behind) + nbytes) + before, behind
