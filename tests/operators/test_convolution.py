"""Convolutions: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.errors import ModelError
from onnxtile.operators.contractions import contractions
from onnxtile.operators.sizes import Size
from onnxtile.operators.work import Operations
from tests.operators.nodes import Sizes, counted, macs, rows_of, sizes, sizes_of_ort
from tests.support import Shapes, node_model, run_onnxruntime


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("Conv", [[1, 3, 16, 16], [16, 3, 3, 3], [16]], [[1, 16, 14, 14]], {}, (3136, 0, 0, 0)),
        ("Conv", [[1, 3, 16, 16], [16, 3, 3, 3]], [[1, 16, 14, 14]], {}, (0, 0, 0, 0)),
        ("ConvTranspose", [[1, 3, 4, 4], [3, 2, 3, 3]], [[1, 2, 6, 6]], {}, (288, 0, 0, 0)),
        (
            "FusedConv",
            [[1, 3, 8, 8], [4, 3, 1, 1], [4]],
            [[1, 4, 8, 8]],
            {"domain": "com.microsoft", "activation": "Sigmoid"},
            (1024, 256, 0, 0),
        ),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "expected"),
    [
        ("CausalConvWithState", [[2, 3, 7], [3, 1, 4]], {}, [(14, 4, 1, 3)]),
        ("CausalConvWithState", [[2, 7, 3], [3, 1, 4]], {"channels_last": 1}, [(14, 4, 1, 3)]),
        ("VarlenCausalConvWithState", [[14, 3], [3, 1, 4]], {}, [(14, 4, 1, 3)]),
        ("ConvTransposeWithDynamicPads", [[2, 4, 5, 5], [4, 3, 2, 2]], {"group": 2}, [(50, 2, 12, 2)]),
    ],
)
def test_sizes_of_onnxruntime_s_own(op: str, shapes: Shapes, attributes: dict[str, Any], expected: Sizes) -> None:
    assert sizes_of_ort(op, shapes, attributes) == expected


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
    assert sizes(row) == (9, 27, 4, "batch")
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
def test_a_convolution_that_contradicts_itself_is_an_error(attributes: dict[str, Any], words: str) -> None:
    model = node_model("FusedConv", [[1, 3, 8, 8], [4, 3, 3, 3]], [4], domain="com.microsoft", **attributes)
    with pytest.raises(ModelError, match=words):
        rows_of(model)
