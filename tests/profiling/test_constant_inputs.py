"""Test which constants a node is fed, and what they count as."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from tests.profiling.test_cost_walk import W, row
from tests.profiling.test_profile import model
from tests.support import FORMS, make, parse


def test_a_shared_weight_counts_once_in_totals_and_in_each_row() -> None:
    profile = onnxtile.profile(model("(float[4,4] x) => (float[4,4] y) { a = MatMul(x, W) y = MatMul(a, W) }", W=W))
    assert [node.params for node in profile.nodes] == [16, 16]
    assert (profile.totals.params, profile.totals.weight_bytes) == (16, 64)
    (group,) = profile.by("op")
    assert (group.name, group.nodes, group.params, group.macs) == ("MatMul", 2, 16, 128)


def test_a_weight_behind_operators_is_that_weight() -> None:
    profile = onnxtile.profile(
        model(
            """(float[2,4] x) => (float[2,4] y, float[2,3] z) {
            t = Transpose (T) i = Identity (t) y = MatMul (x, i)
            a, b = Split <axis = 1, num_outputs = 2> (S) p = MatMul (x, a) q = MatMul (x, b) z = Add (p, q) }""",
            T=W, S=np.ones((4, 6), np.float32),
        )
    )  # fmt: skip
    assert profile.totals.params == 16 + 24
    assert [row(profile, name).params for name in "ypqz"] == [16, 12, 12, 0]
    assert row(profile, "p").constants == ("S",)


def test_quantized_weights_are_what_is_stored() -> None:
    quantized = onnxtile.profile(
        model(
            "(float[2,4] x) => (float[2,4] y) { w = DequantizeLinear <axis = 1> (Q, scale, zero) y = MatMul (x, w) }",
            Q=np.ones((4, 4), np.int8), scale=np.ones(4, np.float32), zero=np.zeros(4, np.int8),
        )
    )  # fmt: skip
    product = row(quantized, "y")
    assert (product.params, product.weight_bytes, product.input_bytes) == (16, 16, 32 + 64)
    assert (quantized.totals.params, quantized.totals.weight_bytes) == (16, 16 + 16 + 4)


def test_numbers_of_four_bits_are_packed() -> None:
    graph = onnx.parser.parse_graph(
        "g (float[2,3] x) => (float[2,5] y) { w = DequantizeLinear (Q, scale) y = MatMul (x, w) }"
    )
    graph.initializer.append(helper.make_tensor("Q", TensorProto.INT4, [3, 5], [1] * 15))
    graph.initializer.append(numpy_helper.from_array(np.float32(1), "scale"))
    totals = onnxtile.profile(make(graph, 21)).totals
    assert (totals.params, totals.weight_bytes) == (15, 8 + 4)


def test_coefficients_shapes_and_bounds_are_no_parameters() -> None:
    profile = onnxtile.profile(
        model(
            """(float[4,4] x) => (float[2,8] y) {
            half = Constant <value_float = 0.5> () a = Mul (x, half) b = Clip (a, low, high) c = Mul (b, scale)
            y = Reshape (c, to) }""",
            low=np.float32(0), high=np.float32(6), scale=np.ones((1, 4), np.float32), to=np.array([2, 8]),
        )
    )  # fmt: skip
    assert profile.totals.params == 4
    assert row(profile, "half").stored


def test_statistics_are_told_apart() -> None:
    text = "(float[1,4,2,2] x) => (float[1,4,2,2] y) { y = BatchNormalization (x, a, b, c, d) }"
    norm = model(text, **{name: np.ones(4, np.float32) for name in "abcd"})
    assert (onnxtile.profile(norm).totals.params, onnxtile.profile(norm).totals.buffers) == (16, 8)
    assert onnxtile.profile(norm, convention="ptflops").totals.params == 8


def test_constants_made_at_run_time_are_stored_ones() -> None:
    profile = onnxtile.profile(
        model(
            "(float[4,4] x) => (float[4,4] y) { w = ConstantOfShape (shape) y = MatMul (x, w) }", shape=np.array([4, 4])
        )
    )
    assert (profile.totals.params, profile.totals.activation_bytes, row(profile, "w").stored) == (16, 64, True)


def test_quantized_constants_that_are_joined_are_weights() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]> g (uint8[2,3] x) => (uint8[2,7] y) {
            y = com.microsoft.QLinearConcat <axis = 1> (s, z, x, s, z, w, s, z)
        }""",
        s=np.float32(0.5),
        z=np.uint8(3),
        w=np.ones((2, 4), np.uint8),
    )
    totals = onnxtile.profile(model).totals
    assert (totals.params, totals.weight_bytes) == (8, 13)


def test_quantized_weights_that_rows_are_gathered_of_count() -> None:
    table = np.ones((6, 4), np.int8)
    profile = onnxtile.profile(
        parse(
            """<ir_version: 8, opset_import: ["" : 17]> g (int64[3] i) => (float[3,4] y)
            <float s = {0.5}, int8 z = {0}> { rows = Gather (table, i) y = DequantizeLinear (rows, s, z) }""",
            table=table,
        )
    )
    assert profile.totals.params == 24


@pytest.mark.parametrize("form", FORMS)
def test_quantized_weights_that_loops_carry_count(form: str) -> None:
    original = parse(
        """<ir_version: 8, opset_import: ["" : 17]> g (uint8[8,8] x) => (int32[8,8] y) { y = MatMulInteger (x, w) }""",
        w=np.ones((8, 8), np.int8),
    )
    assert onnxtile.profile(onnxtile.lower(original, (4, 4, 4), form=form)).totals.params == 64
