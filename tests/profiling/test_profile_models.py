"""Multiply-accumulates and parameters of small models where profilers go wrong."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import onnxtile
from tests.support import parse

OF_QUANTIZATION = {"xs": "float", "ws": "float", "ys": "float", "xz": "uint8", "wz": "int8", "yz": "uint8"}
"""Scales and zero points, and their types."""
CONV, CONV_RESULT = "(float[1,8,16,16] x)", "(float[1,16,14,14] y)"
SQUARE, ROWS = "(float[8,16] x) => (float[8,16] y)", "(float[8,16] x) => (float[8,32] y)"
TABLE: list[tuple[str, str, int | str, int, str]] = [
    # name, constants, macs, params, interface and body
    ("gemm", "float[16,32] W", 4096, 512, f"{ROWS} {{ y = Gemm (x, W) }}"),
    ("gemm_transA", "float[16,32] W", 4096, 512, "(float[16,8] x) => (float[8,32] y) { y = Gemm <transA = 1> (x, W) }"),
    ("gemm_transB", "float[32,16] W", 4096, 512, f"{ROWS} {{ y = Gemm <transB = 1> (x, W) }}"),
    ("gemm_bias_alpha", "float[32,16] W, float[32] B", 4096, 544,
        f"{ROWS} {{ y = Gemm <alpha = 0.5, beta = 2.0, transB = 1> (x, W, B) }}"),
    ("matmul_2d", "float[16,32] W", 4096, 512, f"{ROWS} {{ y = MatMul (x, W) }}"),
    ("matmul_batched", "", 16384, 0, "(float[4,8,16] x, float[4,16,32] W) => (float[4,8,32] y) { y = MatMul (x, W) }"),
    ("matmul_bcast_rhs2d", "float[16,32] W", 16384, 512,
        "(float[4,8,16] x) => (float[4,8,32] y) { y = MatMul (x, W) }"),
    ("matmul_bcast_lhs2d", "float[4,16,32] W", 16384, 2048,
        "(float[8,16] x) => (float[4,8,32] y) { y = MatMul (x, W) }"),
    ("matmul_vec_lhs", "float[16,32] W", 512, 512, "(float[16] x) => (float[32] y) { y = MatMul (x, W) }"),
    ("matmul_vec_rhs", "float[16] W", 128, 16, "(float[8,16] x) => (float[8] y) { y = MatMul (x, W) }"),
    ("matmul_const_node", "", 4096, 512,
        f"{ROWS} {{ W = Constant <value = float[16,32] {{{','.join(['1'] * 512)}}}> () y = MatMul (x, W) }}"),
    ("matmul_shared_weight", "float[16,16] W", 4096, 256, f"{SQUARE} {{ h = MatMul (x, W) y = MatMul (h, W) }}"),
    ("matmul_zero_weight", "float[16,32] W", 4096, 512, f"{ROWS} {{ y = MatMul (x, W) }}"),
    ("fp16_matmul", "float16[16,32] W", 4096, 512, "(float16[8,16] x) => (float16[8,32] y) { y = MatMul (x, W) }"),
    ("symbolic_batch", "float[16,32] W", "512*N", 512, "(float[N,16] x) => (float[N,32] y) { y = Gemm (x, W) }"),
    ("ms_fusedmatmul_transA", "float[16,32] W", 4096, 512,
        "(float[16,8] x) => (float[8,32] y) { y = com.microsoft.FusedMatMul <transA = 1> (x, W) }"),
    ("conv_plain", "float[16,8,3,3] W", 225792, 1152,
        f"{CONV} => {CONV_RESULT} {{ y = Conv <kernel_shape = [3,3]> (x, W) }}"),
    ("conv_bias", "float[16,8,3,3] W, float[16] B", 225792, 1168,
        f"{CONV} => {CONV_RESULT} {{ y = Conv <kernel_shape = [3,3]> (x, W, B) }}"),
    ("conv_grouped", "float[16,2,3,3] W", 73728, 288,
        f"{CONV} => (float[1,16,16,16] y) {{ y = Conv <group = 4, kernel_shape = [3,3], pads = [1,1,1,1]> (x, W) }}"),
    ("conv_depthwise", "float[8,1,3,3] W", 36864, 72,
        "(float[2,8,16,16] x) => (float[2,8,16,16] y) { y = Conv <group = 8, pads = [1,1,1,1]> (x, W) }"),
    ("conv_no_kernel_shape_attr", "float[16,8,3,3] W", 225792, 1152, f"{CONV} => {CONV_RESULT} {{ y = Conv (x, W) }}"),
    ("conv_dilated_stride", "float[16,8,3,3] W", 225792, 1152,
        f"(float[1,8,31,31] x) => {CONV_RESULT} {{ y = Conv <dilations = [2,2], strides = [2,2]> (x, W) }}"),
    ("conv_dynamic_weight", "", 225792, 0,
        f"(float[1,8,16,16] x, float[16,8,3,3] w) => {CONV_RESULT} {{ y = Conv (x, w) }}"),
    ("convtranspose_s1", "float[8,4,3,3] W", 18432, 288,
        "(float[1,8,8,8] x) => (float[1,4,10,10] y) { y = ConvTranspose (x, W) }"),
    ("convtranspose_s2", "float[8,4,3,3] W", 18432, 288,
        "(float[1,8,8,8] x) => (float[1,4,17,17] y) { y = ConvTranspose <strides = [2,2]> (x, W) }"),
    ("einsum_matmul", "", 16384, 0,
        '(float[4,8,16] a, float[4,16,32] b) => (float[4,8,32] y) { y = Einsum <equation = "bij,bjk->bik"> (a, b) }'),
    ("einsum_attn_scores", "", 12288, 0,
        "(float[2,4,8,16] a, float[2,4,12,16] b) => (float[2,4,8,12] y) "
        '{ y = Einsum <equation = "bhid,bhjd->bhij"> (a, b) }'),
    ("einsum_implicit", "", 4096, 0,
        '(float[8,16] a, float[16,32] b) => (float[8,32] y) { y = Einsum <equation = "ij,jk"> (a, b) }'),
    ("attention_4d", "", 131072, 0,
        "(float[1,4,32,16] q, float[1,4,32,16] k, float[1,4,32,16] v) => (float[1,4,32,16] y) "
        "{ y = Attention (q, k, v) }"),
    ("attention_3d", "", 262144, 0,
        "(float[2,32,64] q, float[2,32,64] k, float[2,32,64] v) => (float[2,32,64] y) "
        "{ y = Attention <kv_num_heads = 4, q_num_heads = 4> (q, k, v) }"),
    ("qlinearconv", "int8[16,8,3,3] W", 225792, 1152,
        "(uint8[1,8,16,16] x) => (uint8[1,16,14,14] y) { y = QLinearConv (x, xs, xz, W, ws, wz, ys, yz) }"),
    ("qlinearconv_1d", "int8[16,8,5] W", 38400, 640,
        "(uint8[1,8,64] x) => (uint8[1,16,60] y) { y = QLinearConv (x, xs, xz, W, ws, wz, ys, yz) }"),
    ("qlinearmatmul", "int8[16,32] W", 4096, 512,
        "(uint8[8,16] x) => (uint8[8,32] y) { y = QLinearMatMul (x, xs, xz, W, ws, wz, ys, yz) }"),
    ("matmulinteger", "int8[16,32] W", 4096, 512,
        "(uint8[8,16] x) => (int32[8,32] y) { y = MatMulInteger (x, W, xz, wz) }"),
    ("convinteger", "int8[16,8,3,3] W", 225792, 1152,
        "(uint8[1,8,16,16] x) => (int32[1,16,14,14] y) { y = ConvInteger (x, W, xz) }"),
    ("qdq_gemm", "int8[16,32] W", 4096, 512, f"{ROWS} {{ w = DequantizeLinear (W, ws, wz) y = MatMul (x, w) }}"),
    ("lstm", "float[1,128,16] W, float[1,128,32] R", 122880, 6144,
        "(float[10,2,16] x) => (float[10,1,2,32] y) { y = LSTM <hidden_size = 32> (x, W, R) }"),
    ("gru", "float[1,96,16] W, float[1,96,32] R", 92160, 4608,
        "(float[10,2,16] x) => (float[10,1,2,32] y) { y = GRU <hidden_size = 32> (x, W, R) }"),
    ("rnn", "float[1,32,16] W, float[1,32,32] R", 30720, 1536,
        "(float[10,2,16] x) => (float[10,1,2,32] y) { y = RNN <hidden_size = 32> (x, W, R) }"),
    ("lstm_full_io", "float[1,128,16] W, float[1,128,32] R, float[1,256] B", 122880, 6400,
        "(float[10,2,16] x, float[1,2,32] h, float[1,2,32] c) "
        "=> (float[10,1,2,32] y, float[1,2,32] yh, float[1,2,32] yc) "
        '{ y, yh, yc = LSTM <hidden_size = 32> (x, W, R, B, "", h, c) }'),
    ("loop5_matmul", "float[16,16] W", 10240, 256,
        """(float[8,16] x) => (float[8,16] y) <int64 trips = {5}, bool go = {1}>
        { y = Loop (trips, go, x) <body = body (int64 i, bool on, float[8,16] h) => (bool still, float[8,16] next)
            { next = MatMul (h, W) still = Identity (on) }> }"""),
]  # fmt: skip


def build(name: str, constants: str, body: str) -> onnx.ModelProto:
    """The model; its constants are ones, or zeros where its name says so."""
    given = [each.split() for each in constants.split(", ") if each]
    given += [[kind, each] for each, kind in OF_QUANTIZATION.items() if f" {each}," in body or f" {each})" in body]
    opset = 23 if "Attention" in body else 17
    text = f'<ir_version: 10, opset_import: ["" : {opset}, "com.microsoft" : 1]> {name} {body}'
    fill = np.zeros if "zero_weight" in name else np.ones
    arrays = {}
    for kind, constant in given:
        dtype, _, sizes = kind.rstrip("]").partition("[")
        shape = [int(size) for size in sizes.split(",") if size]
        arrays[constant] = fill(shape, np.dtype("float32" if dtype == "float" else dtype))
    return parse(text, **arrays)


@pytest.mark.parametrize(("name", "constants", "macs", "params", "body"), TABLE, ids=[row[0] for row in TABLE])
def test_small_models(name: str, constants: str, macs: int | str, params: int, body: str) -> None:
    totals = onnxtile.profile(build(name, constants, body)).totals
    assert (str(totals.macs), totals.params) == (str(macs), params)


def test_a_bound_batch() -> None:
    (row,) = (row for row in TABLE if row[0] == "symbolic_batch")
    assert onnxtile.profile(build(row[0], row[1], row[4]), bind={"N": 4}).totals.macs == 2048


def test_there_are_as_many_as_there_were() -> None:
    assert len({row[0] for row in TABLE}) == len(TABLE) == 41
