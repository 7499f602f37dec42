"""Write several products by packed weights out as one each: MatMulNBits of what's normalized, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, attribute_int, attribute_string, input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.operators.block_packing import Blocks
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.packed_weights import TYPES
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, type_refusals

FLOAT = ir.DataType.FLOAT
PARTS = {"MatMulNBitsMlp": ("gate", "up"), "MatMulNBitsQkv": ("Q", "K", "V")}
"""The products of each operator; the weights, scales and bias of the first are inputs 3 to 5, and so on."""
WIDTHS = {"gate": "N", "up": "N", "Q": "Nq", "K": "Nkv", "V": "Nkv"}


@dataclass(frozen=True)
class DecomposeProjections(Decompose):
    """Q, K, V = norm(A + skip) @ W + bias, and Y = silu(gate) * up of two such products, as onnxruntime documents it.

    For every MatMulNBitsMlp and MatMulNBitsQkv of which a product exceeds `max`. The products become MatMulNBits, which
    decompose-blockwise goes on with; norm(x) = x / sqrt(mean(x * x) + epsilon) * scale, in float32.
    """

    operators = lowered_by("decompose-projections")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node = product.node
        yield from type_refusals(product, TYPES)
        a, skip, scale = (input_of(node, index) for index in range(3))
        activation = attribute_string(node, "activation", "")
        if node.op_type == "MatMulNBitsMlp" and activation != "silu":
            yield Refusal("activation", f"activation is {activation!r}, which onnxruntime hasn't; take silu")
        if scale is None and (skip is not None or node.op_type == "MatMulNBitsQkv"):
            yield Refusal("inputs", "it has no norm_scale, without which it isn't said what is normalized")
        if a is None or a.shape is None:
            yield Refusal("unknown-shape", "the shape of its A isn't known; run infer-shapes first")
        if skip is not None and a is not None and (skip.shape is None or skip.shape != a.shape):
            yield Refusal("shape", "its skip isn't known to have A's shape; declare it so")
        for index, part in enumerate(PARTS[node.op_type]):
            yield from _weight_refusals(node, 3 + 3 * index, part, model)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, opset = product.node, product.opset or 0
        a = node.inputs[0]
        assert a is not None and a.shape is not None and a.dtype is not None
        x, total = _normalized(new, node, a, opset)
        results = []
        for index, part in enumerate(PARTS[node.op_type]):
            operands = [x, *(input_of(node, 3 + 3 * index + place) for place in (0, 1)), None, None]
            bias = input_of(node, 5 + 3 * index)
            operands = operands[:3] if bias is None else [*operands, bias]
            n = attribute_int(node, WIDTHS[part], 0)
            sizes = {"K": attribute_int(node, "K", 0), "N": n}
            sizes |= {name: attribute_int(node, name, default) for name, default in
                      (("bits", 4), ("block_size", 0), ("accuracy_level", 0))}  # fmt: skip
            shape = ir.Shape([*list(a.shape)[:-1], n])
            results.append(
                new.node("MatMulNBits", f"{part}_projected", operands, sizes, shape, a.dtype, "com.microsoft")
            )
            new.stand_in(f"/{part}")
        if node.op_type == "MatMulNBitsMlp":
            gate, up = results
            share = new.node("Sigmoid", "share", [gate], shape=gate.shape, dtype=a.dtype)
            silu = new.node("Mul", "silu", [gate, share], shape=gate.shape, dtype=a.dtype)
            results = [new.node("Mul", "gated", [silu, up], shape=gate.shape, dtype=a.dtype)]
        new.swap_in(*[*results, total][: len(node.outputs)])


def _weight_refusals(node: ir.Node, first: int, part: str, model: ir.Model) -> Iterator[Refusal]:
    """Yield why the weights of a product, the inputs from `first` on, can't be read."""
    tensors = [constant_tensor(input_of(node, first + place), declared_ir_version(model)) for place in (0, 1)]
    packed, scales = tensors
    if packed is None or scales is None:
        yield Refusal("not-constant", f"its {part} weights and scales aren't constants; make them initializers")
        return
    k, n, size = (attribute_int(node, name, 0) for name in ("K", WIDTHS[part], "block_size"))
    bits = attribute_int(node, "bits", 4)
    if bits not in (2, 4, 8) or size < 16 or size & (size - 1):
        yield Refusal("attribute", f"bits is {bits}, block_size {size}: take 4 or 8, and a power of two from 16 on")
        return
    for words in Blocks(k, n, bits, size, packed, scales, None).contradictions():
        yield Refusal("shape", f"of {part}, {words}; quantize the weight again")


def _normalized(new: Replacement, node: ir.Node, a: ir.Value, opset: int) -> tuple[ir.Value, ir.Value | None]:
    """Return what the products get, and A + skip where that's an output that somebody may read."""
    skip, scale = input_of(node, 1), input_of(node, 2)
    if scale is None:
        return a, None
    assert a.dtype is not None and a.shape is not None

    def wide(value: ir.Value, leaf: str) -> ir.Value:
        own = value.dtype in (FLOAT, None)
        return value if own else new.node("Cast", leaf, [value], {"to": FLOAT.value}, value.shape, FLOAT)

    def narrow(value: ir.Value, leaf: str) -> ir.Value:
        if a.dtype == FLOAT:
            return value
        return new.node("Cast", leaf, [value], {"to": a.dtype.value}, a.shape, a.dtype)  # type: ignore[union-attr]

    x = wide(a, "A_wide")
    if skip is not None:
        x = new.node("Add", "skipped", [x, wide(skip, "skip_wide")], shape=a.shape, dtype=FLOAT)
    last = len(PARTS[node.op_type]) if node.op_type == "MatMulNBitsQkv" else 1
    total = narrow(x, "skipped_sum") if last < len(node.outputs) and node.outputs[last].name else None
    square = new.node("Mul", "square", [x, x], shape=a.shape, dtype=FLOAT)
    if opset < 18:
        mean = new.node("ReduceMean", "mean_square", [square], {"axes": [-1], "keepdims": 1}, dtype=FLOAT)
    else:
        axes = new.constant("mean_axes", np.array([-1]), ir.DataType.INT64)
        mean = new.node("ReduceMean", "mean_square", [square, axes], {"keepdims": 1}, dtype=FLOAT)
    default = 1e-5 if node.op_type == "MatMulNBitsMlp" else 1e-6
    epsilon = new.constant("epsilon", np.array(attribute_float(node, "epsilon", default), np.float32), FLOAT)
    root = new.node("Sqrt", "root", [new.node("Add", "above_zero", [mean, epsilon], dtype=FLOAT)], dtype=FLOAT)
    unit = new.node("Div", "unit", [x, root], shape=a.shape, dtype=FLOAT)
    scaled = new.node("Mul", "normalized_wide", [unit, wide(scale, "scale_wide")], shape=a.shape, dtype=FLOAT)
    return narrow(scaled, "normalized"), total
