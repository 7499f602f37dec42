"""The operator: its product and its other work. This module imports nothing of onnxtile but `onnxtile.operators`.

The other layers of onnxtile are imported after the table of operators, which this is a part of.
"""

from onnxtile.operators.matmul import matmul
from onnxtile.operators.measures import RESULTS
from onnxtile.operators.registry import declare, one_product
from onnxtile.operators.work import COMPARISON, ELEMENTWISE

BODY = """
<domain: "edge", opset_import: ["" : 13]> DenseRelu (x, w, b) => (y) {
    p = MatMul (x, w)
    s = Add (p, b)
    y = Relu (s)
}"""
"""Define DenseRelu in ONNX's operators: by this `verify` proves what a pass makes of it."""


def declare_operators() -> None:
    """DenseRelu: max(0, X @ W + B), of X [..., M, K], W [K, N], B [N]."""
    declare(
        "DenseRelu",
        "edge",
        products=one_product("matmul", matmul, "numpy.matmul of X and W", "decompose-dense-relu"),
        work=(ELEMENTWISE + COMPARISON) * RESULTS,  # an addition and a maximum an element
        body=BODY,
    )
