"""Numbers of tensors: mapped from files, and as the bytes that ONNX stores."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest
from onnx import numpy_helper

from onnxtile.ir.arrays import lazily, little_endian, raw_data, read_array, tensor_proto

ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(6, dtype=np.int64).reshape(3, 2).T,
    np.zeros([0, 4], np.float16), np.array(7, np.uint8), np.array([1, 2], ml_dtypes.bfloat16), np.array([True, False]),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{list(array.shape)}")
def test_bytes_are_those_of_onnx(array: np.ndarray) -> None:
    assert bytes(raw_data(array)) == array.tobytes()
    proto = tensor_proto("t", ir.DataType.from_numpy(array.dtype), array)
    assert proto.name == "t"
    np.testing.assert_array_equal(numpy_helper.to_array(proto), array)


def test_contiguous_numbers_are_not_copied() -> None:
    array = np.arange(4, dtype=np.int32)
    view = raw_data(array)
    array[0] = 9
    assert bytes(view)[0] == 9


def test_the_lowest_byte_comes_first() -> None:
    big = np.array([1, 258], ">i4")
    assert bytes(raw_data(big)) == bytes([1, 0, 0, 0, 2, 1, 0, 0])
    small = np.array([1], "<i4")
    assert little_endian(small) is small


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{list(array.shape)}")
def test_external_data_is_read_from_its_place(array: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"12345" + array.tobytes())
    dtype, shape = ir.DataType.from_numpy(array.dtype), ir.Shape(array.shape)
    tensor = ir.ExternalTensor("w.bin", 5, array.nbytes, dtype, shape=shape, name="w", base_dir=str(tmp_path))
    np.testing.assert_array_equal(read_array(tensor), array)


def test_a_lazy_tensor_is_computed_each_time_it_is_read() -> None:
    computed = []

    def compute() -> np.ndarray:
        computed.append(1)
        return np.ones([2, 3], np.float32)

    tensor = lazily(compute, ir.DataType.FLOAT, [2, 3])
    assert (tensor.nbytes, tensor.shape.numpy(), computed) == (24, (2, 3), [])
    read_array(tensor)
    read_array(tensor)
    assert len(computed) == 2
