"""Small models to draw, and what lowerings make of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx

import onnxtile
from tests.support import parse

HOSTILE = "</text><script>alert(1)</script>\x1b[31m\u202e&\"'"
"""A name that steers whatever takes it for more than a text."""


def network(name: str = "fc") -> onnx.ModelProto:
    """Return two layers with something between and behind, and one beside them."""
    weights = {"V": np.ones((10, 8), np.float32), "W": np.ones((8, 6), np.float32), "U": np.ones((10, 6), np.float32)}
    model = parse(
        """<ir_version: 9, opset_import: ["" : 17]> g (float[6,10] x) => (float[6,6] y) {
        [fc] a = MatMul (x, V) [relu] b = Relu (a) [last] c = MatMul (b, W) [side] d = MatMul (x, U)
        [add] y = Add (c, d) }""",
        **weights,
    )
    model.graph.node[0].name = name
    return model


@cache
def lowered(form: str = "unrolled", name: str = "fc") -> onnx.ModelProto:
    """Return that network, lowered to 4 x 4 x 4."""
    return onnxtile.lower(network(name), (4, 4, 4), form=form)  # type: ignore[arg-type]  # a form's name
