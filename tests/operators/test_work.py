"""What operators compute beside products: each is counted or unknown for a reason, by hand and by property."""

from __future__ import annotations

import random
import re
import runpy
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.ir.symbolic.amounts import Unknown, with_sizes
from onnxtile.operators.table import OPERATORS, operations_of
from onnxtile.operators.work import KINDS, Operations
from tests.support import ROOT

DOCS = ROOT / "docs"
PAGE = runpy.run_path(str(DOCS / "operations.py"))
VERSIONS = runpy.run_path(str(DOCS / "operators.py"))["versions_of"]()
Shape = "list[int | str | None] | np.ndarray | None"
OPSET = 22


def counted(op: str, inputs: list[Any], outputs: list[Any], opset: int | None = OPSET, **options: Any) -> Operations:
    """Operations of a node: inputs and outputs are shapes, arrays that are constants, or left out."""
    return operations_of(node_of(op, inputs, outputs, **options), opset)


def node_of(op: str, inputs: list[Any], outputs: list[Any], domain: str = "", **attributes: Any) -> ir.Node:
    fed = [None if each is None else value(f"x{index}", each) for index, each in enumerate(inputs)]
    made = [value(f"y{index}", each) for index, each in enumerate(outputs)]
    return ir.node(op, fed, attributes, domain=domain, outputs=made)


def value(name: str, of: Any) -> ir.Value:
    """A value of that shape (`unknown`: of none), or a constant."""
    if isinstance(of, np.ndarray):
        tensor = ir.tensor(of)
        made = ir.Value(name=name, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype))
        ir.node("Constant", [], {"value": tensor}, outputs=[made])
        return made
    return ir.Value(name=name, shape=None if of == "unknown" else ir.Shape(of), type=ir.TensorType(ir.DataType.FLOAT))


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


# The table is complete, and so is its page


def test_every_registered_operator_is_declared() -> None:
    new = sorted(VERSIONS.keys() - OPERATORS.keys())
    assert not new, f"declare each in the file of its family, with its products and its other work: {new}"


def test_the_page_is_fresh() -> None:
    assert PAGE["PAGE"].read_text() == PAGE["page"](), "refresh it: python docs/operations.py"


def test_the_page_explains_its_words() -> None:
    explained = PAGE["legend"]()
    meanings = {
        each for facts in OPERATORS.values() for formula in facts.work.formulas() for each in formula.measures()
    }
    plain = {"(exponent - 1)", "max_ngram_size", "rotary_embedding_dim"}
    for each in meanings:
        known = each.condition or each.meaning or each.words in explained or each.words in plain
        assert known or each.words.startswith("unknown: "), each.words
    assert not [words for words, meaning in explained.items() if "; all" in meaning]


def test_what_is_unknown_says_what_it_depends_on() -> None:
    for operator, facts in OPERATORS.items():
        for formula in facts.work.formulas():
            for each in formula.measures():
                if each.words.startswith("unknown: ") and (facts.products is None or facts.products.sizes):
                    assert "depends on" in each.words, operator


# Numbers by hand


S = [2, 3, 8]  # 48 elements, 6 rows of 8


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # element by element: (elementwise, transcendental, comparison, movement)
        ("Add", [[4, 1, 5], [3, 1]], [[4, 3, 5]], {}, (60, 0, 0, 0)),
        ("Div", [S, [8]], [S], {}, (48, 0, 0, 0)),
        ("Neg", [S], [S], {}, (48, 0, 0, 0)),
        ("Exp", [S], [S], {}, (0, 48, 0, 0)),
        ("Sqrt", [S], [S], {}, (0, 48, 0, 0)),
        ("Relu", [S], [S], {}, (0, 0, 48, 0)),
        ("Greater", [S, [1]], [S], {}, (0, 0, 48, 0)),
        ("Sigmoid", [S], [S], {}, (144, 48, 0, 0)),
        ("Gelu", [S], [S], {}, (192, 48, 0, 0)),
        ("Gelu", [S], [S], {"approximate": "tanh"}, (384, 48, 0, 0)),
        ("Sum", [S, S, S], [S], {}, (96, 0, 0, 0)),
        ("Mean", [S, S, S], [S], {}, (144, 0, 0, 0)),
        ("Max", [S, S, [8]], [S], {}, (0, 0, 96, 0)),
        ("Max", [S], [S], {}, (0, 0, 0, 0)),
        ("Clip", [S, [], None], [S], {}, (0, 0, 48, 0)),
        ("Clip", [S, [], []], [S], {}, (0, 0, 96, 0)),
        ("Clip", [S], [S], {"opset": 6, "min": 0.0, "max": 6.0}, (0, 0, 96, 0)),
        ("Pow", [S, np.array(2, np.float32)], [S], {}, (48, 0, 0, 0)),
        ("Pow", [S, np.float32([3])], [S], {}, (96, 0, 0, 0)),
        ("Pow", [S, np.array(0.5, np.float32)], [S], {}, (0, 48, 0, 0)),
        ("Pow", [S, []], [S], {}, (0, 48, 0, 0)),
        ("Swish", [S], [S], {"alpha": 2.0}, (240, 48, 0, 0)),
        ("Swish", [S], [S], {}, (192, 48, 0, 0)),
        # moves
        ("Transpose", [S], [[8, 3, 2]], {"perm": [2, 1, 0]}, (0, 0, 0, 48)),
        ("Concat", [S, [2, 1, 8]], [[2, 4, 8]], {"axis": 1}, (0, 0, 0, 64)),
        ("Split", [S], [[2, 1, 8], [2, 2, 8]], {"axis": 1}, (0, 0, 0, 48)),
        ("Slice", [S, [1], [1]], [[2, 3, 4]], {}, (0, 0, 0, 24)),
        ("Gather", [[100, 16], [4, 7]], [[4, 7, 16]], {}, (0, 0, 0, 448)),
        ("Pad", [S, [6]], [[2, 3, 10]], {}, (0, 0, 0, 60)),
        ("Expand", [[1, 3], [2]], [[4, 3]], {}, (0, 0, 0, 12)),
        ("Cast", [S], [S], {"to": 10}, (0, 0, 0, 48)),
        ("Where", [[8], S, []], [S], {}, (0, 0, 0, 48)),
        ("Reshape", [S, [1]], [[48]], {}, (0, 0, 0, 0)),
        ("Dropout", [S], [S], {}, (0, 0, 0, 0)),
        ("Dropout", [S], [S, S], {}, (0, 0, 0, 48)),
        ("ScatterElements", [S, [2, 3, 1], [2, 3, 1]], [S], {}, (0, 0, 0, 54)),
        ("ScatterElements", [S, [2, 3, 1], [2, 3, 1]], [S], {"reduction": "add"}, (6, 0, 0, 48)),
        ("ScatterND", [S, [1, 3], [1]], [S], {"reduction": "max"}, (0, 0, 1, 48)),
        # many to one
        ("ReduceSum", [S, ints(2)], [[2, 3, 1]], {}, (42, 0, 0, 0)),
        ("ReduceMean", [S], [[2, 3]], {}, (48, 0, 0, 0)),
        ("ReduceMax", [S], [[2, 3]], {}, (0, 0, 42, 0)),
        ("ReduceL2", [S], [[2, 3]], {}, (90, 6, 0, 0)),
        ("ReduceLogSumExp", [S], [[2, 3]], {}, (42, 54, 0, 0)),
        ("ArgMax", [S], [[2, 3]], {}, (0, 0, 42, 0)),
        ("CumSum", [S, ints(1).reshape(())], [S], {}, (32, 0, 0, 0)),
        ("Softmax", [S], [S], {}, (138, 48, 42, 0)),
        ("Softmax", [S], [S], {"axis": 1}, (128, 48, 32, 0)),
        ("Softmax", [S], [S], {"opset": 11}, (142, 48, 46, 0)),  # before version 13: 2 rows of 24
        ("LogSoftmax", [S], [S], {}, (138, 54, 42, 0)),
        ("Hardmax", [S], [S], {}, (0, 0, 42, 48)),
        # normalizations
        ("LayerNormalization", [S, [8], [8]], [S], {}, (342, 6, 0, 0)),
        ("LayerNormalization", [S, [3, 8]], [S], {"axis": 1}, (290, 2, 0, 0)),
        ("RMSNormalization", [S, [8]], [S], {}, (198, 6, 0, 0)),
        ("BatchNormalization", [[2, 3, 8], [3], [3], [3], [3]], [S], {}, (96, 0, 0, 0)),
        ("BatchNormalization", [S, [3], [3], [3], [3]], [S, [3], [3]], {"training_mode": 1}, (318, 3, 0, 0)),
        ("InstanceNormalization", [S, [3], [3]], [S], {}, (342, 6, 0, 0)),
        ("GroupNormalization", [[2, 6, 4], [6], [6]], [[2, 6, 4]], {"num_groups": 3}, (342, 6, 0, 0)),
        ("LRN", [[1, 4, 2, 2]], [[1, 4, 2, 2]], {"size": 3}, (96, 16, 0, 0)),
        ("LpNormalization", [S], [S], {}, (138, 6, 0, 0)),
        ("LpNormalization", [S], [S], {"p": 1}, (138, 0, 0, 0)),
        # windows
        ("AveragePool", [[1, 2, 8, 8]], [[1, 2, 4, 4]], {"kernel_shape": [2, 2]}, (128, 0, 0, 0)),
        ("MaxPool", [[1, 2, 8, 8]], [[1, 2, 4, 4]], {"kernel_shape": [3, 3]}, (0, 0, 256, 0)),
        ("LpPool", [[1, 1, 8, 8]], [[1, 1, 4, 4]], {"kernel_shape": [2, 2]}, (112, 16, 0, 0)),
        ("LpPool", [[1, 1, 8, 8]], [[1, 1, 4, 4]], {"kernel_shape": [2, 2], "p": 3}, (112, 80, 0, 0)),
        ("GlobalAveragePool", [[1, 2, 8, 8]], [[1, 2, 1, 1]], {}, (128, 0, 0, 0)),
        ("GlobalMaxPool", [[1, 2, 8, 8]], [[1, 2, 1, 1]], {}, (0, 0, 126, 0)),
        ("Resize", [[1, 2, 4, 4], None, [4]], [[1, 2, 8, 8]], {"mode": "nearest"}, (0, 0, 0, 128)),
        ("Resize", [[1, 2, 4, 4], None, [4]], [[1, 2, 8, 8]], {"mode": "linear"}, (1152, 0, 0, 0)),
        ("Resize", [[1, 2, 4, 4], None, [4]], [[1, 2, 8, 4]], {"mode": "cubic"}, (448, 0, 0, 0)),
        ("Resize", [[4]], [[2]], {"mode": "linear", "antialias": 1}, (14, 0, 0, 0)),
        ("GridSample", [[1, 3, 4, 4], [1, 2, 2, 2]], [[1, 3, 2, 2]], {"mode": "linear"}, (164, 0, 0, 0)),
        ("RoiAlign", [[1, 3, 8, 8], [5, 4], [5]], [[5, 3, 2, 2]], {"sampling_ratio": 2}, (2720, 0, 0, 0)),
        (
            "RoiAlign",
            [[1, 3, 8, 8], [5, 4], [5]],
            [[5, 3, 2, 2]],
            {"sampling_ratio": 2, "mode": "max"},
            (1760, 0, 900, 0),
        ),
        # beside products
        ("MatMul", [[8, 16], [16, 32]], [[8, 32]], {}, (0, 0, 0, 0)),
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, 32]], {}, (256, 0, 0, 0)),
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, 32]], {"alpha": 0.5}, (512, 0, 0, 0)),
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, 32]], {"beta": 0.5}, (288, 0, 0, 0)),
        ("Gemm", [[8, 16], [16, 32]], [[8, 32]], {"beta": 0.5}, (0, 0, 0, 0)),
        ("Conv", [[1, 3, 16, 16], [16, 3, 3, 3], [16]], [[1, 16, 14, 14]], {}, (3136, 0, 0, 0)),
        ("Conv", [[1, 3, 16, 16], [16, 3, 3, 3]], [[1, 16, 14, 14]], {}, (0, 0, 0, 0)),
        ("ConvTranspose", [[1, 3, 4, 4], [3, 2, 3, 3]], [[1, 2, 6, 6]], {}, (288, 0, 0, 0)),
        ("Einsum", [[2, 3], [3, 4]], [[2, 4]], {"equation": "ij,jk->ik"}, (0, 0, 0, 0)),
        ("Einsum", [[2, 3, 5], [3, 4]], [[2, 4]], {"equation": "ijx,jk->ik"}, (24, 0, 0, 0)),
        ("Einsum", [[4, 4]], [[]], {"equation": "ii->"}, (3, 0, 0, 0)),
        ("Einsum", [[2, 3]], [[3, 2]], {"equation": "ij->ji"}, (0, 0, 0, 6)),
        ("QuantizeLinear", [S, [], []], [S], {}, (144, 0, 96, 0)),
        ("DequantizeLinear", [S, []], [S], {}, (48, 0, 0, 0)),
        ("DequantizeLinear", [S, [], []], [S], {}, (96, 0, 0, 0)),
        ("DynamicQuantizeLinear", [S], [S, [], []], {}, (144, 0, 192, 0)),
        ("MatMulInteger", [[2, 3], [3, 4], []], [[2, 4]], {}, (6, 0, 0, 0)),
        ("QLinearMatMul", [[2, 3], [], [], [3, 4], [], [], [], []], [[2, 4]], {}, (42, 0, 16, 0)),
        ("STFT", [[1, 16, 1], ints(4), [8]], [[1, 3, 5, 2]], {}, (24, 0, 0, 0)),
        ("DFT", [[1, 8, 2]], [[1, 8, 2]], {"axis": 1, "inverse": 1}, (16, 0, 0, 0)),
        # 2 heads, 3 queries, 5 keys, heads of 4: 30 scores in 6 rows, 24 numbers of queries and 40 of keys
        ("Attention", [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4]], [[1, 2, 3, 4]], {}, (148, 30, 24, 0)),
        (
            "Attention",
            [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4], [3, 5]],
            [[1, 2, 3, 4]],
            {"softcap": 3.0},
            (238, 60, 24, 0),
        ),
        (
            "Attention",
            [[1, 2, 3, 4], [1, 2, 1, 4], [1, 2, 1, 4], None, [1, 2, 4, 4], [1, 2, 4, 4]],
            [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4]],
            {},
            (148, 30, 24, 80),
        ),
        ("RotaryEmbedding", [[1, 2, 3, 8], [3, 4], [3, 4]], [[1, 2, 3, 8]], {}, (144, 0, 0, 0)),
        (
            "RotaryEmbedding",
            [[1, 3, 16], [3, 2], [3, 2]],
            [[1, 3, 16]],
            {"num_heads": 2, "rotary_embedding_dim": 4},
            (72, 0, 0, 0),
        ),
    ],
)
def test_numbers_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


LSTM = ([[10, 2, 8], [1, 16, 8], [1, 16, 4], [1, 32]], [[10, 1, 2, 4]])
"""80 cells: 10 steps, batch 2, hidden size 4."""


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # a cell: 4 gates x (1 + 2 biases), 4 for state and output, 3 sigmoids (3 + 1), 2 hyperbolic tangents
        ("LSTM", *LSTM, {}, (80 * (12 + 4 + 9), 80 * 5, 0, 0)),
        ("LSTM", LSTM[0][:3], LSTM[1], {}, (80 * (4 + 4 + 9), 80 * 5, 0, 0)),
        ("LSTM", *LSTM, {"clip": 3.0}, (80 * 25, 80 * 5, 800, 0)),
        ("LSTM", *LSTM, {"input_forget": 1}, (80 * (12 + 4 + 1 + 6), 80 * 4, 0, 0)),
        ("LSTM", [*LSTM[0], None, None, None, [1, 12]], LSTM[1], {}, (80 * (25 + 6), 80 * 5, 0, 0)),
        ("LSTM", *LSTM, {"activations": ["Relu", "Tanh", "Softsign"]}, (80 * (12 + 4 + 3), 80, 240, 0)),
        (
            "LSTM",
            [[10, 2, 8], [2, 16, 8], [2, 16, 4]],
            [[10, 2, 2, 4]],
            {"activations": ["Sigmoid", "Tanh", "Tanh", "Relu", "Relu", "Relu"], "direction": "bidirectional"},
            (160 * 8 + 80 * 9, 80 * 5, 80 * 5, 0),
        ),
        ("GRU", [[10, 2, 8], [1, 12, 8], [1, 12, 4], [1, 24]], LSTM[1], {}, (80 * (9 + 5 + 6), 80 * 3, 0, 0)),
        ("RNN", [[10, 2, 8], [1, 4, 8], [1, 4, 4]], LSTM[1], {"activations": ["Relu"]}, (80, 0, 80, 0)),
        ("RNN", [[2, 10, 8], [1, 4, 8], [1, 4, 4]], LSTM[1], {"layout": 1}, (80, 80, 0, 0)),
    ],
)
def test_recurrent_cells(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        ("FusedMatMul", [[8, 16], [16, 32]], [[8, 32]], {"alpha": 0.125}, (256, 0, 0, 0)),
        ("FusedMatMul", [[8, 16], [16, 32]], [[8, 32]], {}, (0, 0, 0, 0)),
        ("FusedGemm", [[8, 16], [16, 32], [32]], [[8, 32]], {"activation": "Relu"}, (256, 0, 256, 0)),
        ("FusedConv", [[1, 3, 8, 8], [4, 3, 1, 1], [4]], [[1, 4, 8, 8]], {"activation": "Sigmoid"}, (1024, 256, 0, 0)),
        ("MatMulNBits", [[1, 64], [32, 2, 16], [64]], [[1, 32]], {"K": 64, "N": 32}, (4096, 0, 0, 0)),
        ("SkipLayerNormalization", [S, S, [8], [8]], [S], {}, (390, 6, 0, 0)),
        ("SkipSimplifiedLayerNormalization", [S, S, [8]], [S], {}, (246, 6, 0, 0)),
        ("BiasGelu", [S, [8]], [S], {}, (240, 48, 0, 0)),
        ("QuickGelu", [S], [S], {}, (240, 48, 0, 0)),
        ("QLinearAdd", [S, [], [], S, [], [], [], []], [S], {}, (384, 0, 96, 0)),
        # 8 x 3 projected to 12 with biases; 2 heads, 4 queries of size 2: 32 scores in 8 rows
        (
            "Attention",
            [[1, 4, 3], [3, 12], [12]],
            [[1, 4, 4]],
            {"num_heads": 2},
            (48 + 4 * 32 - 8, 32, 24, 0),
        ),
        (
            "MultiHeadAttention",
            [[1, 4, 4], [1, 4, 4], [1, 4, 4], [12]],
            [[1, 4, 4]],
            {"num_heads": 2, "unidirectional": 1},
            (48 + 5 * 32 - 8, 32, 24, 0),
        ),
        (
            "GroupQueryAttention",
            [[1, 4, 4], [1, 4, 2], [1, 4, 2]],
            [[1, 4, 4]],
            {"num_heads": 2, "kv_num_heads": 1, "do_rotary": 1},
            (3 * 16 + 3 * 8 + 5 * 32 - 8, 32, 24, 0),
        ),
    ],
)  # fmt: skip
def test_operators_of_onnxruntime(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, domain="com.microsoft", **options) == Operations(*expected)


# What can't be told


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("TopK", [S, [1]], [S, S], {}, "comparison", "a sort takes depends on the data"),
        ("NonMaxSuppression", [[1, 5, 4], [1, 1, 5]], [[5, 3]], {}, "comparison", "boxes are compared depends on"),
        ("NonZero", [S], [[3, None]], {}, "movement", "axis 1 of 'y0' isn't known before run time"),
        ("RandomNormal", [], [S], {}, "transcendental", "depends on the engine's generator"),
        ("Dropout", [S, [], []], [S], {}, "elementwise", "training_mode (input 2) is known only at run time"),
        ("CumSum", [S, []], [S], {}, "elementwise", "its axis (input 1) is known only at run time"),
        ("RoiAlign", [[1, 3, 8, 8], [5, 4], [5]], [[5, 3, 2, 2]], {}, "elementwise", "depends on the regions"),
        ("Softmax", ["unknown"], ["unknown"], {}, "comparison", "the shape of 'x0' isn't known"),
        ("Softmax", [S], [S], {"opset": None}, "elementwise", "which version of the operators it's written in"),
        ("Softmax", [S], [S], {"axis": 7}, "elementwise", "it says axis 7 of 3"),
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, None]], {}, "elementwise", "axis 1 of 'y0' isn't known"),
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, 32]], {"alpha": "2"}, "elementwise", "alpha is STRING, not FLOAT"),
        ("LSTM", *LSTM, {"activations": ["Sine", "Tanh", "Tanh"]}, "transcendental", "'Sine' computes isn't known"),
        ("Resize", [[4]], [["n"]], {"mode": "linear", "antialias": 1}, "elementwise", "depends on how much it shrinks"),
        ("TreeEnsembleRegressor", [[1, 4]], [[1, 1]], {"domain": "ai.onnx.ml"}, "comparison", "depends on the data"),
        ("BeamSearch", [[1, 4]], [[1, 4]], {"domain": "com.microsoft"}, "elementwise", "depends on the data"),
        ("SparseAttention", [[1, 4]], [[1, 4]], {"domain": "com.microsoft"}, "elementwise", "it can't be sized"),
        ("Mystery", [S], [S], {"domain": "acme"}, "movement", "Mystery of domain acme isn't known"),
        ("Newest", [S], [S], {}, "elementwise", "Newest of domain ai.onnx isn't known"),
        ("tile", [S], [S], {"domain": "onnxtile"}, "elementwise", "isn't known"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    found = getattr(counted(op, inputs, outputs, **options), kind)
    assert isinstance(found, Unknown)
    assert words in found.reason


def test_what_is_known_of_a_node_stays_known() -> None:
    assert counted("TopK", [S, [1]], [[2, 3, 4], [2, 3, 4]]).movement == 24
    assert counted("NonMaxSuppression", [[1, 5, 4], [1, 1, 5]], [[5, 3]]).transcendental == 0
    assert counted("Gemm", [[8, 16], [16, 32]], ["unknown"]) == Operations()


@pytest.mark.parametrize("op", ["If", "Loop", "Scan", "SequenceMap"])
def test_nodes_with_bodies_have_none_themselves(op: str) -> None:
    assert counted(op, ["unknown"], ["unknown"]) == Operations()


def test_of_nothing_nothing_is_computed() -> None:
    assert counted("Softmax", [[4, 0]], [[4, 0]]) == Operations()
    assert counted("ReduceMax", [[4, 0]], [[4]]) == Operations()
    assert counted("MaxPool", [[0, 3, 8, 8]], [[0, 3, 4, 4]], kernel_shape=[2, 2]) == Operations()


DIMENSIONS = [0, 1, 2, 3, 4, 6, "n", "m", "2*n + 1", "n**", None]
VALUES = [-1, 0, 1, 2, 8, 0.5, [0], [2, 3], [-1, 1, 2], "Relu", "nearest", "linear", "max"]
NAMES = [
    *("axis", "axes", "kernel_shape", "mode", "p", "num_heads", "kv_num_heads", "hidden_size", "K", "N"),
    *("activations", "activation", "sampling_ratio", "num_groups", "groups", "reduction", "rotary_embedding_dim", "k"),
    *("q_num_heads", "size", "num_branches", "training_mode", "antialias", "alpha", "activation_type", "targets"),
]


def test_no_node_breaks_it() -> None:
    """Whatever shapes and attributes say, an amount is a number that isn't negative, a formula, or unknown."""
    chance = random.Random(7)

    def shapes(most: int) -> list[Any]:
        shape = [[chance.choice(DIMENSIONS) for _ in range(chance.randint(0, 5))] for _ in range(most)]
        return [chance.choice([each, each, each, "unknown"]) for each in shape]

    for operator in sorted(OPERATORS) * 20:
        attributes = {chance.choice(NAMES): chance.choice(VALUES) for _ in range(chance.randint(0, 3))}
        attributes["equation"] = chance.choice(["ij,jk->ik", "ii->i", "...a->...", "abc"])
        inputs = [chance.choice([each, each, None]) for each in shapes(chance.randint(0, 8))]
        node = node_of(operator[1], inputs, shapes(chance.randint(1, 3)), domain=operator[0], **attributes)
        found = operations_of(node, chance.choice([1, 6, 11, 13, 22, None]))
        for kind in KINDS:
            amount = getattr(found, kind)
            assert isinstance(amount, (int, sympy.Expr, Unknown)), node
            assert not isinstance(amount, int) or amount >= 0, node


# Properties


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_broadcast_operators_count_output_elements(shape: list[int], data: st.DataObject) -> None:
    other = [data.draw(st.sampled_from([1, size])) for size in shape][data.draw(st.integers(0, len(shape))) :]
    size = int(np.prod(np.broadcast_shapes(tuple(shape), tuple(other))))
    for left, right in ((shape, other), (other, shape)):
        assert counted("Mul", [left, right], [shape]).elementwise == size
        assert counted("Less", [left, right], [shape]).comparison == size
        assert counted("Where", [[1], left, right], [shape]).movement == size


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.integers(0, 5))
def test_concat_copies_all_it_makes(lengths: list[int], width: int) -> None:
    found = counted("Concat", [[length, width] for length in lengths], [[sum(lengths), width]], axis=0)
    assert found == Operations(movement=sum(length * width for length in lengths))


FAMILIAR = [
    ("Add", lambda n, m: ([[n, m], [m]], [[n, m]]), {}),
    ("Softmax", lambda n, m: ([[n, m]], [[n, m]]), {}),
    ("LayerNormalization", lambda n, m: ([[n, m], [m], [m]], [[n, m]]), {}),
    ("ReduceMax", lambda n, m: ([[n, m]], [[n, 1]]), {}),
    ("MaxPool", lambda n, m: ([[1, n, m]], [[1, n, m]]), {"kernel_shape": [3], "pads": [1, 1]}),
    ("Gemm", lambda n, m: ([[n, 4], [4, m], [m]], [[n, m]]), {"alpha": 2.0, "beta": 3.0}),
    ("Resize", lambda n, m: ([[n, m]], [[n, 8]]), {"mode": "linear"}),
    ("LSTM", lambda n, m: ([[n, m, 3], [1, 8, 3], [1, 8, 2]], [[n, 1, m, 2]]), {}),
    ("Attention", lambda n, m: ([[1, 2, n, 4], [1, 2, m, 4], [1, 2, m, 4]], [[1, 2, n, 4]]), {}),
    ("ScatterND", lambda n, m: ([[n, m], [3, 1], [3, m]], [[n, m]]), {}),
    ("Sum", lambda n, m: ([[n, m]] * 3, [[n, m]]), {}),
]


@pytest.mark.parametrize(("op", "shapes", "options"), FAMILIAR, ids=[each[0] for each in FAMILIAR])
@given(n=st.integers(1, 7), m=st.sampled_from([1, 2, 3, 5, 6, 7]))
def test_formulas_come_to_the_same_numbers(op: str, shapes: Any, options: dict[str, Any], n: int, m: int) -> None:
    """Symbolic sizes give a formula; with numbers put in it says what the numbers say."""
    formulas, numbers = counted(op, *shapes("n", "m"), **options), counted(op, *shapes(n, m), **options)
    for kind in KINDS:
        formula = getattr(formulas, kind)
        assert not isinstance(formula, Unknown)
        assert with_sizes(formula, {"n": n, "m": m}) == getattr(numbers, kind), kind


def test_formulas_are_readable() -> None:
    found = counted("Softmax", [["batch", 12, "length", "length"]], [["batch", 12, "length", "length"]])
    assert str(found.transcendental) == "12*batch*length**2"
    assert re.fullmatch(r"12\*batch\*length\*\*2 - 12\*batch\*length", str(found.comparison))
