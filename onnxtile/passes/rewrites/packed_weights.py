"""Read the weights of products by packed blocks from their nodes."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int, input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import FLOATS
from onnxtile.operators.block_packing import FP4, NF4, Blocks, Codes
from onnxtile.operators.contractions import Contraction
from onnxtile.tiling.legality import Refusal

TYPES = [dtype for dtype in FLOATS if dtype != ir.DataType.DOUBLE]
INPUTS: dict[str, tuple[str, ...]] = {
    "MatMulNBits": ("A", "B", "scales", "zero_points", "g_idx", "bias"),
    "MatMulBnb4": ("A", "B", "absmax"),
}
_ATTRIBUTES = {
    "MatMulNBits": {"K", "N", "bits", "block_size", "accuracy_level", "weight_prepacked"},
    "MatMulBnb4": {"K", "N", "block_size", "quant_type", "transB", "training_mode"},
}


def weights_of(product: Contraction, model: ir.Model) -> Blocks | Codes | Refusal:
    """Return the weights of a product's node, or why they can't be read."""
    node = product.node
    unknown = [attribute.name for attribute in node.attributes.values() if not _is_known(attribute, node.op_type)]
    if unknown:
        return Refusal("attribute", f"its attribute {unknown[0]} isn't understood; leave it out if it says nothing")
    names, version = INPUTS[node.op_type], declared_ir_version(model)
    if len(node.inputs) > len(names) or len(node.inputs) < 3 or None in node.inputs[:3]:
        return Refusal("inputs", f"its inputs aren't {', '.join(names)}; the first three are needed")
    operands = {name: value for name, value in zip(names, node.inputs, strict=False) if value is not None}
    if "g_idx" in operands:
        return Refusal("g-idx", "it has g_idx, which is deprecated and read differently; quantize again without it")
    tensors = {name: constant_tensor(value, version) for name, value in operands.items() if name not in ("A", "bias")}
    for name, tensor in tensors.items():
        if tensor is None:
            return Refusal("not-constant", f"its {name} isn't a constant; make it an initializer that isn't an input")
    packed, scales, zeros = tensors["B"], tensors[names[2]], tensors.get("zero_points")
    assert packed is not None and scales is not None
    if scales.dtype != product.dtype:
        return Refusal("dtype", f"its {names[2]} and A are of different types; give both the same")
    choices = {"bits": (2, 4, 8), "weight_prepacked": (0,), "quant_type": (0, 1), "transB": (1,)}
    for name, values in choices.items():
        if attribute_int(node, name, values[-1] if name != "bits" else 4) not in values:
            why = f"{name} is {attribute_int(node, name, 0)}, which isn't supported"
            return Refusal("attribute", f"{why}; it must be {' or '.join(map(str, values))}")
    block_size, (k, n) = attribute_int(node, "block_size", 0), (attribute_int(node, name, 0) for name in "KN")
    if block_size < 16 or block_size & (block_size - 1):
        return Refusal("attribute", f"block_size is {block_size}; it must be a power of two, 16 or more")
    table = NF4 if attribute_int(node, "quant_type", 0) else FP4
    weights = (
        Codes(k, n, block_size, table, packed, scales)
        if node.op_type == "MatMulBnb4"
        else Blocks(k, n, attribute_int(node, "bits", 4), block_size, packed, scales, zeros)
    )
    for words in weights.contradictions():
        return Refusal("shape", f"{words}; quantize the weight again")
    a, bias = node.inputs[0], bias_of(node)
    if a is None or a.shape is None:
        return Refusal("unknown-shape", "the shape of its A isn't known")
    if bias is not None and (bias.shape is None or list(bias.shape) != [n] or bias.dtype != a.dtype):
        return Refusal("shape", f"its bias isn't known to be {n} elements of A's type; declare it so")
    return weights


def _is_known(attribute: ir.Attr, op_type: str) -> bool:
    named = attribute.name in _ATTRIBUTES[op_type]
    return named and not attribute.is_ref() and attribute.type == ir.AttributeType.INT


def bias_of(node: ir.Node) -> ir.Value | None:
    return input_of(node, 5)
