"""Model files read without their weights: for those who ask for sizes and not for numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import google.protobuf.message
import onnx
import onnx_ir as ir

from onnxtile.errors import OnnxtileError
from onnxtile.ir.io.load import check_regular, from_proto, load
from onnxtile.ir.io.protobuf_wire import inside, message, number_of, pair, runs

LARGE = 1024
"""Bytes from which on a tensor's numbers are left in the file: what shapes are computed from is smaller."""
WINDOW = 512
"""Bytes that are read at once where a field begins: names, shapes and lengths, mostly."""
_GRAPH = number_of(onnx.ModelProto, "graph")
_INITIALIZER = number_of(onnx.GraphProto, "initializer")
_RAW_DATA = number_of(onnx.TensorProto, "raw_data")
_EXTERNAL_DATA = number_of(onnx.TensorProto, "external_data")
_ELSEWHERE = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL).SerializeToString()


def skim(path: Path) -> ir.Model:
    """Read a model whose large weights stay in the file: each is external data of the model file itself.

    Such a model isn't to be written. What can't be read so is read whole; errors are those of `ir.io.load.load`.
    """
    try:
        return from_proto(_skimmed(path), str(path), path.parent)
    except (OSError, ValueError, IndexError, google.protobuf.message.DecodeError, OnnxtileError):
        return load(path)  # which says what is wrong, where something is


def _skimmed(path: Path) -> onnx.ModelProto:
    model = onnx.ModelProto()
    check_regular(path, "an ONNX file")
    with path.open("rb", buffering=0) as file:
        model.ParseFromString(b"".join(_model(_File(file), path.name)))
    return model


class _File:
    """A file's bytes, read where they're asked for. A mapped file's would count as memory, page by page."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self._start, self._window = 0, b""

    def __getitem__(self, at: int) -> int:
        if not self._start <= at < self._start + len(self._window):
            self._start, self._window = at, self.read(at, at + WINDOW)
        return self._window[at - self._start]

    def read(self, start: int, stop: int) -> bytes:
        if self._start <= start and stop <= self._start + len(self._window):
            return self._window[start - self._start : stop - self._start]
        self._file.seek(start)
        data = self._file.read(stop - start)
        while len(data) < min(stop, self.size) - start:
            data += self._file.read(min(stop, self.size) - start - len(data))
        return data


def _model(data: _File, name: str) -> Iterator[bytes]:
    """Yield the fields of the model, its graph's anew. Several graphs are one, as protobuf has it."""
    for number, start, stop in runs(data, 0, data.size, 0):
        if number == _GRAPH:
            yield message(_GRAPH, b"".join(_graph(data, inside(data, start), stop, name)))
        else:
            yield data.read(start, stop)


def _graph(data: _File, start: int, stop: int, name: str) -> Iterator[bytes]:
    for number, begin, end in runs(data, start, stop, 0):
        if number == _INITIALIZER and end - begin > LARGE:
            yield message(_INITIALIZER, b"".join(_tensor(data, inside(data, begin), end, name)))
        else:
            yield data.read(begin, end)


def _tensor(data: _File, start: int, stop: int, name: str) -> Iterator[bytes]:
    for number, begin, end in runs(data, start, stop, 0):
        content = inside(data, begin)
        if number != _RAW_DATA or end - content <= LARGE:
            yield data.read(begin, end)
            continue
        where = {"location": name, "offset": str(content), "length": str(end - content)}
        yield from (pair(_EXTERNAL_DATA, key, value) for key, value in where.items())
        yield _ELSEWHERE
