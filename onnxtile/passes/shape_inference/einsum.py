"""The rule for Einsum, which broadcasts axes of length 1."""

from __future__ import annotations

import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError
from onnxtile.ir.symbolic.amounts import dimension
from onnxtile.operators.einsum import Einsum
from onnxtile.passes.shape_inference.extensions import infer_with
from onnxtile.passes.shape_inference.rules import Rule


def einsum(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Take axes of length 1 as long as another operand's that broadcasts them; the library takes the first it sees."""
    try:
        parsed = Einsum.of(node)
    except (UnsizedError, ModelError):
        library(context, node)
        return None
    shapes = [
        ir.Shape(
            [dimension(parsed.lengths[letter]) if dim == 1 else dim for letter, dim in zip(letters, shape, strict=True)]
        )
        for letters, shape in zip(parsed.equation.terms, (value.shape for value in node.inputs if value), strict=True)
        if shape is not None
    ]
    infer_with(context, node, shapes, library)
    return None
