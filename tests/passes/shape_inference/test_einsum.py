"""Axes of length 1 are as long as what broadcasts them."""

from __future__ import annotations

from onnxtile.ir.io.interop import to_ir
from onnxtile.passes import InferShapes
from tests.passes.test_decompose_einsum import case


def test_a_letter_that_is_broadcast_keeps_what_follows_right() -> None:
    """The shape behind it is that of the longer operand, whichever comes first."""
    product = case("bij,bjk->bik", [1, 2, 2], [3, 2, 2], output=[3, 2, 2])
    model = to_ir(product.model)
    model.graph.outputs[0].shape = None
    InferShapes()(model)
    assert model.graph.outputs[0].shape == [3, 2, 2]
