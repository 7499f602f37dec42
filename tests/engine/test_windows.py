"""The windows of convolutions, as engines that form them see them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.engine.limits import product_of
from onnxtile.engine.product import Window
from onnxtile.engine.windows import with_window
from onnxtile.operators.contractions import contractions
from onnxtile.passes import InferShapes
from tests.support import matmul, parse


def windowed(attributes: str = "", x: str = "2,6,9,8", w: str = "10,3,3,2") -> Window | None:
    model = ir.from_proto(
        parse(f'<ir_version: 10, opset_import: ["" : 18]> g (float[{x}] x, float[{w}] w) => (float y) '
              f"{{ y = Conv <group = 2 {attributes}> (x, w) }}")
    )  # fmt: skip
    InferShapes()(model)
    (contraction,) = contractions(model)
    product = product_of(contraction)
    assert not isinstance(product, str)
    return with_window(product, contraction).window


def test_of_a_convolution_of_groups() -> None:
    attributes = ", strides = [2,1], dilations = [1,2], pads = [1,0,2,1]"
    assert windowed(attributes) == Window(3, (9, 8), (3, 2), (2, 1), (1, 2), (1, 0), (5, 7))
    assert windowed(', auto_pad = "SAME_UPPER"') == Window(3, (9, 8), (3, 2), (1, 1), (1, 1), (1, 0), (9, 8))
    assert windowed(x="2,6,9", w="10,3,3") == Window(3, (9,), (3,), (1,), (1,), (0,), (7,))


@pytest.mark.parametrize("node", ["MatMul", "NhwcConv"])
def test_what_is_none(node: Any) -> None:
    model = ir.from_proto(matmul([4, 6], [6, 5], [4, 5]))
    (contraction,) = contractions(model)
    product = product_of(contraction)
    assert not isinstance(product, str)
    contraction.node.op_type = node
    assert with_window(product, contraction) == replace(product, window=None)
