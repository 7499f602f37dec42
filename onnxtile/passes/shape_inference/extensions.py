"""Rules for fused and quantized products, each built on a rule that onnx_shape_inference has for a similar operator."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.attributes import UnsizedError, attribute_int, input_of
from onnxtile.operators.fused import check_attributes, order_of_axes
from onnxtile.passes.shape_inference.rules import Extension, Rule, pool

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


def quantized_pool(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> None:
    """Take the pool's rule, channels last too; the library takes the input's shape."""
    x = input_of(node, 0)
    shape, last = None if x is None else x.shape, attribute_int(node, "channels_last", 0)
    if x is None or shape is None or len(shape) < 3:
        return
    data = ir.Value(type=x.type, shape=ir.Shape([shape[0], shape[-1], *shape[1:-1]]) if last else shape)
    attributes = [attribute for attribute in node.attributes.values() if attribute.name != "channels_last"]
    stand_in = ir.Node("", node.op_type.removeprefix("QLinear"), [data], attributes, name=node.name)
    if stand_in.op_type == "AveragePool":
        pool(context, stand_in, library)
    else:
        library(context, stand_in)
    made = stand_in.outputs[0].shape
    if made is not None and last:
        made = ir.Shape([made[0], *made[2:], made[1]])
    context.set_shape_and_dtype(node.outputs[0], made, x.dtype)


def quantized_reduction(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> None:
    """Take the rule of ReduceMean with an attribute for axes; the library takes the input's shape."""
    x = input_of(node, 0)
    stand_in = ir.Node("", "ReduceMean", [x], list(node.attributes.values()), name=node.name)
    library(context, stand_in)
    context.set_shape_and_dtype(node.outputs[0], stand_in.outputs[0].shape, None if x is None else x.dtype)


EXTENSIONS: dict[tuple[str, str], Extension] = {
    ("com.microsoft", "FusedMatMul"): (fused_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "TransposeMatMul"): (fused_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "FusedMatMulActivation"): (fused_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "DynamicQuantizeMatMul"): (integer_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "MatMulIntegerToFloat"): (integer_matmul, ("", "MatMul", MATMUL)),
    ("com.microsoft", "FusedGemm"): (fused_gemm, ("", "Gemm", GEMM)),
    ("com.microsoft", "FusedConv"): (fused_convolution, ("", "Conv", CONV)),
    ("com.microsoft", "QGemm"): (quantized_gemm, ("com.microsoft", "QGemm", 1)),
    ("com.microsoft", "QLinearAveragePool"): (quantized_pool, ("", "AveragePool", 11)),
    ("com.microsoft", "QLinearGlobalAveragePool"): (quantized_pool, ("", "GlobalAveragePool", 1)),
    ("com.microsoft", "QLinearReduceMean"): (quantized_reduction, ("", "ReduceMean", 13)),
}


def infer_with(context: ShapeInferenceContext, node: ir.Node, shapes: Sequence[ir.Shape | None], library: Rule) -> None:
    """Give a node what the library infers where its operands have these shapes."""
    types = [value.type if value is not None else None for value in node.inputs]
    operands = [ir.Value(type=type_, shape=shape) for type_, shape in zip(types, shapes, strict=True)]
    stand_in = ir.Node("", node.op_type, operands, list(node.attributes.values()), name=node.name)
    library(context, stand_in)
    context.set_shape_and_dtype(node.outputs[0], stand_in.outputs[0].shape, stand_in.outputs[0].dtype)
