"""Write onnxruntime's fused products out: Y = activation(alpha * (A' @ B') + beta * C)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import FLOATS
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.fused import ATTRIBUTES, order_of_axes
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.activations import activated, activation_refusals, fast_gelu
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.scaled_product import factor_refusals, scaled_product
from onnxtile.tiling.legality import Refusal, type_refusals

GEMM = ("transA", "transB", "alpha", "beta")
"""Attributes that FusedGemm has in common with Gemm."""
BFLOAT16_FROM, NO_BIAS_FROM = 13, 11
"""Versions of the default operator set that brought MatMul of bfloat16, and Gemm without C."""


@dataclass(frozen=True)
class DecomposeFused(Decompose):
    """Y = activation(alpha * (A' @ B') + beta * C), for every fused product of onnxruntime's that exceeds `max`.

    FusedMatMul becomes Transpose, MatMul and Mul, as decompose-gemm has it; FusedGemm becomes Gemm, which
    decompose-gemm goes on with, and its activation. FusedMatMulActivation and GemmFastGelu, which onnxruntime runs on
    GPUs only, are what its documentation says.
    """

    operators = lowered_by("decompose-fused")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node, opset = product.node, product.opset or 0
        for name in sorted(node.attributes.keys() - ATTRIBUTES[node.op_type].keys()):
            yield Refusal("attribute", f"{node.op_type} has no attribute {name!r}; remove it")
        yield from type_refusals(product, FLOATS)
        if product.reason:
            return
        yield from factor_refusals(product, "alpha", *["beta"] * (node.op_type == "FusedGemm"))
        if product.dtype == ir.DataType.BFLOAT16 and opset < BFLOAT16_FROM:
            yield Refusal("dtype", f"opset {opset} has no MatMul of BFLOAT16; convert to {BFLOAT16_FROM} or newer")
        if node.op_type == "FusedMatMulActivation":
            yield from activation_refusals(node, opset)
        if node.op_type == "FusedGemm":
            yield from _gemm_refusals(node, opset)
        elif _is_vector(node.inputs[1]) and not _is_vector(node.inputs[0]) and order_of_axes(node, "A", 2) != [0, 1]:
            words = "transA with a vector for B, where onnxruntime doesn't do what its documentation says"
            yield Refusal("vector", f"{words}; make B a matrix of one column")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node = product.node
        a, b = node.inputs[:2]
        assert a is not None and b is not None
        if node.op_type == "FusedGemm":
            attributes = {name: value.value for name, value in node.attributes.items() if name in GEMM}
            operands = [value for value in node.inputs if value is not None]
            y = new.node("Gemm", "gemm", operands, attributes, node.outputs[0].shape)
            new.stand_in()
            new.swap_in(activated(new, y, node))
            return
        of_a = constant_tensor(a, declared_ir_version(model)) is None
        a, b = (
            new.transpose(f"{side}_transposed", value, order_of_axes(node, side, len(value.shape or ())))
            for side, value in (("A", a), ("B", b))
        )
        alpha = attribute_float(node, "alpha", 1.0)
        y = scaled_product(new, a, b, alpha, node.outputs[0].shape, of_a)
        if node.op_type == "FusedMatMulActivation":
            y = activated(new, y, node)
        if node.op_type == "GemmFastGelu":
            bias = input_of(node, 2)
            y = fast_gelu(new, y if bias is None else new.node("Add", "biased", [y, bias], shape=y.shape))
        new.swap_in(y)


def _gemm_refusals(node: ir.Node, opset: int) -> Iterator[Refusal]:
    yield from activation_refusals(node, opset)
    if opset < NO_BIAS_FROM and (len(node.inputs) < 3 or node.inputs[2] is None):
        yield Refusal("opset", f"opset {opset} has no Gemm without C; convert to {NO_BIAS_FROM} or newer")


def _is_vector(value: ir.Value | None) -> bool:
    return value is not None and value.shape is not None and len(value.shape) == 1
