"""Sizes of products that the table gives: against what engines make, and against counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.lowering.report import Row
from onnxtile.operators.contractions import contractions
from onnxtile.operators.sizes import Size
from onnxtile.operators.table import PRODUCTS
from tests.support import Shapes, node_model, run_onnxruntime, run_reference

SIZE = st.integers(1, 5)


def rows_of(model: onnx.ModelProto) -> list[Row]:
    return list(onnxtile.check(model, (1, 1, 1), ops="all").contractions)


def sizes(row: Row) -> tuple[Any, Any, Any, Any]:
    return row.m, row.k, row.n, row.batch


def macs(row: Row) -> int:
    assert isinstance(row.m, int) and isinstance(row.k, int) and isinstance(row.n, int) and isinstance(row.batch, int)
    return row.m * row.k * row.n * row.batch


# Convolutions: against what onnxruntime computes


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[list[int], list[int], dict[str, Any]]:
    """Shapes of data and weight of a Conv, and its attributes."""
    axes, group = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
    x = [draw(st.integers(1, 2)), group * draw(st.integers(1, 3)), *(draw(st.integers(5, 8)) for _ in range(axes))]
    w = [group * draw(st.integers(1, 3)), x[1] // group, *kernel]
    attributes: dict[str, Any] = {"group": group}
    attributes["strides"] = [draw(st.integers(1, 3)) for _ in range(axes)]
    auto_pad = draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if auto_pad != "NOTSET":
        return x, w, attributes | {"auto_pad": auto_pad}
    if draw(st.booleans()):
        attributes["kernel_shape"] = kernel
    dilations, pads = ([draw(st.integers(low, 2)) for _ in range(n * axes)] for low, n in ((1, 1), (0, 2)))
    return x, w, attributes | {"dilations": dilations, "pads": pads}


@given(convolutions())
def test_a_convolution_counts_what_onnxruntime_makes(case: tuple[list[int], list[int], dict[str, Any]]) -> None:
    x, w, attributes = case
    model = node_model("Conv", [x, w], [len(x)], **attributes)
    (y,) = run_onnxruntime(model, {"X0": np.ones(x, np.float32), "X1": np.ones(w, np.float32)})
    (row,) = rows_of(model)
    assert macs(row) == y.size * int(np.prod(w[1:]))
    assert (row.k, row.n, row.batch) == (np.prod(w[1:]), w[0] // attributes["group"], attributes["group"])

    last = [x[0], *x[2:], x[1]]
    scales: list[list[int]] = [[], []]
    quantized, quantized_last = ([data, *scales, w, *scales * 2] for data in (x, last))
    for domain, op, shapes, more in (
        ("", "ConvInteger", [x, w], {}),
        ("", "QLinearConv", quantized, {}),
        ("", "DeformConv", [x, w], {}),
        ("com.microsoft", "FusedConv", [x, w], {}),
        ("com.microsoft", "NhwcConv", [last, [w[0], *w[2:], w[1]]], {}),
        ("com.microsoft", "NhwcFusedConv", [last, w], {}),
        ("com.microsoft", "QLinearConv", quantized, {}),
        ("com.microsoft", "QLinearConv", quantized_last, {"channels_last": 1}),
    ):
        (alike,) = contractions(ir.from_proto(node_model(op, shapes, [len(x)], domain=domain, **attributes, **more)))
        assert alike.size == Size(row.m, row.k, row.n, row.batch), op


@given(convolutions())
def test_a_transposed_convolution_counts_every_position_times_every_kernel(
    case: tuple[list[int], list[int], dict[str, Any]],
) -> None:
    x, w, attributes = case
    of_group, w = w[0] // attributes["group"], [x[1], w[0] // attributes["group"], *w[2:]]
    attributes = {name: value for name, value in attributes.items() if name not in ("auto_pad", "pads")}
    model = node_model("ConvTranspose", [x, w], [len(x)], **attributes)
    (y,) = run_onnxruntime(model, {"X0": np.ones(x, np.float32), "X1": np.ones(w, np.float32)})
    (row,) = rows_of(model)
    assert macs(row) == y.sum()  # of ones by ones, none cut off: each multiplication added one
    assert (row.k, row.n) == (x[1] // attributes["group"], of_group * np.prod(w[2:]))


def test_positions_that_are_not_known_stay_names() -> None:
    (row,) = rows_of(node_model("Conv", [["batch", 3, 8, 8], [4, 3, 3, 3]], [4], strides=[2, 2]))
    assert sizes(row) == ("9*batch", 27, 4, 1)
    (row,) = rows_of(node_model("Conv", [[1, 3, "h", 8], [4, 3, 3, 3]], [4]))
    assert (row.k, row.n, row.status) == (27, 4, "over")
    assert not isinstance(row.m, int)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"group": 2}, "number of channels, 3, isn't a multiple of 2"),
        ({"group": 0}, "divided by 0"),
        ({"strides": [0, 1]}, "a stride is 0"),
        ({"pads": [1]}, "pads has 1 numbers, not 4"),
        ({"kernel_shape": [2, 3]}, "contradict, the kernel is 2 and 3"),
        ({"group": 1.5}, "group is FLOAT, not INT"),
    ],
)
def test_a_convolution_that_contradicts_itself_has_no_size(attributes: dict[str, Any], words: str) -> None:
    model = node_model("FusedConv", [[1, 3, 8, 8], [4, 3, 3, 3]], [4], domain="com.microsoft", **attributes)
    (row,) = rows_of(model)
    assert row.status == "unknown"
    assert words in str(row.reason)


# Recurrent operators: every step and row uses each weight once


@given(st.sampled_from(["RNN", "LSTM", "GRU"]), SIZE, SIZE, SIZE, SIZE, st.integers(1, 2), st.booleans(), st.booleans())
def test_a_recurrent_operator_uses_each_weight_once_a_step_and_row(
    op: str, steps: int, batch: int, width: int, hidden: int, directions: int, layout: bool, before_reset: bool
) -> None:
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[op]
    attributes: dict[str, Any] = {"hidden_size": hidden, "layout": int(layout)}
    if op == "GRU":
        attributes["linear_before_reset"] = int(before_reset)
    if directions == 2:
        attributes["direction"] = "bidirectional"
    x = [batch, steps, width] if layout else [steps, batch, width]
    w, r = [directions, gates * hidden, width], [directions, gates * hidden, hidden]
    products = {row.part: row for row in rows_of(node_model(op, [x, w, r], [4], **attributes))}
    parts = {"input", "state", "reset state"} if op == "GRU" and not before_reset else {"input", "state"}
    assert products.keys() == parts
    assert sum(map(macs, products.values())) == steps * batch * int(np.prod(w) + np.prod(r))
    assert sizes(products["input"]) == (steps * batch, width, gates * hidden, directions)
    assert sizes(products["state"])[:2] == (batch, hidden)
    if op == "LSTM":
        swapped = [[directions, width, gates * hidden], [directions, hidden, gates * hidden]]
        shapes = [[steps, batch, width], *swapped]
        quantized = rows_of(node_model("DynamicQuantizeLSTM", shapes, [4], domain="com.microsoft", hidden_size=hidden))
        assert [sizes(row) for row in quantized] == [sizes(row) for row in products.values()]


# Attention: against what the reference evaluator makes


@given(
    st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), SIZE, SIZE, SIZE, SIZE, st.integers(0, 3), st.booleans()
)
def test_attention_is_what_the_reference_computes(
    batch: int, kv: int, ratio: int, length: int, keys: int, head: int, value_head: int, past: int, packed: bool
) -> None:
    heads = kv * ratio

    def operand(count: int, size: int, width: int) -> list[int]:
        return [batch, size, count * width] if packed else [batch, count, size, width]

    widths = (heads, length, head), (kv, keys, head), (kv, keys, value_head)
    shapes: list[list[int] | None] = [operand(*each) for each in widths]
    if past:
        shapes += [None, [batch, kv, past, head], [batch, kv, past, value_head]]
    attributes = {"q_num_heads": heads, "kv_num_heads": kv} if packed else {}
    model = node_model("Attention", shapes, [3 if packed else 4, 4, 4, 4], opset=23, **attributes)
    feeds = {f"X{index}": np.ones(shape, np.float32) for index, shape in enumerate(shapes) if shape is not None}
    y, _, _, scores = run_reference(model, feeds)
    first, second = rows_of(model)
    assert (first.part, second.part) == ("queries by keys", "weights by values")
    assert [first.batch, first.m, first.n] == [scores.shape[0] * scores.shape[1], *scores.shape[2:]]
    assert macs(first) == scores.size * head
    assert macs(second) == y.size * scores.shape[-1]
    if not packed and not past:
        preview = node_model("FlexAttention", shapes, [4], domain="ai.onnx.preview")
        assert [sizes(row) for row in rows_of(preview)] == [sizes(first), sizes(second)]


def test_attention_with_names_for_lengths() -> None:
    shapes = [["b", "s", 32], ["b", "t", 16], ["b", "t", 12], None, ["b", 2, "p", 8], ["b", 2, "p", 6]]
    first, second = rows_of(node_model("Attention", shapes, [3, 4, 4], opset=23, q_num_heads=4, kv_num_heads=2))
    assert sizes(first) == ("s", 8, "p + t", "4*b")
    assert sizes(second) == ("s", "p + t", 6, "4*b")


@pytest.mark.parametrize(
    ("shapes", "attributes", "words"),
    [
        ([[1, 2, 3, 4], [1, 2, 5, 6], [1, 2, 5, 4]], {}, "the head size is 4 and 6"),
        ([[1, 3, 4], [1, 5, 4], [1, 5, 4]], {}, "give 4 axes, or 3 and q_num_heads"),
        ([[1, 3, 4], [1, 5, 4], [1, 5, 4]], {"q_num_heads": 3, "kv_num_heads": 1}, "4, isn't a multiple of 3"),
        ([[1, 3, 2, 4], [1, 2, 2, 4], [1, 2, 2, 4]], {}, "number of query heads, 3, isn't a multiple of 2"),
    ],
)
def test_attention_that_contradicts_itself_is_an_error(shapes: Shapes, attributes: dict[str, int], words: str) -> None:
    node = ir.from_proto(node_model("Attention", shapes, [4], opset=23, **attributes)).graph.node(0)
    sizes_of = PRODUCTS["", "Attention"].sizes
    assert sizes_of is not None
    with pytest.raises(onnxtile.ModelError, match=words):
        sizes_of(node)


# Transforms: against what the reference evaluator makes


@given(st.sampled_from([17, 20]), st.sampled_from([None, 1, 2, -2]), st.booleans(), st.booleans(), st.none() | SIZE)
def test_every_way_to_say_a_fourier_transform(
    opset: int, axis: int | None, inverse: bool, onesided: bool, length: int | None
) -> None:
    parts = 2 if inverse else 1
    attributes = f"inverse: int = {int(inverse)}, onesided: int = {int(onesided)}"
    attributes += f", axis: int = {axis}" if axis is not None and opset < 20 else ""
    operands = ["x", "length" if length else "", "axis" if axis is not None and opset >= 20 else ""]
    model = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : {opset}]>
        g (float[3,4,5,{parts}] x) => (float[a,b,c,d] y) {{
            length = Constant <value_int: int = {length or 0}> ()
            axis = Constant <value_int: int = {axis or 0}> ()
            y = DFT <{attributes}> (x, length, axis)
        }}""")
    while not operands[-1]:
        operands.pop()
    model.graph.node[-1].input[:] = operands
    x = np.ones((3, 4, 5, parts), np.float32)
    (y,) = run_reference(model, {"x": x})
    at = {None: 1 if opset < 20 else 2, 1: 1, 2: 2, -2: 2}[axis]
    (found,) = contractions(ir.from_proto(model))
    signals = x.size // x.shape[at] // parts
    points = length or (2 * (x.shape[at] - 1) if inverse and onesided else x.shape[at])
    taken = points // 2 + 1 if inverse and onesided else points
    assert found.size == Size(signals, taken * parts, y.size // signals, 1)


@given(st.integers(1, 2), st.integers(6, 9), st.integers(2, 4), st.integers(1, 3), st.booleans())
def test_a_short_time_transform_is_one_of_every_frame(
    batch: int, length: int, frame: int, step: int, onesided: bool
) -> None:
    text = f"""<ir_version: 10, opset_import: ["" : 17]>
        g (float[{batch},{length},1] x, float[{frame}] w) => (float[a,b,c,d] y) {{
            step = Constant <value_int: int = {step}> ()
            y = STFT <onesided: int = {int(onesided)}> (x, step, w)
        }}"""
    model = onnx.parser.parse_model(text)
    (y,) = run_reference(model, {"x": np.ones((batch, length, 1), np.float32), "w": np.ones(frame, np.float32)})
    (row,) = onnxtile.check(model, (1, 1, 1), ops="all").contractions
    assert (row.m, row.k, row.n) == (y.shape[0] * y.shape[1], frame, y.shape[2] * 2)


# The others, by hand


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "expected"),
    [
        ("Attention", [[2, 5, 7], [7, 24], [24]], {"num_heads": 4}, [(10, 7, 24, 1), (5, 2, 5, 8), (5, 5, 2, 8)]),
        (
            "Attention",
            [[2, 5, 7], [7, 20], [20], None, [2, 2, 4, 3, 2]],
            {"num_heads": 4, "qkv_hidden_sizes": [8, 8, 4]},
            [(10, 7, 20, 1), (5, 2, 8, 8), (5, 8, 1, 8)],
        ),
        ("MultiHeadAttention", [[2, 5, 8], [2, 6, 8], [2, 6, 12]], {"num_heads": 4}, [(5, 2, 6, 8), (5, 6, 3, 8)]),
        ("MultiHeadAttention", [[2, 5, 4, 3, 6]], {"num_heads": 4}, [(5, 6, 5, 8), (5, 5, 6, 8)]),
        ("MultiHeadAttention", [[2, 5, 8], [2, 6, 4, 2, 2]], {"num_heads": 4}, [(5, 2, 6, 8), (5, 6, 2, 8)]),
        ("MultiHeadAttention", [[2, 5, 8], [2, 4, 6, 2], [2, 4, 6, 3]], {"num_heads": 4}, [(5, 2, 6, 8), (5, 6, 3, 8)]),
        (
            "MultiHeadAttention",
            [[2, 5, 8], [2, 6, 8], [2, 6, 8], None, None, None, [2, 4, 3, 2], [2, 4, 3, 2]],
            {"num_heads": 4},
            [(5, 2, 9, 8), (5, 9, 2, 8)],
        ),
        ("DecoderMaskedMultiHeadAttention", [[2, 1, 24]], {"num_heads": 4}, [(1, 2, 1, 8), (1, 1, 2, 8)]),
        (
            "GroupQueryAttention",
            [[2, 5, 8], [2, 5, 4], [2, 5, 4]],
            {"num_heads": 4, "kv_num_heads": 2},
            [(5, 2, 5, 8), (5, 5, 2, 8)],
        ),
        ("GroupQueryAttention", [[2, 5, 16]], {"num_heads": 4, "kv_num_heads": 2}, [(5, 2, 5, 8), (5, 5, 2, 8)]),
        (
            "GroupQueryAttention",
            [[2, 1, 16], None, None, [2, 2, 9, 2], [2, 2, 9, 2]],
            {"num_heads": 4, "kv_num_heads": 2},
            [(1, 2, None, 8), (1, None, 2, 8)],
        ),
        (
            "PackedAttention",
            [[9, 7], [7, 24], [24], [2, 5]],
            {"num_heads": 4},
            [(9, 7, 24, 1), (5, 2, 5, 8), (5, 5, 2, 8)],
        ),
        (
            "PackedMultiHeadAttention",
            [[9, 8], [9, 8], [9, 12], None, [2, 5]],
            {"num_heads": 4},
            [(5, 2, 5, 8), (5, 5, 3, 8)],
        ),
        (
            "LinearAttention",
            [[2, 5, 8], [2, 5, 4], [2, 5, 6]],
            {"q_num_heads": 4, "kv_num_heads": 2, "update_rule": "delta"},
            [(1, 2, 3, 20), (2, 1, 3, 20), (1, 2, 3, 40)],
        ),
        (
            "LinearAttention",
            [[2, 5, 4]] * 3,
            {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "gated"},
            [(2, 1, 2, 20), (1, 2, 2, 20)],
        ),
        ("CausalConvWithState", [[2, 3, 7], [3, 1, 4]], {}, [(14, 4, 1, 3)]),
        ("CausalConvWithState", [[2, 7, 3], [3, 1, 4]], {"channels_last": 1}, [(14, 4, 1, 3)]),
        ("VarlenCausalConvWithState", [[14, 3], [3, 1, 4]], {}, [(14, 4, 1, 3)]),
        ("ConvTransposeWithDynamicPads", [[2, 4, 5, 5], [4, 3, 2, 2]], {"group": 2}, [(50, 2, 12, 2)]),
        ("MoE", [[2, 5, 8], [10, 3], [3, 24, 8], None, [3, 8, 12]], {"k": 2}, [(10, 8, 24, 2), (10, 12, 8, 2)]),
        (
            "MoE",
            [[10, 8], [10, 3], [3, 8, 12], None, [3, 12, 8], None, [3, 8, 12]],
            {},
            [(10, 8, 12, 1), (10, 8, 12, 1), (10, 12, 8, 1)],
        ),
        ("QMoE", [[10, 8], [10, 3], [3, 12, 4], None, None, [3, 8, 6]], {"k": 2}, [(10, 8, 12, 2), (10, 12, 8, 2)]),
        ("GemmFloat8", [[3, 4], [5, 4]], {"transB": 1}, [(3, 4, 5, 1)]),
        ("CDist", [[3, 4], [5, 4]], {}, [(3, 4, 5, 1)]),
        ("QOrderedMatMul", [[2, 3, 4], [], [5, 4]], {}, [(3, 4, 5, 2)]),
        ("MatMulBlockQuantizedFp4Weight", [[2, 3, 4], [5, 2]], {}, [(6, 4, 5, 1)]),
        ("HyperConnectionPostMix", [[2, 5, 4, 8], [2, 5, 8]], {}, [(4, 4, 8, 10)]),
        ("GatedRelativePositionBias", [[2, 5, 8], [8], [1, 4, 5, 5], [2, 6]], {"num_heads": 4}, [(40, 2, 6, 1)]),
        ("Rfft", [[2, 3, 8]], {"signal_ndim": 1}, [(6, 8, 10, 1)]),
        ("Irfft", [[2, 3, 5, 2]], {"signal_ndim": 1}, [(6, 10, 8, 1)]),
    ],
)
def test_onnxruntime_s_own(
    op: str, shapes: Shapes, attributes: dict[str, Any], expected: list[tuple[int | None, ...]]
) -> None:
    assert [
        sizes(row) for row in rows_of(node_model(op, shapes, [3], domain="com.microsoft", **attributes))
    ] == expected


def test_linear_models_multiply_by_their_attributes() -> None:
    def sized(op: str, **attributes: Any) -> tuple[Any, ...]:
        (row,) = rows_of(node_model(op, [["rows", 4]], [2], domain="ai.onnx.ml", **attributes))
        return sizes(row)

    assert sized("LinearRegressor", coefficients=[1.0] * 12, targets=3) == ("rows", 4, 3, 1)
    assert sized("SVMRegressor", coefficients=[1.0] * 5, support_vectors=[1.0] * 20, n_supports=5) == ("rows", 4, 5, 1)
    assert sized("SVMRegressor", coefficients=[1.0] * 4) == ("rows", 4, 1, 1)
