"""Operators that are linear in each operand: fed with ones, each multiply-accumulate adds one to the result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.verification.saturation import saturates
from tests.support import parse, run_onnxruntime


@dataclass(frozen=True)
class Product:
    """One operator, fed with ones.

    `padded`: its input and attributes once padding is done beforehand, with ones too: a tap on padding is real.
    `constant`: inputs that the engine wants as constants. `times`: how many ones an addition before the product makes
    one of.
    """

    op_type: str
    inputs: list[np.ndarray]
    rank: int
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    padded: tuple[np.ndarray, dict[str, Any]] | None = None
    constant: bool = False
    times: int = 1

    def run_as(self) -> Product:
        """Return what an engine computes with the same multiply-accumulates and no padding."""
        if self.padded is None:
            return self
        data, attributes = self.padded
        return Product(self.op_type, [data, *self.inputs[1:]], self.rank, attributes, self.domain)


SIZE = st.integers(1, 5)
RESULTS = {"MatMulInteger": np.int32, "ConvInteger": np.int32, "QLinearMatMul": np.uint8, "QLinearConv": np.uint8}
ONE, ZERO = np.ones((), np.float32), np.zeros((), np.uint8)


def ones(shape: list[int], quantized: bool = False) -> np.ndarray:
    return np.ones(shape, np.uint8 if quantized else np.float32)


@st.composite
def matmuls(draw: st.DrawFn, op_type: str) -> Product:
    """MatMul and its kin, batch axes broadcast; vectors where the operator takes them."""
    m, k, n = draw(SIZE), draw(SIZE), draw(SIZE)
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    sides = []
    for matrix in ([m, k], [k, n]):
        axes = [draw(st.sampled_from([1, size])) for size in batch]
        sides.append([*axes[draw(st.integers(0, len(axes))) :], *matrix])
    attributes = {}
    if op_type == "FusedMatMul":
        for side, name in enumerate(("transA", "transB")):
            if draw(st.booleans()):
                attributes[name] = 1
                sides[side][-2:] = sides[side][:-3:-1]
    elif op_type == "MatMul" and draw(st.integers(0, 3)) == 0:
        sides[draw(st.integers(0, 1))] = [k]
    return product(op_type, *sides, attributes)


def product(op_type: str, a: list[int], b: list[int], attributes: dict[str, Any]) -> Product:
    rank = np.matmul(np.ones(a), np.ones(b)).ndim if op_type != "FusedMatMul" else max(len(a), len(b))
    domain = "com.microsoft" if op_type == "FusedMatMul" else ""
    return Product(op_type, operands(op_type, a, b), rank, attributes, domain)


def operands(op_type: str, a: list[int], b: list[int]) -> list[np.ndarray]:
    """Data and weight of ones, with scales of one and zero points of zero where the operator has them."""
    x, w = (ones(shape, op_type in RESULTS) for shape in (a, b))
    return [x, ONE, ZERO, w, ONE, ZERO, ONE, ZERO] if op_type.startswith("QLinear") else [x, w]


@st.composite
def gemms(draw: st.DrawFn) -> Product:
    m, k, n, *flags = draw(SIZE), draw(SIZE), draw(SIZE), draw(st.integers(0, 1)), draw(st.integers(0, 1))
    a, b = ([m, k][:: 1 - 2 * flags[0]], [k, n][:: 1 - 2 * flags[1]])
    return Product("Gemm", [ones(a), ones(b)], 2, {"transA": flags[0], "transB": flags[1]})


@st.composite
def convolutions(draw: st.DrawFn, op_type: str) -> Product:
    """Of one to three axes, in groups, with strides, dilations and padding of all kinds."""
    axes = draw(st.integers(1, 3)) if op_type != "ConvInteger" else 2  # onnxruntime has no other
    group, of_group, out = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    several = st.lists(st.integers(1, 3), min_size=axes, max_size=axes)
    kernel, strides, dilations, more = draw(several), draw(several), draw(several), draw(several)
    extents = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    lengths = [extent + rest - 1 for extent, rest in zip(extents, more, strict=True)]
    geometry = {"group": group, "strides": strides, "dilations": dilations}
    if draw(st.booleans()):
        geometry["kernel_shape"] = kernel
    data, weight = [draw(st.integers(1, 2)), group * of_group, *lengths], [group * out, of_group, *kernel]
    inputs = operands(op_type, data, weight)
    auto_pad = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if auto_pad.startswith("SAME"):
        sides = zip(lengths, strides, extents, strict=True)
        around = [
            (0, max(0, (-(-length // stride) - 1) * stride + extent - length)) for length, stride, extent in sides
        ]
    elif auto_pad == "NOTSET":
        around = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(axes)]
        geometry["pads"] = [before for before, _ in around] + [behind for _, behind in around]
    else:
        around = [(0, 0)] * axes
    padded = np.pad(inputs[0], [(0, 0), (0, 0), *around], constant_values=1)
    plain = {name: value for name, value in geometry.items() if name != "pads"}
    said = geometry if auto_pad == "NOTSET" else {**geometry, "auto_pad": auto_pad}
    return Product(op_type, inputs, axes + 2, said, padded=(padded, plain))


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> Product:
    """Each position of the input by all kernels, whatever the strides; nothing is cropped without pads."""
    axes, group = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    several = st.lists(st.integers(1, 3), min_size=axes, max_size=axes)
    channels = group * draw(st.integers(1, 3))
    x = ones([draw(st.integers(1, 2)), channels, *draw(several)])
    w = ones([channels, draw(st.integers(1, 3)), *draw(several)])
    attributes = {"group": group, "strides": draw(several), "dilations": draw(several)}
    return Product("ConvTranspose", [x, w], axes + 2, attributes)


@st.composite
def einsums(draw: st.DrawFn) -> Product:
    """Two operands; a letter that only one of them has and the result lacks is added up before the product."""
    letters = "abcde"
    lengths = {letter: draw(SIZE) for letter in letters}
    terms = [draw(st.lists(st.sampled_from(letters), max_size=4, unique=True)) for _ in range(2)]
    used = sorted({*terms[0], *terms[1]})
    result = draw(st.permutations(used))[: draw(st.integers(0, len(used)))]
    alone = [letter for letter in used if letter not in result and (letter in terms[0]) != (letter in terms[1])]
    equation = f"{''.join(terms[0])},{''.join(terms[1])}->{''.join(result)}"
    inputs = [ones([lengths[letter] for letter in term]) for term in terms]
    times = math.prod(lengths[letter] for letter in alone)
    return Product("Einsum", inputs, len(result), {"equation": equation}, times=times)


@st.composite
def packed(draw: st.DrawFn) -> Product:
    """MatMulNBits: four bits a weight, two in a byte; the last block of a row may not be full."""
    k, n, block = draw(st.integers(1, 40)), draw(SIZE), draw(st.sampled_from([16, 32]))
    blocks = -(-k // block)
    x = ones([*draw(st.lists(st.integers(1, 3), max_size=1)), draw(SIZE), k])
    weight, zeros = np.full([n, blocks, block // 2], 0x11, np.uint8), np.zeros([n, -(-blocks // 2)], np.uint8)
    attributes = {"K": k, "N": n, "bits": 4, "block_size": block}
    inputs = [x, weight, ones([n, blocks]), zeros]
    return Product("MatMulNBits", inputs, x.ndim, attributes, "com.microsoft", constant=True)


KINDS: list[st.SearchStrategy[Product]] = [
    *(matmuls(op_type) for op_type in ("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul")),
    *(convolutions(op_type) for op_type in ("Conv", "ConvInteger", "QLinearConv")),
    gemms(), transposed_convolutions(), einsums(), packed(),
]  # fmt: skip


def model_of(products: list[Product]) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """All of them side by side, and what they're fed with."""
    nodes, inputs, outputs, constants, feeds = [], [], [], [], {}
    for number, each in enumerate(products):
        names = [f"x{number}_{index}" for index in range(len(each.inputs))]
        for index, (name, array) in enumerate(zip(names, each.inputs, strict=True)):
            if array.ndim == 0 or (each.constant and index):
                constants.append(numpy_helper.from_array(array, name))
            else:
                feeds[name] = array
                dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
                inputs.append(helper.make_tensor_value_info(name, dtype, array.shape))
        result = helper.np_dtype_to_tensor_dtype(np.dtype(RESULTS.get(each.op_type, np.float32)))
        outputs.append(helper.make_tensor_value_info(f"y{number}", result, [None] * each.rank))
        node = helper.make_node(each.op_type, names, [f"y{number}"], domain=each.domain, **each.attributes)
        nodes.append(node)
    graph = helper.make_graph(nodes, "products", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), feeds


@given(products=st.tuples(*KINDS))
def test_macs_are_the_sum_of_the_results_of_ones(products: tuple[Product, ...]) -> None:
    profile = onnxtile.profile(model_of(list(products))[0])
    parts = [[each] for each in products] if saturates() else [list(products)]  # 8-bit ones apart, in another engine
    results = [result for each in parts for result in run_onnxruntime(*model_of([one.run_as() for one in each]))]
    counted = [(row.op, row.macs * each.times) for row, each in zip(profile.nodes, products, strict=True)]
    assert counted == [
        (row.op, int(result.sum(dtype=np.float64))) for row, result in zip(profile.nodes, results, strict=True)
    ]


def test_an_einsum_of_three_is_two_products() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 17]> g (float[2,3] a, float[3,5] b, float[5,7] c) => (float[2,7] y)
        { y = Einsum <equation = "ij,jk,kl->il"> (a, b, c) }"""
    )
    assert onnxtile.profile(model).totals.macs == 2 * 3 * 5 + 2 * 5 * 7
