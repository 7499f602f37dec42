"""Rules of shape inference for operators that onnx_shape_inference doesn't know, or takes some forms of for others."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext, registry

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError
from onnxtile.operators.einsum import Einsum
from onnxtile.operators.fused import check_attributes, order_of_axes

MATMUL, GEMM, EINSUM, MOD, PAD = 13, 13, 12, 10, 11
"""Versions of the operators whose rules are built on."""


def install() -> None:
    """Register the rules with the library, in the place of its own; they're the same for every model."""
    matmul, gemm, einsum, mod, pad = (
        registry.get("", op_type, version)
        for op_type, version in (("MatMul", MATMUL), ("Gemm", GEMM), ("Einsum", EINSUM), ("Mod", MOD), ("Pad", PAD))
    )
    quantized_gemm = registry.get("com.microsoft", "QGemm", 1)
    assert matmul is not None and gemm is not None and einsum is not None and quantized_gemm is not None
    assert mod is not None and pad is not None

    def infer_fused_matmul(context: ShapeInferenceContext, node: ir.Node) -> None:
        """MatMul of the operands in the order that transBatch and trans say; the library leaves transBatch out."""
        try:
            check_attributes(node)
        except UnsizedError:
            return
        shapes = [None if value is None else value.shape for value in node.inputs]
        ordered = [
            None if shape is None else ir.Shape([shape[axis] for axis in order_of_axes(node, side, len(shape))])
            for side, shape in zip("AB", shapes, strict=True)
        ]
        stand_in = _stand_in(node, ordered)
        matmul(context, stand_in)
        _take_over(context, node, stand_in)

    def infer_fused_gemm(context: ShapeInferenceContext, node: ir.Node) -> None:
        """Gemm's rule."""
        try:
            check_attributes(node)
        except UnsizedError:
            return
        gemm(context, node)

    def infer_einsum(context: ShapeInferenceContext, node: ir.Node) -> None:
        """The library's rule, with axes of length 1 that another operand broadcasts; it takes the first it sees."""
        try:
            parsed = Einsum.of(node)
        except (UnsizedError, ModelError):
            einsum(context, node)
            return
        shapes = [
            ir.Shape(
                [_dim(parsed.lengths[letter]) if dim == 1 else dim for letter, dim in zip(letters, shape, strict=True)]
            )
            for letters, shape in zip(
                parsed.equation.terms, (value.shape for value in node.inputs if value), strict=True
            )
            if shape is not None
        ]
        stand_in = _stand_in(node, shapes)
        einsum(context, stand_in)
        _take_over(context, node, stand_in)

    def infer_quantized_gemm(context: ShapeInferenceContext, node: ir.Node) -> None:
        """The library's rule, and the type of the result's zero point, where there is one: it takes float always."""
        quantized_gemm(context, node)
        zero = node.inputs[8] if len(node.inputs) > 8 else None
        if zero is not None and zero.dtype is not None:
            node.outputs[0].type = ir.TensorType(zero.dtype)  # onnxruntime's quantizer declares float

    def infer_integer_matmul(context: ShapeInferenceContext, node: ir.Node) -> None:
        """MatMul's rule for the first two operands, and the type of the scale, or of the data that is quantized."""
        shapes = [None if value is None else value.shape for value in node.inputs[:2]]
        stand_in = ir.Node("", "MatMul", [ir.Value(shape=shape) for shape in shapes], name=node.name)
        matmul(context, stand_in)
        scale = node.inputs[2 if node.op_type == "MatMulIntegerToFloat" else 0]
        context.set_shape_and_dtype(node.outputs[0], stand_in.outputs[0].shape, None if scale is None else scale.dtype)

    def infer_mod(context: ShapeInferenceContext, node: ir.Node) -> None:
        """The library's rule, and the numbers, where they are sizes: it knows those of whole numbers alone."""
        mod(context, node)
        left, right = (None if value is None else context.get_symbolic_value(value) for value in node.inputs[:2])
        if left is None or right is None or "fmod" in node.attributes or len(right) not in (1, len(left)):
            return
        if all(isinstance(size, int) and size > 0 for size in right):
            every = right * len(left) if len(right) == 1 else right
            context.set_symbolic_value(node.outputs[0], [x % y for x, y in zip(left, every, strict=True)])

    def infer_pad(context: ShapeInferenceContext, node: ir.Node) -> None:
        """The library's rule, with amounts computed from sizes; it knows constant ones alone."""
        data, amounts = node.inputs[:2]
        pads = None if amounts is None else context.get_symbolic_value(amounts)
        if data is None or data.shape is None or pads is None or len(node.inputs) > 3:
            pad(context, node)
        elif len(pads) == 2 * len(data.shape):
            ends = zip(data.shape, pads, pads[len(data.shape) :], strict=False)
            context.set_shape_and_dtype(node.outputs[0], ir.Shape([dim + x + y for dim, x, y in ends]), data.dtype)

    registry.register("", "Mod", MOD)(infer_mod)
    registry.register("", "Pad", PAD)(infer_pad)
    for op_type in ("FusedMatMul", "TransposeMatMul", "FusedMatMulActivation"):
        registry.register("com.microsoft", op_type)(infer_fused_matmul)
    for op_type in ("DynamicQuantizeMatMul", "MatMulIntegerToFloat"):
        registry.register("com.microsoft", op_type)(infer_integer_matmul)
    registry.register("com.microsoft", "FusedGemm")(infer_fused_gemm)
    registry.register("com.microsoft", "QGemm")(infer_quantized_gemm)
    registry.register("", "Einsum", EINSUM)(infer_einsum)


def _stand_in(node: ir.Node, shapes: Sequence[ir.Shape | None]) -> ir.Node:
    """A node outside of any graph with what a rule reads: attributes, and operands of these shapes."""
    types = [value.type if value is not None else None for value in node.inputs]
    operands = [ir.Value(type=type_, shape=shape) for type_, shape in zip(types, shapes, strict=True)]
    return ir.Node("", node.op_type, operands, list(node.attributes.values()), name=node.name)


def _take_over(context: ShapeInferenceContext, node: ir.Node, stand_in: ir.Node) -> None:
    found = stand_in.outputs[0]
    context.set_shape_and_dtype(node.outputs[0], found.shape, found.dtype)


def _dim(length: int | str | None) -> int | ir.SymbolicDim:
    return length if isinstance(length, int) else ir.SymbolicDim(length)
