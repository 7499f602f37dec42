"""Write products between DequantizeLinear and QuantizeLinear out as products of the integers themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, attribute_int, input_of
from onnxtile.ir.constants import declared_ir_version
from onnxtile.ir.dtypes import BYTES
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.arithmetic import Arithmetic
from onnxtile.passes.rewrites.qdq import (
    LONGEST,
    drop_idle,
    integer_bias,
    means_more,
    only_reader,
    producer_of,
    with_quantized_types,
)
from onnxtile.passes.rewrites.quantization import INT32, Quantized, integer_product, integer_refusals, rescaled
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal


@dataclass(frozen=True)
class DecomposeQdq(Decompose):
    """Q(DQ(A) @ DQ(B) + DQ(C)) = quantize(sA * sB / sY * ((A - zA) @ (B - zB) + C)), for MatMul and Gemm over `max`.

    That's what onnxruntime makes of them, and how integer engines compute them: exact, and rounded once. C's scale has
    to be sA * sB. A product whose DequantizeLinears or QuantizeLinear can't be taken so is cut as one of floats.
    """

    operators = lowered_by("tile-matmul") | lowered_by("decompose-gemm")

    def concerns(self, node: ir.Node, model: ir.Model) -> bool:
        """Return whether the node matches, K is known to be short enough, and nothing speaks against its parameters."""
        match = match_qdq(node, declared_ir_version(model)) if super().concerns(node, model) else None
        if match is None:
            return False
        a, b, y = match.a, match.b, match.y
        lengths = (1, _length(b.value, -2 if match.transposed[1] else -1), 1)
        reasons = (side.refusals(length, model) for side, length in zip((a, b, y), lengths, strict=True))
        depth, most = (
            _length(a.value, -2 if match.transposed[0] else -1),
            LONGEST if match.bias is None else LONGEST // 2,
        )
        fits = depth is not None and depth <= most and y.zero is not None and y.zero.dtype in BYTES
        return fits and not any(chain(integer_refusals((a, b)), *reasons))

    def refusals(self, product: Contraction, model: ir.Model) -> Iterable[Refusal]:
        return ()

    def as_multiplied(self, product: Contraction) -> Contraction:
        return with_quantized_types(product)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, fold = product.node, Arithmetic(new, model, product.opset or 0)
        match = match_qdq(node, declared_ir_version(model))
        assert match is not None and match.a.scale is not None and match.b.scale is not None
        dequantized, (quantize,) = dict.fromkeys(node.inputs), node.outputs[0].consumers()
        a, b = (
            replace(side, value=new.transpose(f"{side.letter}_transposed", side.value, [1, 0]))
            if transposed and side.value is not None else side
            for side, transposed in zip((match.a, match.b), match.transposed, strict=True)
        )  # fmt: skip
        total = integer_product(fold, a, b, node.outputs[0].shape)
        if match.bias is not None:
            total = fold.new.node("Add", "biased", [total, match.bias], shape=total.shape, dtype=INT32)
        scale = a.parameter(fold, match.a.scale, "a_scale"), b.parameter(fold, match.b.scale, "b_scale")
        scales = fold.of("Mul", "scales", *scale, ir.DataType.FLOAT)
        new.swap_in(rescaled(fold, total, scales, match.y), last=quantize)
        drop_idle(dequantized)


@dataclass(frozen=True)
class Match:
    """A product of A by B, with a bias in int32, that Y is quantized from; `transposed`: A and B are read so."""

    a: Quantized
    b: Quantized
    y: Quantized
    transposed: tuple[bool, bool] = (False, False)
    bias: ir.Value | None = None


def match_qdq(node: ir.Node, version: int) -> Match | None:
    """Match Q(DQ(A) @ DQ(B)): a MatMul, or a Gemm without factors, read by one QuantizeLinear alone.

    A, B and the result have one scale or one a row or column, and no attributes that mean more; a bias is a DQ(C), one
    number a column. `version`: the IR's.
    """
    a, b = (producer_of(value, "DequantizeLinear") for value in node.inputs[:2])
    y = only_reader(node.outputs[0], "QuantizeLinear")
    if a is None or b is None or y is None or any(attribute_float(node, name, 1.0) != 1 for name in ("alpha", "beta")):
        return None
    flags = (bool(attribute_int(node, "transA", 0)), bool(attribute_int(node, "transB", 0)))
    sides = (
        _quantized("A", a, a.inputs[0]), _quantized("B", b, b.inputs[0], 0 if flags[1] else None),
        _quantized("Y", y, y.outputs[0]),
    )  # fmt: skip
    if sides[0] is None or sides[1] is None or sides[2] is None:
        return None
    value = input_of(node, 2)
    bias = None if value is None else integer_bias(value, (sides[0].scale, sides[1].scale), version)
    columns = _length(b.inputs[0], 0 if flags[1] else -1)
    if value is not None and (bias is None or _length(bias, -1) != columns or bias.shape is None or columns is None):
        return None
    if bias is not None and bias.shape is not None and any(size != 1 for size in list(bias.shape)[:-1]):
        return None
    return Match(*sides, flags, bias)  # type: ignore[arg-type]  # None is excluded


def _length(value: ir.Value | None, axis: int) -> int | None:
    """Return the size along an axis, where it's a number."""
    size = None if value is None or value.shape is None or not len(value.shape) else value.shape[axis]
    return size if isinstance(size, int) else None


def _quantized(letter: str, node: ir.Node, integers: ir.Value | None, along: int | None = None) -> Quantized | None:
    """Return an operand; its scales go along the last axis, or `along`."""
    _, scale, zero = (*node.inputs, None)[:3]
    rank = len(integers.shape) if integers is not None and integers.shape is not None else 0
    axis = attribute_int(node, "axis", 1)
    there = (axis + rank if axis < 0 else axis) == (rank - 1 if along is None else along)
    if scale is None or scale.shape is None or (list(scale.shape) not in ([], [1]) and not there):
        return None
    return None if means_more(node) else Quantized(letter, integers, scale, zero)
