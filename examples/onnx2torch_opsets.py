"""Let onnx2torch convert lowered models of opsets 18 to 28, where it knows their operators of opset 17.

onnx2torch_opsets.extend(18)
network = onnx2torch.convert(lowered).eval()
"""

from __future__ import annotations

import onnx
from onnx2torch.node_converters import registry

SAME = {"Flatten": 13, "MaxPool": 12, "Pad": 13, "Reshape": 14, "Split": 13, "Transpose": 13}
"""Operators and the version known to onnx2torch; newer ones take more types, and inputs that `lower` doesn't write."""


def extend(opset: int) -> None:
    """Have the converters of known versions take those of an opset, too, where they have none of their own."""
    for operator, known in SAME.items():
        newest = onnx.defs.get_schema(operator, opset).since_version
        try:
            registry.get_converter(operator, newest)
        except NotImplementedError:
            registry.add_converter(operator, newest)(registry.get_converter(operator, known))
