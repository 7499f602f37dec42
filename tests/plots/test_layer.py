from __future__ import annotations

import onnx
import onnx.parser

import onnxtile
from onnxtile.plots.layer import Layer, drawn


def test_what_is_not_known_is_left_out() -> None:
    layer = Layer("fc", 10, 20, 15)
    assert (layer.cycles, layer.bound) == (None, None)


def test_products_of_a_profile_whose_amounts_are_numbers() -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        two (float[8,16] x, float[16,32] w, float[n,4] u, float[4,4] v) => (float[8,32] y, float[n,4] z) {
            [a] h = MatMul (x, w)
            [b] z = MatMul (u, v)
            y = Relu (h)
        }""")
    found = onnxtile.profile(model, engine="systolic-32").engine
    assert found is not None
    (layer,) = drawn(found.layers, onnxtile.Engine.load("systolic-32"))
    assert (layer.name, layer.macs, layer.peak, layer.bound) == ("a MatMul", 8 * 16 * 32, 1024, "memory")
    assert layer.bytes == layer.least_bytes == 4 * (8 * 16 + 16 * 32 + 8 * 32)
