"""Write products of quantized numbers out as MatMulInteger, int32 arithmetic, and one requantization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, attribute_int
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.arithmetic import Arithmetic
from onnxtile.passes.rewrites.quantization import INT32, Quantized, integer_product, integer_refusals, rescaled
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal

FLOAT = ir.DataType.FLOAT
_INPUTS: dict[str, tuple[dict[str, tuple[int, ...]], int | None]] = {
    # indices of inputs: integers, scale and zero point of A, B and Y (9: none), and the bias
    "MatMulInteger": ({"A": (0, 9, 2), "B": (1, 9, 3), "Y": (9, 9, 9)}, None),
    "QLinearMatMul": ({"A": (0, 1, 2), "B": (3, 4, 5), "Y": (9, 6, 7)}, None),
    "QGemm": ({"A": (0, 1, 2), "B": (3, 4, 5), "Y": (9, 7, 8)}, 6),
    "MatMulIntegerToFloat": ({"A": (0, 2, 4), "B": (1, 3, 5), "Y": (9, 9, 9)}, 6),
    "DynamicQuantizeMatMul": ({"A": (0, 9, 9), "B": (1, 2, 3), "Y": (9, 9, 9)}, 4),
}


_FACTORS = {"alpha", "transA", "transB"}


@dataclass(frozen=True)
class DecomposeQuantized(Decompose):
    """Y = quantize(sA * sB / sY * (A - zA) @ (B - zB)), for every quantized product that exceeds `max`.

    The product is MatMulInteger without zero points; what they add is taken off in int32, where it's exact:
    (A - zA) @ (B - zB) = A @ B - zA * (sums of B's columns - K * zB) - (sums of A's rows) * zB. It's requantized once.
    QLinearMatMul, QGemm, MatMulIntegerToFloat, DynamicQuantizeMatMul, and MatMulInteger with zero points.
    """

    operators = lowered_by("decompose-quantized")

    def concerns(self, node: ir.Node, model: ir.Model) -> bool:
        """Return whether the node is a quantized product; MatMulInteger without zero points is left to tile-matmul."""
        return super().concerns(node, model) and (node.op_type != "MatMulInteger" or any(node.inputs[2:]))

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        for name in sorted(product.node.attributes.keys() - (_FACTORS if product.node.op_type == "QGemm" else set())):
            yield Refusal("attribute", f"{product.node.op_type} has no attribute {name!r}; remove it")
        a, b, y = _operands(product.node)
        dynamic = product.node.op_type == "DynamicQuantizeMatMul"
        yield from integer_refusals((b,) if dynamic else (a, b))
        if dynamic and product.opset is not None and product.opset < 11:
            yield Refusal("opset", f"opset {product.opset} lacks DynamicQuantizeLinear, which 11 has")
        if not isinstance(product.size.k, int):
            yield Refusal("symbolic-k", f"K is {product.size.k}, and what zero points add depends on it; bind it")
        for side, length in ((a, product.size.m), (b, product.size.n), (y, 1)):
            yield from side.refusals(length, model)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, fold = product.node, Arithmetic(new, model, product.opset or 0)
        a, b, y = _operands(node)
        bias = _input(node, _INPUTS[node.op_type][1])
        if node.op_type == "DynamicQuantizeMatMul":
            a = _quantize(new, a)
        a, b = _transposed(new, a, node, "transA"), _transposed(new, b, node, "transB")
        total = integer_product(fold, a, b, node.outputs[0].shape)
        if a.scale is None or b.scale is None:
            new.swap_in(total)
            return
        if node.op_type == "QGemm" and bias is not None:
            total, bias = new.node("Add", "biased", [total, bias], shape=total.shape, dtype=INT32), None
        scale = a.parameter(fold, a.scale, "a_scale")
        alpha = attribute_float(node, "alpha", 1.0)
        if alpha != 1:
            scale = fold.of("Mul", "alpha", np.array(alpha, np.float32), scale, FLOAT)
        scale = fold.of("Mul", "scales", scale, b.parameter(fold, b.scale, "b_scale"), FLOAT)
        result = rescaled(fold, total, scale, y)
        if bias is not None:
            result = new.node("Add", "biased", [result, bias], shape=total.shape, dtype=FLOAT)
        new.swap_in(result)


def _input(node: ir.Node, index: int | None) -> ir.Value | None:
    return node.inputs[index] if index is not None and index < len(node.inputs) else None


def _operands(node: ir.Node) -> tuple[Quantized, Quantized, Quantized]:
    indices = _INPUTS[node.op_type][0]
    a, b, y = (Quantized(letter, *(_input(node, index) for index in indices[letter])) for letter in "ABY")
    return a, b, y


def _quantize(new: Replacement, a: Quantized) -> Quantized:
    """Quantize A by its own range, at run time."""
    assert a.value is not None
    value = new.node("DynamicQuantizeLinear", "a_bytes", [a.value], shape=a.value.shape, dtype=ir.DataType.UINT8)
    new.nodes[-1].resize_outputs(3)
    _, scale, zero = new.nodes[-1].outputs
    scale.name, scale.type, scale.shape = f"{new.prefix}/a_scale", ir.TensorType(FLOAT), ir.Shape([])
    zero.name, zero.type, zero.shape = f"{new.prefix}/a_zero", ir.TensorType(ir.DataType.UINT8), ir.Shape([])
    return Quantized("A", value, scale, zero)


def _transposed(new: Replacement, side: Quantized, node: ir.Node, attribute: str) -> Quantized:
    if not attribute_int(node, attribute, 0) or side.value is None:
        return side
    return replace(side, value=new.transpose(f"{side.letter}_transposed", side.value, [1, 0]))
