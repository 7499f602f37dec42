"""Small models to lower, and how: what faults are put into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.operators.block_packing import pack
from tests.support import parse

HEAD = """<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1, "local" : 1]>"""
FAMILIES = "all"


@dataclass(frozen=True, eq=False)
class Case:
    """A model, and the arguments of `onnxtile.lower` that lower it."""

    name: str
    build: Callable[[], onnx.ModelProto]
    how: Mapping[str, Any] = field(default_factory=dict)
    max: tuple[int | None, int | None, int | None] = (4, 4, 4)

    @property
    def title(self) -> str:
        """Return what it is and how it's lowered, as `lower` takes it."""
        how = [key if value is True else f"{key} {value}" for key, value in self.how.items()]
        return ", ".join([self.name, *how])

    @cached_property
    def original(self) -> onnx.ModelProto:
        return self.build()

    @cached_property
    def lowered(self) -> onnx.ModelProto:
        lowered: onnx.ModelProto = onnxtile.lower(self.original, self.max, ops=FAMILIES, **self.how)
        return lowered


def numbers(*shape: int, seed: int = 1, dtype: Any = np.float32) -> np.ndarray:
    """Normal numbers, as weights are."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def integers(*shape: int, seed: int = 1, dtype: Any = np.int8) -> np.ndarray:
    """Bytes of the whole range."""
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def text(body: str, *more: str, **initializers: np.ndarray) -> Callable[[], onnx.ModelProto]:
    """A model from ONNX text without its head; `more`: its local functions."""
    return lambda: parse("\n".join((HEAD, body, *more)), **initializers)


def product(dtype: str = "float", k: int = 10, **attributes: Any) -> Callable[[], onnx.ModelProto]:
    """6 x k x 7 by a constant."""
    numpy_type = {
        "float": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "double": np.float64,
        "int32": np.int32,
    }[dtype]  # fmt: skip
    weight = numbers(k, 7) * (100 if dtype == "int32" else 1)
    return text(f"g ({dtype}[6,{k}] x) => ({dtype}[6,7] y) {{ [fc] y = MatMul (x, w) }}", w=weight.astype(numpy_type))


GEMM_BODY = """g (float[6,10] x) => (float[6,7] y) {
    [fc] y = Gemm <alpha: float = 0.5, beta: float = 2.0, transB: int = 1> (x, w, c) }"""
GEMM = text(GEMM_BODY, w=numbers(7, 10), c=numbers(7, seed=2))
EVEN = text("g (float[8,10] x) => (float[8,8] y) { [fc] y = MatMul (x, w) }", w=numbers(10, 8))
CUBE = text("g (float[8,8] x) => (float[8,8] y) { [fc] y = MatMul (x, w) }", w=numbers(8, 8))
TURNED = text(
    "g (float[8,8] x, float[1,8] c) => (float[8,8] y) { [fc] y = Gemm <transA: int = 1, beta: float = 2.0> (x, w, c) }",
    w=numbers(8, 8),
)
WIDE = text("g (float[6,10] x) => (float[6,20] y) { [fc] y = MatMul (x, w) }", w=numbers(10, 20))
DATA = text("g (float[2,8,10] x, float[2,10,8] w) => (float[2,8,8] y) { [fc] y = MatMul (x, w) }")
VECTOR = text("g (float[10] x) => (float[7] y) { [fc] y = MatMul (x, w) }", w=numbers(10, 7))
ANY_ROWS = text("g (float[rows,10] x) => (float[rows,7] y) { [fc] y = MatMul (x, w) }", w=numbers(10, 7))

DEEP = text(
    "g (float[6,2048] x) => (float[6,7] y) { [fc] y = Gemm (x, w, c) }",
    w=numbers(2048, 7),
    c=numbers(7, seed=2) / 30_000,
)
BIASED = text("g (float[6,8] x) => (float[6,8] y) { [fc] y = Gemm (x, w, c) }", w=numbers(8, 8), c=numbers(8, seed=2))

BESIDE = text(
    """g (float[6,10] x) => (float[6,7] y, float[6,10] z) {
        [fc] y = MatMul (x, w)
        [clip] a = Clip (x, low, high)  [scale] b = Mul (a, factor)  [less] z = Sub (x, b) }""",
    w=numbers(10, 7), low=np.float32(-50), high=np.float32(50), factor=numbers(10, seed=2),
)  # fmt: skip
NETWORK = text(
    """g (float[6,10] x) => (float[6,5] y, float[6,9] z, float[6,9] half) {
        [fc1] a = Gemm (x, w1, c1)
        [norm] b = LayerNormalization <axis: int = -1> (a, scale, shift)
        [leak] d = LeakyRelu <alpha: float = 0.01> (b)
        [halves] half, z = Split <axis: int = 1, num_outputs: int = 2> (d)
        [fc2] e = MatMul (d, w2)
        [soft] y = Softmax <axis: int = -1> (e)
    }""",
    w1=numbers(10, 18), c1=numbers(18, seed=2), scale=numbers(18, seed=3), shift=numbers(18, seed=4),
    w2=numbers(18, 5, seed=5) / 4,
)  # fmt: skip
WORDS = text(
    """g (int64[6] ids) => (float[6,7] y) { [look] x = Gather (table, ids)  [fc] y = MatMul (x, w) }""",
    table=numbers(5000, 10), w=numbers(10, 7, seed=2),
)  # fmt: skip

BYTES = text(
    "g (uint8[6,10] x) => (int32[6,7] y) { [fc] y = MatMulInteger (x, w, xz, wz) }",
    w=integers(10, 7), xz=np.uint8(131), wz=integers(7, seed=2),
)  # fmt: skip
QLINEAR = text(
    "g (uint8[6,10] x) => (uint8[6,7] y) { [fc] y = QLinearMatMul (x, xs, xz, w, ws, wz, ys, yz) }",
    w=integers(10, 7, dtype=np.uint8), xs=np.float32(0.02), xz=np.uint8(121), ws=np.float32(0.03), wz=np.uint8(117),
    ys=np.float32(0.35), yz=np.uint8(140),
)  # fmt: skip
TIES = text(
    "g (uint8[6,10] x) => (uint8[6,7] y) { [fc] y = QLinearMatMul (x, xs, xz, w, ws, wz, ys, yz) }",
    w=integers(10, 7, dtype=np.uint8), xs=np.float32(1 / 32), xz=np.uint8(121), ws=np.float32(1 / 32), wz=np.uint8(117),
    ys=np.float32(1), yz=np.uint8(140),
)  # fmt: skip
QDQ = text(
    """g (float[6,10] x) => (float[6,7] y) {
        [q] xq = QuantizeLinear (x, xs, xz)
        [dq] a = DequantizeLinear (xq, xs, xz)
        [dqw] b = DequantizeLinear (w, ws, wz)
        [fc] c = MatMul (a, b)
        [qc] cq = QuantizeLinear (c, ys, yz)
        [dqc] y = DequantizeLinear (cq, ys, yz)
    }""",
    w=integers(10, 7, dtype=np.int8), xs=np.float32(0.02), xz=np.uint8(121), ws=np.float32(0.02), wz=np.int8(0),
    ys=np.float32(0.09), yz=np.uint8(140),
)  # fmt: skip
DYNAMIC = text(
    "g (float[6,10] x) => (float[6,7] y) { [fc] y = com.microsoft.DynamicQuantizeMatMul (x, w, ws, wz, c) }",
    w=integers(10, 7, dtype=np.uint8), ws=np.float32(0.02), wz=np.uint8(117), c=numbers(7),
)  # fmt: skip

EINSUM = text(
    """g (float[2,6,10] x) => (float[2,6,3,7] y) { [fc] y = Einsum <equation: string = "bsd,dhe->bshe"> (x, w) }""",
    w=numbers(10, 3, 7),
)
FUSED = text(
    """g (float[2,10,6] x) => (float[2,6,7] y) {
        [fc] y = com.microsoft.FusedMatMul <transA: int = 1, alpha: float = 0.25> (x, w) }""",
    w=numbers(10, 7),
)
FUSED_GEMM = text(
    """g (float[6,10] x) => (float[6,7] y) {
        [fc] y = com.microsoft.FusedGemm <activation: string = "LeakyRelu", activation_alpha: float = 0.1>
            (x, w, c) }""",
    w=numbers(10, 7), c=numbers(7, seed=2),
)  # fmt: skip


def attention() -> onnx.ModelProto:
    return parse(
        """<ir_version: 10, opset_import: ["" : 23]>
        g (float[1,2,6,6] q, float[1,2,6,6] k, float[1,2,6,6] v) => (float[1,2,6,6] y) {
            [attn] y = Attention <is_causal: int = 1> (q, k, v) }"""
    )


def packed() -> onnx.ModelProto:
    """A MatMulNBits of 4-bit codes in blocks of 16 with packed zero points: 6 x 32 x 7."""
    rng = np.random.default_rng(1)
    codes, zeros = (rng.integers(0, 16, shape).astype(np.uint8) for shape in ((7, 32), (7, 2)))
    tensors = {
        "w": pack(codes, 4).reshape(7, 2, 8),
        "scales": (np.abs(rng.standard_normal((7, 2))) * 0.05).astype(np.float32),
        "zeros": pack(zeros, 4),
    }
    sizes = {"K": 32, "N": 7, "bits": 4, "block_size": 16}
    node = helper.make_node("MatMulNBits", ["x", *tensors], ["y"], "fc", domain="com.microsoft", **sizes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [6, 32])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [6, 7])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


BRANCHES = text(
    """g (float[6,10] x) => (float[6,10] y) {
        [near] n = Abs (x)
        [far] f = Exp (x)
        [most] top = ReduceMax <keepdims: int = 0> (x)
        [large] rare = Greater (top, limit)
        [choice] y = If (rare) <
            then_branch = t () => (float[6,10] a) { [fc1] p = MatMul (n, w1)  [then_add] a = Add (p, f) },
            else_branch = e () => (float[6,10] b) { [fc2] q = MatMul (f, w2)  [else_add] b = Add (q, n) } > }""",
    w1=numbers(10, 10), w2=numbers(10, 10, seed=2), limit=np.float32(50),
)  # fmt: skip
TURNS = text(
    """g (float[4,6] x, int64 turns) => (float[4,6] y) {
        [start] s = Neg (x)
        [loop] y = Loop (turns, always, s) <
            body = b (int64 i, bool go, float[4,6] state) => (bool go_on, float[4,6] next) {
            [same] go_on = Identity (go)
            [fc] p = MatMul (state, w)
            [step] next = Tanh (p) } > }""",
    w=numbers(6, 6), always=np.array(True),
)  # fmt: skip
STEPS = text(
    """g (float[5,4,6] xs, float[4,6] h0) => (float[4,6] h, float[5,4,6] hs) {
        [scan] h, hs = Scan <num_scan_inputs: int = 1,
            body = b (float[4,6] state, float[4,6] x) => (float[4,6] next, float[4,6] out) {
            [fc] p = MatMul (state, w)
            [mix] q = Add (p, x)
            [step] next = Tanh (q)
            [emit] out = Identity (next) } > (h0, xs) }""",
    w=numbers(6, 6),
)  # fmt: skip
CALLS = text(
    """g (float[6,10] x) => (float[6,10] y) {
        [first] h = local.layer (x, w1, c1)  [second] y = local.layer (h, w2, c2) }""",
    """<domain: "local", opset_import: ["" : 20]> layer (a, b, c) => (r) {
        [inside] p = MatMul (a, b)  [add] s = Add (p, c)  [squash] r = Tanh (s) }""",
    w1=numbers(10, 10), w2=numbers(10, 10, seed=2), c1=numbers(10, seed=3), c2=numbers(10, seed=4),
)  # fmt: skip
