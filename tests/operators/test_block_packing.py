"""Weights packed in blocks: unpacking undoes packing, and numbers are those of onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

import onnxtile
from onnxtile.operators.block_packing import FP4, NF4, pack, unpack
from tests.passes.test_decompose_blockwise import F16, F32, PACKED, bnb4, n_bits, plainly
from tests.support import operators


@pytest.mark.parametrize("dtype", [F32, F16])
@pytest.mark.parametrize(
    ("zeros", "bits"), [("", 2), ("packed", 2), ("", 4), ("packed", 4), ("floats", 4), ("packed", 8)]
)
def test_numbers_are_those_of_onnxruntime(zeros: str, bits: int, dtype: np.dtype[Any]) -> None:
    if (bits, F32) not in PACKED:
        pytest.skip("this release of onnxruntime doesn't run it")
    made = n_bits([80, 80], 80, 12, bits, 32, dtype, zeros=zeros, scale=0.3)
    identity = {"A": np.eye(80, dtype=dtype)}
    written_out = onnxtile.lower(made, (None, 40, None))
    assert "MatMulNBits" not in operators(written_out)
    np.testing.assert_array_equal(plainly(written_out, identity), plainly(made, identity))


@pytest.mark.parametrize(("quant_type", "table"), enumerate([FP4, NF4]))
def test_codes_of_bitsandbytes(quant_type: int, table: tuple[float, ...]) -> None:
    made = bnb4([33, 33], 33, 7, quant_type=quant_type)
    rng = np.random.default_rng(0)
    packed, absmax = rng.integers(0, 256, 116).astype(np.uint8), rng.standard_normal(15).astype(np.float32)
    for tensor, array in zip(made.graph.initializer, (packed, absmax), strict=True):
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    identity = {"A": np.eye(33, dtype=F32)}
    want = plainly(made, identity)
    np.testing.assert_array_equal(plainly(onnxtile.lower(made, (8, 8, 8)), identity), want)
    assert want[0, 0] == np.float32(table[packed[0] >> 4]) * absmax[0]


@given(st.sampled_from([2, 4, 8]), st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_packing_is_undone_by_unpacking(bits: int, numbers: list[int]) -> None:
    array = np.array([numbers, numbers[::-1]], np.uint8)
    np.testing.assert_array_equal(unpack(pack(array, bits), bits)[:, : len(numbers)], array)
