"""A network of eleven nodes that shows what passes do, small enough to look at."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
    net (float[4,10] x) => (float[4,6] y) {
        [first] h0 = MatMul (x, w)
        [bias] h1 = Add (h0, b)
        [relu] h2 = Relu (h1)
        [mean] m = ReduceMean <axes = [1]> (h2)
        [centre] h3 = Sub (h2, m)
        [gate] g = Sigmoid (h3)
        [join] h4 = Add (g, h2)
        [fc] h5 = Gemm <alpha = 0.5, transB = 1> (h4, v, c)
        [tanh] h6 = Tanh (h5)
        [last] h7 = MatMul (h6, u)
        [soft] y = Softmax <axis = 1> (h7)
    }"""


def little() -> onnx.ModelProto:
    """Two MatMul and a Gemm of 4 rows, and what stands between them; takes [4, 10], gives [4, 6]."""
    model = onnx.parser.parse_model(TEXT)
    random = np.random.default_rng(5)
    for name, shape in {"w": (10, 8), "b": (8,), "v": (8, 8), "c": (8,), "u": (8, 6)}.items():
        array = random.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model
