"""Hand arrays to onnxruntime and take them back, bit for bit, those of types that numpy lacks among them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

BITS = {1: np.uint8, 2: np.uint16}
"""Types of so many bytes to look at numbers as bits."""


class NotATensorError(Exception):
    """The value is no array; the message goes on from its name."""


def element_type(dtype: ir.DataType) -> np.dtype[Any] | None:
    """Return the type of arrays that onnxruntime takes for elements of `dtype`; None where it takes none."""
    if dtype == ir.DataType.STRING or dtype.bitwidth < 8:
        return None
    plain: np.dtype[Any] = dtype.numpy()
    return plain if plain.isbuiltin == 1 else np.dtype(BITS[plain.itemsize])


def to_engine(array: np.ndarray) -> Any:
    """Return the array as a value of onnxruntime, valid for as long as it; None for text and less than 8 bits."""
    import onnxruntime

    if array.dtype.kind in "OSU":
        return None
    dtype = ir.DataType.from_numpy(array.dtype)
    plain = element_type(dtype)
    if plain is None:
        return None
    array = np.ascontiguousarray(array).reshape(array.shape)  # the former makes an axis for a number
    if array.dtype == plain:
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(array.view(plain), dtype.value)


def from_engine(value: Any) -> tuple[np.ndarray, ir.DataType]:
    """Return a value of an engine as an array, and its type. Raises NotATensorError for what is none.

    onnxruntime gives no array of most types that numpy lacks, and one of plain bytes for float8e4m3fn; so those are
    taken from memory as they are.
    """
    if value is None or isinstance(value, (list, np.ndarray)):
        return _from_reference(value)
    if not value.has_value():
        raise NotATensorError("is an optional without a value")
    if not value.is_tensor():
        raise NotATensorError(f"is a {value.data_type()}, which no array is")
    dtype = ir.DataType(value.element_type())
    if dtype == ir.DataType.STRING:
        return _text(value), dtype
    if dtype.numpy().isbuiltin == 1:
        plain: np.ndarray = value.numpy()
        return plain, dtype
    shape = value.shape()
    raw = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    if dtype.bitwidth < 8:
        tensor = onnx.TensorProto(data_type=dtype.value, dims=shape, raw_data=raw)
        return onnx.numpy_helper.to_array(tensor), dtype
    return np.frombuffer(raw, dtype.numpy()).reshape(shape), dtype


def _from_reference(value: Any) -> tuple[np.ndarray, ir.DataType]:
    """Return what onnx.reference gives: arrays, or lists of them for sequences."""
    if value is None:
        raise NotATensorError("is an optional without a value")
    if isinstance(value, list):
        raise NotATensorError("is a sequence, which no array is")
    if value.dtype.kind in "OSU":
        return value.astype(np.str_), ir.DataType.STRING
    return value, ir.DataType.from_numpy(value.dtype)


def _text(value: Any) -> np.ndarray:
    try:
        words: np.ndarray = value.numpy()
    except UnicodeDecodeError as error:
        raise NotATensorError("holds text that isn't UTF-8") from error
    if any(str(word).endswith("\0") for word in words.reshape(-1)):
        raise NotATensorError("holds text that ends in a zero byte, which arrays of text leave out")
    return words.astype(np.str_)
