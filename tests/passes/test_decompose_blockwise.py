"""Products by packed weights: cut in their packed form or written out in numbers, bit for bit as in onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import onnxtile
from onnxtile import Limits
from onnxtile.operators.block_packing import pack
from onnxtile.passes import DecomposeBlockwise
from tests.support import FEWER, assert_verified, loads, operators, run_onnxruntime, whole

F32, F16 = np.dtype(np.float32), np.dtype(np.float16)
INFO = helper.make_tensor_value_info
Feeds = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A model of one product by packed weights and its input."""

    model: onnx.ModelProto
    feeds: Feeds

    def __repr__(self) -> str:
        return onnx.printer.to_text(self.model)


def model(
    node: onnx.NodeProto, a: list[Any], y: list[Any], dtype: np.dtype[Any], opset: int, **tensors: np.ndarray
) -> onnx.ModelProto:
    data_type = helper.np_dtype_to_tensor_dtype(dtype)
    initializers = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    graph = helper.make_graph([node], "g", [INFO("A", data_type, a)], [INFO("Y", data_type, y)], initializers)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def n_bits(
    shape: list[Any], k: int, n: int, bits: int = 4, block_size: int = 16, dtype: np.dtype[Any] = F32, opset: int = 21,
    zeros: str = "", bias: bool = False, scale: float | None = None, flat: bool = False, **attributes: int,
) -> onnx.ModelProto:  # fmt: skip
    """A MatMulNBits named fc whose scales are powers of two, or random with `scale`."""
    rng, blocks = np.random.default_rng(k * n), -(-k // block_size)
    codes = rng.integers(0, 1 << bits, [n, blocks * block_size]).astype(np.uint8)
    scales = np.exp2(rng.integers(-1, 2, [n, blocks])) if scale is None else rng.standard_normal([n, blocks]) * scale
    zero_points = rng.integers(0, 1 << bits, [n, blocks]).astype(np.uint8)
    tensors = {"B": pack(codes, bits).reshape(n, blocks, -1), "scales": scales.astype(dtype)}
    if zeros:
        tensors["zero_points"] = pack(zero_points, bits) if zeros == "packed" else zero_points.astype(dtype)
    if flat:
        tensors |= {name: array.reshape(-1) for name, array in tensors.items() if name != "B"}
    if bias:
        tensors["bias"] = whole([n], dtype, 3)
    inputs = ["A", "B", "scales", "zero_points" * bool(zeros), "", "bias"][: 6 if bias else 4 if zeros else 3]
    sizes = {"K": k, "N": n, "bits": bits, "block_size": block_size}
    node = helper.make_node("MatMulNBits", inputs, ["Y"], "fc", domain="com.microsoft", **sizes, **attributes)
    return model(node, shape, [*shape[:-1], n], dtype, opset, **tensors)


PACKED = [(4, F32), (8, F32), (4, F16)]
"""Bits and types that the onnxruntime at hand runs."""
PACKED += [(2, dtype) for dtype in (F32, F16) if loads(n_bits([2, 16], 16, 2, bits=2, dtype=dtype))]


def bnb4(
    shape: list[Any], k: int, n: int, block_size: int = 16, quant_type: int = 0, **attributes: int
) -> onnx.ModelProto:
    """A MatMulBnb4 named fc of codes that stand for whole numbers, once scaled."""
    rng, count = np.random.default_rng(k * n), k * n
    exact = [0, 3, 11, 0] if quant_type == 0 else [0, 7, 15, 7]  # codes of 0, 1 and -1
    codes = np.array(exact)[rng.integers(0, 4, count + count % 2)].astype(np.uint8)
    packed = (codes[::2] << 4) | codes[1::2]
    absmax = np.exp2(rng.integers(-1, 2, -(-count // block_size))).astype(np.float32)
    sizes = {"K": k, "N": n, "block_size": block_size, "quant_type": quant_type}
    node = helper.make_node(
        "MatMulBnb4", ["A", "B", "absmax"], ["Y"], "fc", domain="com.microsoft", **sizes, **attributes
    )
    return model(node, shape, [*shape[:-1], n], F32, 21, B=packed, absmax=absmax)


@st.composite
def products(draw: st.DrawFn) -> Case:
    k, n = draw(st.integers(1, 70)), draw(st.integers(1, 12))
    shape = [*draw(st.lists(st.integers(1, 3), max_size=2)), draw(st.integers(1, 7)), k]
    shape = shape[draw(st.sampled_from([0, 0, -2, -1])) :]
    if draw(st.integers(0, 3)) == 0:
        made = bnb4(shape, k, n, draw(st.sampled_from([16, 32])), draw(st.integers(0, 1)))
        return Case(made, {"A": whole(shape, F32, 1)})
    bits, dtype = draw(st.sampled_from(PACKED))
    zeros = draw(st.sampled_from(["", "packed"] + ["floats"] * (bits == 4)))
    made = n_bits(
        shape, k, n, bits, draw(st.sampled_from([16, 16, 32, 64, 128, 256])), dtype, draw(st.integers(12, 22)), zeros,
        draw(st.booleans()), flat=draw(st.booleans()), accuracy_level=draw(st.integers(0, 1)),
    )  # fmt: skip
    feeds = whole(shape, dtype, 1)
    return Case(made, {"A": feeds if dtype == F32 else few(feeds)})


def few(array: np.ndarray) -> np.ndarray:
    """One of five numbers, or its sign: sums that float16 holds."""
    return np.where(np.arange(array.size).reshape(array.shape) % 5, 0, np.sign(array)).astype(array.dtype)


def plainly(made: onnx.ModelProto, feeds: Feeds) -> np.ndarray:
    (y,) = run_onnxruntime(made, feeds, optimize=False)
    return y


LIMIT_K = st.sampled_from([None, 5, 16, 20, 32, 48, 64])


@FEWER
@given(products(), st.none() | st.integers(1, 5), LIMIT_K, st.none() | st.integers(1, 5), st.data())
def test_a_product_by_packed_weights_is_legal_and_bit_exact(
    case: Case, m: int | None, k: int | None, n: int | None, data: st.DataObject
) -> None:
    limits = (m, k, n)
    form, weights = st.sampled_from(["unrolled", "batched", "loop", "function"]), st.sampled_from(["pretile", "split"])
    how: dict[str, Any] = {"form": data.draw(form), "weights": data.draw(weights)}
    how["pad_tiles"] = len(case.feeds["A"].shape) > 1 and data.draw(st.booleans())
    lowered = onnxtile.lower(case.model, limits, **how)
    assert onnxtile.lower(case.model, limits, **how).SerializeToString() == lowered.SerializeToString()
    onnx.checker.check_model(lowered)
    assert onnxtile.check(lowered, limits).ok
    for op_type, sizes in sizes_of(lowered):
        assert all(limit is None or size <= limit for size, limit in zip(sizes, limits, strict=True)), op_type
    want, got = plainly(case.model, case.feeds), plainly(lowered, case.feeds)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    assert_verified(case.model, lowered)


def sizes_of(lowered: onnx.ModelProto) -> list[tuple[str, tuple[int, int, int]]]:
    """M, K and N of every product by running the model: it shares no code with the project's."""
    copy = onnx.ModelProto.FromString(lowered.SerializeToString())
    products = [node for node in copy.graph.node if node.op_type in ("MatMul", "MatMulNBits", "MatMulBnb4")]
    names = list(dict.fromkeys(name for node in products for name in (node.input[0], node.input[1], node.output[0])))
    del copy.graph.output[:]
    for index, name in enumerate(names):
        copy.graph.node.append(helper.make_node("Shape", [name], [f"shape{index}"]))
        copy.graph.output.append(INFO(f"shape{index}", onnx.TensorProto.INT64, None))
    a = lowered.graph.input[0].type.tensor_type
    zeros = np.zeros([d.dim_value for d in a.shape.dim], helper.tensor_dtype_to_np_dtype(a.elem_type))
    shapes = dict(zip(names, run_onnxruntime(copy, {"A": zeros}, optimize=False), strict=True)) if names else {}
    found = []
    for node in products:
        a_shape, y_shape = shapes[node.input[0]], shapes[node.output[0]]
        found.append((node.op_type, (int(a_shape[-2]) if len(a_shape) > 1 else 1, int(a_shape[-1]), int(y_shape[-1]))))
    return found


@pytest.mark.parametrize("limits", [(None, 64, 16), (16, 50, 16)], ids=["packed", "numbers"])
def test_random_numbers_stay_within_the_bound(limits: tuple[int, int, int]) -> None:
    k = 200
    made = n_bits([9, k], k, 33, 4, 32, zeros="packed", scale=0.1)
    x = np.random.default_rng(1).standard_normal([9, k]).astype(F32)
    want, got = plainly(made, {"A": x}), plainly(onnxtile.lower(made, limits), {"A": x})
    w = plainly(n_bits([k, k], k, 33, 4, 32, zeros="packed", scale=0.1), {"A": np.eye(k, dtype=F32)})
    unit = 2.0**-24
    gamma = k * unit / (1 - k * unit)  # two orders of summation differ by at most 2 * gamma(K) * |A||B|
    assert np.all(np.abs(got.astype(np.float64) - want) <= 2 * gamma * np.abs(x.astype(np.float64)) @ np.abs(w))


@pytest.mark.parametrize("limits", [(None, 64, 16), (16, 50, 16)], ids=["packed", "numbers"])
@pytest.mark.parametrize("dtype", [F32, F16])
def test_verified_within_the_bound_and_not_beyond(dtype: np.dtype[Any], limits: tuple[int, int, int]) -> None:
    made = n_bits([9, 200], 200, 33, 4, 32, dtype, zeros="packed", scale=0.1, bias=True)
    lowered = onnxtile.lower(made, limits)
    assert onnxtile.verify(made, lowered).equivalent
    bias = next(tensor for tensor in lowered.graph.initializer if tensor.name == "bias")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + dtype.type(1), "bias"))
    assert not onnxtile.verify(made, lowered).equivalent


def test_codes_are_verified() -> None:
    made = bnb4([9, 200], 200, 33, quant_type=1)
    assert onnxtile.verify(made, onnxtile.lower(made, (4, 16, 4))).equivalent


def test_an_unlimited_m_may_be_symbolic() -> None:
    made = n_bits(["batch", "rows", 32], 32, 8)
    lowered = onnxtile.lower(made, (None, 16, 4))
    assert operators(lowered).count("MatMulNBits") == 4
    written_out = onnxtile.lower(made, (4, 16, 4), form="batched")
    assert "MatMulNBits" not in operators(written_out)
    feeds = {"A": whole([2, 5, 32], F32, 1)}
    for model in (lowered, written_out):
        np.testing.assert_array_equal(plainly(model, feeds), plainly(made, feeds))
        assert_verified(made, model)


def test_a_vector_isn_t_padded() -> None:
    (row,) = onnxtile.estimate(n_bits([32], 32, 8), (4, 16, 4), pad_tiles=True)[0].contractions
    assert "a vector isn't padded to full tiles" in str(row.reason)


def test_none_given_writes_every_one_out() -> None:
    found = ir.from_proto(n_bits([4, 16], 16, 4, bias=True))
    result = DecomposeBlockwise()(found)
    assert result.modified
    assert [node.op_type for node in found.graph] == ["MatMul", "Add"]
    assert not DecomposeBlockwise()(found).modified


def test_what_fits_stays() -> None:
    made = n_bits([4, 16], 16, 4)
    assert onnxtile.lower(made, (4, 16, 4)) == made
    result = DecomposeBlockwise(Limits(4, 16, 4))(ir.from_proto(made))
    assert not result.modified


def test_to_a_file_with_its_weights_beside_it(tmp_path: Any) -> None:
    made = n_bits([6, 256], 256, 64, zeros="packed")
    feeds = {"A": whole([6, 256], F32, 1)}
    for limits in ((None, 128, 32), (None, 40, 40)):
        onnxtile.lower(made, limits, output=tmp_path / "o.onnx", external_data=True, weights="split")
        lowered = onnx.load(tmp_path / "o.onnx")
        small = onnx.load(tmp_path / "o.onnx", load_external_data=False)
        assert all(len(tensor.raw_data) <= 1024 for tensor in small.graph.initializer)
        np.testing.assert_array_equal(plainly(lowered, feeds), plainly(made, feeds))
