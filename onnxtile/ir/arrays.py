"""Numbers of tensors: read from where they lie, and as the bytes that ONNX stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import onnx_ir as ir

MOST_AXES = int(getattr(np, "MAXDIMS", 64))
"""Axes that an array may have: 32 before numpy 2, which says so in a name that's gone since."""


def last_axes_swapped(rank: int) -> list[int]:
    """Return the order of axes in which the last two change places."""
    return [*range(rank - 2), rank - 1, rank - 2]


def read_array(tensor: ir.TensorProtocol) -> np.ndarray:
    """Return a tensor's numbers. Those in external data are mapped anew each time: they go when the array does."""
    if not isinstance(tensor, ir.ExternalTensor) or tensor.dtype.bitwidth < 8 or not tensor.nbytes:
        return tensor.numpy()
    data = np.memmap(tensor.path, np.uint8, "r", tensor.offset or 0, tensor.nbytes)
    array: np.ndarray = data.view(tensor.dtype.numpy().newbyteorder("<")).reshape(tensor.shape.numpy())
    return array


def little_endian(array: np.ndarray) -> np.ndarray:
    """Return the array with the lowest byte of each number first."""
    return array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array


def raw_data(array: np.ndarray) -> bytes | memoryview:
    """Return the array's bytes as ONNX stores them: row by row, the lowest byte first. Not copied where that can be."""
    array = little_endian(array)
    return array.reshape(-1).view(np.uint8).data if array.flags.c_contiguous else array.tobytes()


def tensor_proto(name: str, dtype: ir.DataType, array: np.ndarray) -> onnx.TensorProto:
    """Return the array as an initializer."""
    return onnx.TensorProto(name=name, data_type=dtype.value, dims=array.shape, raw_data=bytes(raw_data(array)))


def lazily(compute: Callable[[], np.ndarray], dtype: ir.DataType, shape: Sequence[int]) -> ir.TensorProtocol:
    """Return a tensor whose numbers are computed each time it's read, and not kept."""
    return ir.LazyTensor(lambda: ir.Tensor(compute(), dtype=dtype), dtype, ir.Shape(shape))
