"""Rules for fused and quantized products, each built on a rule that onnx_shape_inference has for a similar operator."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.attributes import UnsizedError, input_of
from onnxtile.operators.fused import check_attributes, order_of_axes
from onnxtile.passes.shape_inference.rules import Extension, Rule

MATMUL, GEMM, CONV = 13, 13, 11
"""Versions of the operators whose rules are built on."""


def fused_matmul(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> None:
    """Take MatMul of the operands in the order that transBatch and trans say; the library leaves transBatch out."""
    try:
        check_attributes(node)
    except UnsizedError:
        return
    shapes = [None if value is None else value.shape for value in node.inputs]
    ordered = [
        None if shape is None else ir.Shape([shape[axis] for axis in order_of_axes(node, side, len(shape))])
        for side, shape in zip("AB", shapes, strict=True)
    ]
    infer_with(context, node, ordered, library)


def fused_gemm(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> None:
    """Take Gemm's rule."""
    try:
        check_attributes(node)
    except UnsizedError:
        return
    library(context, node)


def fused_convolution(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> None:
    """Take Conv's rule: an activation, and what is added before it, change no size."""
    library(context, node)


def quantized_gemm(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> None:
    """Take the library's rule, and the type of the result's zero point, where there is one: it takes float always."""
    library(context, node)
    zero = input_of(node, 8)
    if zero is not None and zero.dtype is not None:
        node.outputs[0].type = ir.TensorType(zero.dtype)  # onnxruntime's quantizer declares float


def integer_matmul(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> None:
    """Take MatMul's rule for the first two operands, and the type of the scale, or of the data that is quantized."""
    operands = [ir.Value(shape=None if value is None else value.shape) for value in node.inputs[:2]]
    matmul = ir.Node("", "MatMul", operands, name=node.name)
    library(context, matmul)
    scale = node.inputs[2 if node.op_type == "MatMulIntegerToFloat" else 0]
    context.set_shape_and_dtype(node.outputs[0], matmul.outputs[0].shape, None if scale is None else scale.dtype)


EXTENSIONS: dict[tuple[str, str], Extension] = {
    ("com.microsoft", "FusedMatMul"): (fused_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "TransposeMatMul"): (fused_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "FusedMatMulActivation"): (fused_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "DynamicQuantizeMatMul"): (integer_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "MatMulIntegerToFloat"): (integer_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "FusedGemm"): (fused_gemm, ("", "Gemm", GEMM)),
    ("com.microsoft", "FusedConv"): (fused_convolution, ("", "Conv", CONV)),
    ("com.microsoft", "QGemm"): (quantized_gemm, ("com.microsoft", "QGemm", 1)),
}


def infer_with(context: ShapeInferenceContext, node: ir.Node, shapes: Sequence[ir.Shape | None], library: Rule) -> None:
    """Give a node what the library infers where its operands have these shapes."""
    types = [value.type if value is not None else None for value in node.inputs]
    operands = [ir.Value(type=type_, shape=shape) for type_, shape in zip(types, shapes, strict=True)]
    stand_in = ir.Node("", node.op_type, operands, list(node.attributes.values()), name=node.name)
    library(context, stand_in)
    context.set_shape_and_dtype(node.outputs[0], stand_in.outputs[0].shape, stand_in.outputs[0].dtype)
