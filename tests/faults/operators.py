"""Faults in what other operators than MatMul and Gemm were written out as."""

from __future__ import annotations

import numpy as np

from tests.faults import cases
from tests.faults.cases import Case
from tests.faults.fault import Fault, Feeds, distance, run
from tests.faults.written import (
    at,
    attribute,
    becomes,
    before,
    behind,
    both,
    bypassed,
    constant,
    exchange,
    more_input,
    reads,
    ulp,
)  # fmt: skip

BYTES = Case("MatMulInteger", cases.BYTES)
QLINEAR = Case("QLinearMatMul", cases.QLINEAR)
QLINEAR_BATCHED = Case("QLinearMatMul", cases.QLINEAR, {"form": "batched"})
TIES = Case("QLinearMatMul, scales of powers of two", cases.TIES)
QDQ = Case("MatMul between quantizers", cases.QDQ)
DYNAMIC = Case("DynamicQuantizeMatMul", cases.DYNAMIC)
EINSUM = Case("Einsum bsd,dhe->bshe", cases.EINSUM)
EINSUM_BATCHED = Case("Einsum bsd,dhe->bshe", cases.EINSUM, {"form": "batched"})
FUSED = Case("FusedMatMul", cases.FUSED)
FUSED_GEMM = Case("FusedGemm", cases.FUSED_GEMM)
PACKED = Case("MatMulNBits", cases.packed, max=(4, 16, 4))
ATTENTION = Case("Attention", cases.attention)


HALF_UP = both(before("fc/quantized", 0, "Add", np.array(0.5, np.float32)), before("fc/quantized", 0, "Floor"))
"""floor(x + 0.5) in front of the quantizer, which then has nothing left to round."""


def with_ties(fed: Feeds) -> Feeds:
    """Bytes whose product has a tie that is rounded to even downwards."""
    fault = next(fault for fault in FAULTS if fault.put is HALF_UP)
    model, _ = fault.mutated()
    for seed in range(1000):
        tried = {"x": cases.integers(*fed["x"].shape, seed=seed, dtype=np.uint8)}
        if distance(run(model, tried), run(TIES.original, tried)):
            return tried
    raise AssertionError("no tie in a thousand inputs")


def extremes(fed: Feeds) -> Feeds:
    """Bytes at the ends of their range, whichever makes the first column larger."""
    weight = cases.integers(10, 7, dtype=np.uint8)
    return {"x": np.zeros_like(fed["x"]) + np.where(weight[:, 0] > 117, 255, 0).astype(np.uint8)}


def first_block(fed: Feeds) -> Feeds:
    """Each row of x takes one of the weight's first rows as it is."""
    return {"x": np.eye(*fed["x"].shape, dtype=np.float32)}


QUANTIZED = [
    Fault("A's zero point is dropped", BYTES, bypassed("fc/less_a")),
    Fault("B's zero points are dropped", BYTES, bypassed("fc/less_b")),
    Fault("A's zero point is off by one", BYTES, constant("fc/less_a_right", lambda a: a // 131 * 130)),
    Fault(
        "the product of both zero points is left out",
        BYTES,
        constant("fc/less_a_right", lambda a: a + 10 * 131 * cases.integers(7, seed=2).astype(np.int32)),
    ),
    Fault(
        "a tile takes A's zero point off once more", BYTES, more_input("fc/product/m0_n1_k0", np.array(131, np.uint8))
    ),
    Fault("a partial sum of bytes is missing", BYTES, bypassed("fc/product/m1_n0")),
    Fault("a weight's byte is off by one", BYTES, constant("w/k1_n0", at((1, 2), lambda x: x ^ 1))),
    Fault("the result's zero point is dropped", QLINEAR, constant("fc/y_zero", np.zeros_like)),
    Fault("it's requantized twice", QLINEAR, behind("fc/scaled", "Mul", "fc/scaled_right")),
    Fault("A's zero point is dropped in the batched form", QLINEAR_BATCHED, bypassed("fc/less_a")),
    Fault(
        "the weight's scale is applied twice",
        QDQ,
        constant("fc/scaled_right", lambda a: a * np.float32(0.02)),
        ("fc", "qc"),
    ),
    Fault("A's zero point is dropped between quantizers", QDQ, bypassed("fc/less_a"), ("fc", "qc")),
    Fault("the zero point found at run time is dropped", DYNAMIC, bypassed("fc/less_a")),
    Fault("the bias behind a dynamic quantizer is lost", DYNAMIC, bypassed("fc/biased")),
    Fault(
        "ties are rounded up instead of to even",
        TIES,
        HALF_UP,
        hard="one element in a thousand is a tie",
        shows=with_ties,
    ),
    Fault(
        "the largest byte is 250",
        QLINEAR,
        before("fc/quantized", 0, "Min", np.array(110, np.float32)),
        hard="only large inputs saturate",
        shows=extremes,
    ),
]

OTHERS = [
    Fault(
        "heads and columns are mixed up behind an Einsum",
        EINSUM,
        both(
            constant("fc/result_0_reshape_0", lambda a: a[[0, 1, 3, 2]]),
            behind("fc/result_0_reshape", "Transpose", perm=[0, 1, 3, 2]),
        ),
    ),
    Fault("a tile of an Einsum is dropped", EINSUM, reads("fc/m0", 1, "fc/m0_n0")),
    Fault("a batched Einsum takes the mean over k", EINSUM_BATCHED, becomes("fc/total", "ReduceMean", keepdims=0)),
    Fault("FusedMatMul's alpha is lost", FUSED, bypassed("fc/scaled")),
    Fault("a tile of FusedMatMul reads A's tile of another k", FUSED, reads("fc/m0_n0_k1", 0, "fc/A_m0_k0")),
    Fault("FusedGemm's activation is lost", FUSED_GEMM, bypassed("fc/activated")),
    Fault("FusedGemm's activation has another slope", FUSED_GEMM, attribute("fc/activated", alpha=0.2)),
    Fault(
        "FusedGemm's activation comes before its bias",
        FUSED_GEMM,
        both(
            becomes("fc/biased", "LeakyRelu", "fc/product", alpha=0.1), becomes("fc/activated", "Add", "fc/gemm", "c")
        ),
    ),
    Fault("one packed code is off by one", PACKED, constant("fc/B_n0_k1", at((2, 0, 3), lambda x: x ^ 1))),
    Fault(
        "a block's packed zero point is off by one",
        PACKED,
        constant("fc/zero_points_n1_k0", at((1, 0), lambda x: x ^ 1)),
    ),
    Fault("two blocks' scales are exchanged", PACKED, exchange("fc/m0_n0_k0", "fc/m0_n0_k1", 2)),
    Fault("a packed product's partial sum is missing", PACKED, bypassed("fc/m1_n1_sum1")),
    Fault(
        "a block's scale is the next float",
        PACKED,
        constant("fc/scales_n0_k0", at((1, 0), ulp)),
        hard="one part in ten million",
        shows=first_block,
    ),
]

ATTENTION_FAULTS = [
    Fault("attention's causal mask is lost", ATTENTION, reads("attn/MaskTriFloat", 1, "attn/ScalarZero"), ("attn",)),
    Fault("the causal mask is off by one", ATTENTION, becomes("attn/BoolMaskTri", "LessOrEqual"), ("attn",)),
    Fault(
        "attention's scale is lost", ATTENTION, becomes("attn/CalculatedScale", "Identity", "attn/One1DF"), ("attn",)
    ),
    Fault("keys aren't transposed", ATTENTION, bypassed("attn/KTranspose"), ("attn",)),
    Fault("the softmax runs along the queries", ATTENTION, attribute("attn/AttnWeightSoftmax", axis=2), ("attn",)),
    Fault(
        "values are read from the keys", ATTENTION, reads("attn/YPreReshape/B_k0", 0, "attn/KAttentionInput"), ("attn",)
    ),
    Fault("a partial sum of the scores is missing", ATTENTION, bypassed("attn/QKAttnWeight/m1_n0"), ("attn",)),
    Fault(
        "masked scores are -100, not minus infinity",
        ATTENTION,
        constant("attn/FloatNegInf", lambda a: np.full_like(a, -100)),
        ("attn",),
        hard="exp(-100) is nothing, unless scores are large",
        shows=lambda fed: {**fed, "q": fed["q"] * 99},
    ),
]


FAULTS = [*QUANTIZED, *OTHERS, *ATTENTION_FAULTS]
