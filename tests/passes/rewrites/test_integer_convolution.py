"""The product of a convolution of bytes: parameters that are 0 cost no node, and those that are known are folded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxtile
from tests.quantized_convolutions import drawn, model
from tests.support import operators

X, W = drawn([1, 2, 4, 4], np.uint8, 1), drawn([4, 2, 3, 3], np.int8, 2)
PLAIN = ["Transpose", *["Slice"] * 3, "Concat", *["Slice"] * 3, "Concat", "Reshape", "MatMulInteger"]
ROWS = ["Cast", "ReduceSum", "Mul", "Sub"]
BACK = ["Reshape", "Transpose"]


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ({}, [*PLAIN, *BACK]),
        ({"x_zero": np.uint8(0), "w_zero": np.int8(0)}, [*PLAIN, *BACK]),
        ({"x_zero": np.uint8(3)}, [*PLAIN, "Sub", *BACK]),
        ({"x_zero": np.uint8(3), "pads": [1, 1, 1, 1]}, ["Pad", *PLAIN, "Sub", *BACK]),
        ({"w_zero": np.int8(3)}, [*PLAIN, *ROWS, *BACK]),
        ({"x_zero": np.uint8(3), "w_zero": np.array([1, 2, 3, 4], np.int8)}, [*PLAIN, "Sub", *ROWS, *BACK]),
    ],
    ids=str,
)
def test_what_parameters_cost(how: dict[str, Any], wanted: list[str]) -> None:
    case = model("ConvInteger", X, W, **how)
    lowered = onnxtile.lower(case.model, (3, None, None), ops="conv", form="unrolled")
    assert [name for name in operators(lowered) if name != "Split"][:8] == [*wanted[:8]]
    read = {name for node in lowered.graph.node for name in node.input}
    assert {tensor.name for tensor in lowered.graph.initializer} <= read
