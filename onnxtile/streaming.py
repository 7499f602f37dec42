"""A model's initializers as bytes of its file, or of a data file beside it: one at a time, sizes known before."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.constants import read_array
from onnxtile.forms.sink import little_endian
from onnxtile.forms.spelling import Cut, Speller
from onnxtile.wire import head

INLINE_BYTES = 1024
"""Initializers up to this size stay in the model's file."""
ALIGNMENT = 4
"""Bytes that the start of each initializer in a data file is a multiple of, at least."""
_INITIALIZER = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_NAME = onnx.TensorProto.DESCRIPTOR.fields_by_name["name"].number
_RAW_DATA = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number


@dataclass(frozen=True)
class Entry:
    """An initializer: its TensorProto but for the raw bytes, how many those are (None: it has none), and they."""

    name: str
    described: bytes
    nbytes: int | None
    data: Callable[[], bytes]


@dataclass(frozen=True)
class Weights:
    """The main graph's initializers in the file's order: those it had, new small ones, and those that are cut.

    `keep_external`: those it had in external data stay there.
    """

    uncut: list[ir.TensorProtocol]
    new: list[onnx.TensorProto]
    cuts: list[Cut]
    speller: Speller
    keep_external: bool

    def tiles(self, blank: bool = False) -> Iterator[tuple[str, ir.DataType, np.ndarray]]:
        """Name, type and view of each tile, one constant at a time in memory; `blank`: no numbers, and none read."""
        for cut in self.cuts:
            empty = np.broadcast_to(np.empty((), cut.dtype.numpy()), cut.tensor.shape.numpy())
            for name, array in self.speller.arrays(cut, empty if blank else None):
                yield name, cut.dtype, array

    def entries(self, blank: bool = False) -> Iterator[Entry]:
        """All of them; each one's bytes are made when they're asked for. `blank`: they won't be."""
        for tensor in self.uncut:
            yield _entry(tensor, self.keep_external)
        for constant in self.new:
            yield Entry(constant.name, constant.SerializeToString(), None, bytes)
        for name, dtype, array in self.tiles(blank):
            encoded = name.encode()
            described = _shape_and_type(dtype, array.shape) + head(_NAME, len(encoded)) + encoded
            yield Entry(name, described, array.nbytes, lambda array=array: little_endian(array))  # type: ignore[misc]


def survey(weights: Weights) -> tuple[list[str], int]:
    """The initializers' names, and their bytes as fields of the graph, without a look at a weight."""
    names, size = [], 0
    for entry in weights.entries(blank=True):
        names.append(entry.name)
        size += len(_start(entry)) + (entry.nbytes or 0)
    return names, size


def pieces(weights: Weights) -> Iterator[bytes]:
    """The initializers as fields of the graph, one at a time."""
    for entry in weights.entries():
        yield _start(entry)
        if entry.nbytes is not None:
            yield entry.data()


Placed = tuple[bytes, int, int]
"""An initializer as `write_data` left it: its TensorProto but for where it is, offset (-1: it's whole), length."""


def write_data(weights: Weights, file: BinaryIO, align: int) -> tuple[list[Placed], int]:
    """Write the initializers above INLINE_BYTES to `file`, each from a multiple of `align` bytes on.

    Returns what remains to be written of each to the model's file (see `fields`), and the CRC-32 of the data file.
    """
    entries: list[Placed] = []
    checksum = position = 0
    for entry in weights.entries():
        if entry.nbytes is None or entry.nbytes <= INLINE_BYTES:
            data = b"" if entry.nbytes is None else head(_RAW_DATA, entry.nbytes) + entry.data()
            entries.append((entry.described + data, -1, 0))
            continue
        for piece in (bytes(-position % align), entry.data()):
            file.write(piece)
            checksum = zlib.crc32(piece, checksum)
            position += len(piece)
        entries.append((entry.described, position - entry.nbytes, entry.nbytes))
    return entries, checksum


def fields(entries: list[Placed], location: str) -> Iterator[bytes]:
    """The fields of the graph for initializers that `write_data` wrote."""
    for described, offset, length in entries:
        if offset >= 0:
            place = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
            for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
                place.external_data.add(key=key, value=value)
            described += place.SerializeToString()
        yield head(_INITIALIZER, len(described)) + described


def _entry(tensor: ir.TensorProtocol, keep_external: bool) -> Entry:
    elsewhere = isinstance(tensor, ir.ExternalTensor)
    if (
        not isinstance(tensor, (ir.Tensor, ir.ExternalTensor))
        or tensor.dtype.bitwidth < 8
        or (elsewhere and keep_external)
    ):
        return Entry(str(tensor.name), ir.serde.serialize_tensor(tensor).SerializeToString(), None, bytes)
    proto = onnx.TensorProto(name=tensor.name, data_type=tensor.dtype.value, dims=tensor.shape.numpy())
    if tensor.doc_string:
        proto.doc_string = tensor.doc_string
    for key, value in sorted(tensor.metadata_props.items()):
        proto.metadata_props.add(key=key, value=value)
    return Entry(str(tensor.name), proto.SerializeToString(), tensor.nbytes, lambda: little_endian(read_array(tensor)))


def _start(entry: Entry) -> bytes:
    """An initializer's field up to its raw bytes, if it has any."""
    described = entry.described if entry.nbytes is None else entry.described + head(_RAW_DATA, entry.nbytes)
    return head(_INITIALIZER, len(described) + (entry.nbytes or 0)) + described


@lru_cache(maxsize=4096)
def _shape_and_type(dtype: ir.DataType, shape: tuple[int, ...]) -> bytes:
    return bytes(onnx.TensorProto(data_type=dtype.value, dims=shape).SerializeToString())
