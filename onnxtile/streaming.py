"""A model's initializers as bytes of the file, one at a time; their sizes are known before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.forms.sink import little_endian
from onnxtile.forms.spelling import Cut, Speller
from onnxtile.wire import head

_INITIALIZER = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_NAME = onnx.TensorProto.DESCRIPTOR.fields_by_name["name"].number
_RAW_DATA = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number


@dataclass(frozen=True)
class Weights:
    """The main graph's initializers in the file's order: those it had, new small ones, and those that are cut."""

    uncut: list[ir.TensorProtocol]
    new: list[onnx.TensorProto]
    cuts: list[Cut]
    speller: Speller

    def tiles(self, blank: bool = False) -> Iterator[tuple[str, ir.DataType, np.ndarray]]:
        """Name, type and view of each tile, one constant at a time in memory; `blank`: no numbers, and none read."""
        for cut in self.cuts:
            empty = np.broadcast_to(np.empty((), cut.dtype.numpy()), cut.tensor.shape.numpy())
            for name, array in self.speller.arrays(cut, empty if blank else None):
                yield name, cut.dtype, array


def sizes(weights: Weights) -> Iterator[int]:
    """Bytes of each initializer as a field of the graph, without a look at a weight."""
    for tensor in weights.uncut:
        start, described = _start(tensor)
        yield len(start) + (tensor.nbytes if described is None else len(described))
    for constant in weights.new:
        yield len(_field(constant.SerializeToString()))
    for name, dtype, array in weights.tiles(blank=True):
        yield len(_tile_start(name, dtype, array)) + array.nbytes


def pieces(weights: Weights) -> Iterator[bytes]:
    """The initializers as fields of the graph, one at a time."""
    for tensor in weights.uncut:
        start, described = _start(tensor)
        yield start
        yield tensor.tobytes() if described is None else described
    for constant in weights.new:
        yield _field(constant.SerializeToString())
    for name, dtype, array in weights.tiles():
        yield _tile_start(name, dtype, array)
        yield little_endian(array)


def _start(tensor: ir.TensorProtocol) -> tuple[bytes, bytes | None]:
    """A tensor's field up to its bytes, and the rest where that isn't the bytes alone."""
    if not isinstance(tensor, ir.Tensor) or tensor.dtype.bitwidth < 8:
        described = ir.serde.serialize_tensor(tensor).SerializeToString()
        return head(_INITIALIZER, len(described)), described
    blank = ir.Tensor(
        np.empty(0, tensor.dtype.numpy()), dtype=tensor.dtype, name=tensor.name, doc_string=tensor.doc_string,
        metadata_props=tensor.metadata_props,
    )  # fmt: skip
    proto = ir.serde.serialize_tensor(blank)
    proto.dims[:] = tensor.shape.numpy()
    proto.ClearField("raw_data")
    return _open_field(proto.SerializeToString(), tensor.nbytes), None


def _tile_start(name: str, dtype: ir.DataType, array: np.ndarray) -> bytes:
    """A tile's field up to the tile's bytes."""
    encoded = name.encode()
    return _open_field(_shape_and_type(dtype, array.shape) + head(_NAME, len(encoded)) + encoded, array.nbytes)


@lru_cache(maxsize=4096)
def _shape_and_type(dtype: ir.DataType, shape: tuple[int, ...]) -> bytes:
    return bytes(onnx.TensorProto(data_type=dtype.value, dims=shape).SerializeToString())


def _open_field(described: bytes, nbytes: int) -> bytes:
    """The start of an initializer: all of it but the raw bytes."""
    described += head(_RAW_DATA, nbytes)
    return head(_INITIALIZER, len(described) + nbytes) + described


def _field(encoded: bytes) -> bytes:
    return head(_INITIALIZER, len(encoded)) + encoded
