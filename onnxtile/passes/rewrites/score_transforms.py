"""Write the transforms of scores (post_transform) of linear models of ai.onnx.ml as operators of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_string
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal

TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
FLOAT = ir.DataType.FLOAT
WHERE_FROM = 9
"""The version of the default operator set that brought Where and Sign."""


def transform_of(node: ir.Node) -> str:
    return attribute_string(node, "post_transform", "NONE")


def transform_refusals(node: ir.Node, columns: int, opset: int) -> Iterator[Refusal]:
    """Yield why scores of so many columns can't be transformed as the node says."""
    name = transform_of(node)
    if name not in TRANSFORMS:
        words = f"post_transform is {name!r}, which ai.onnx.ml doesn't have; take one of {', '.join(TRANSFORMS)}"
        yield Refusal("post-transform", words)
    if name in ("SOFTMAX_ZERO", "PROBIT") and opset < WHERE_FROM:
        yield Refusal("opset", f"opset {opset} has no Where or Sign; convert to {WHERE_FROM} or newer")
    if columns == 1 and name != "NONE":
        words = f"post_transform {name} of one score, which onnxruntime leaves out"
        yield Refusal("post-transform", f"{words}; take NONE, and an operator for the transform")


def transformed(new: Replacement, scores: ir.Value, name: str, opset: int) -> ir.Value:
    """Add post_transform(scores), of [rows, columns]."""
    if name == "LOGISTIC":
        return new.node("Sigmoid", "transformed", [scores], shape=scores.shape, dtype=FLOAT)
    if name == "SOFTMAX":
        return new.node("Softmax", "transformed", [scores], {"axis": 1}, scores.shape, FLOAT)
    if name == "SOFTMAX_ZERO":
        return _softmax_zero(_Floats(new), scores, opset)
    return _probit(_Floats(new), scores) if name == "PROBIT" else scores


class _Floats:
    """Adds operators on floats; a number among the operands becomes a constant."""

    def __init__(self, new: Replacement) -> None:
        self.new = new

    def __call__(self, op_type: str, leaf: str, *operands: ir.Value | float, dtype: ir.DataType = FLOAT) -> ir.Value:
        values = [
            value if isinstance(value, ir.Value) else self.new.constant(f"{leaf}_{index}", np.array(value, "f4"), FLOAT)
            for index, value in enumerate(operands)
        ]
        return self.new.node(op_type, leaf, values, dtype=dtype)


def _softmax_zero(add: _Floats, x: ir.Value, opset: int) -> ir.Value:
    """Add the softmax of scores that aren't 0: exp(x - largest), or x * exp(-largest), over the sum of the former."""
    new = add.new
    axes = [new.constant("axes", np.array([1]), ir.DataType.INT64)]
    largest = (
        new.node("ReduceMax", "largest", [x, *axes], {"keepdims": 1}, dtype=FLOAT)
        if opset >= 18
        else new.node("ReduceMax", "largest", [x], {"axes": [1], "keepdims": 1}, dtype=FLOAT)
    )
    counts = add("Greater", "counts", add("Abs", "magnitude", x), 1e-7, dtype=ir.DataType.BOOL)
    powers = add("Exp", "powers", add("Sub", "below", x, largest))
    counted = add("Where", "counted", counts, powers, 0.0)
    total = (
        new.node("ReduceSum", "score_total", [counted, *axes], {"keepdims": 1}, dtype=FLOAT)
        if opset >= 13
        else new.node("ReduceSum", "score_total", [counted], {"axes": [1], "keepdims": 1}, dtype=FLOAT)
    )
    small = add("Mul", "small", x, add("Exp", "unit", add("Neg", "negative", largest)))
    return add("Div", "transformed", add("Where", "score_parts", counts, powers, small), total)


def _probit(add: _Floats, x: ir.Value) -> ir.Value:
    """Add sqrt(2) * erfinv(2 x - 1) by Winitzki's approximation, as onnxruntime has it (ml_common.h)."""
    centred = add("Sub", "centred", add("Mul", "doubled", x, 2.0), 1.0)
    inner = add("Mul", "inner", add("Sub", "right", 1.0, centred), add("Add", "left", centred, 1.0))
    log = add("Log", "log", inner)
    half = add("Add", "half", add("Mul", "half_log", log, 0.5), 2 / (3.14159 * 0.147))
    root = add("Sqrt", "root", add("Sub", "under", add("Mul", "square", half, half), add("Mul", "far", log, 1 / 0.147)))
    size = add("Sqrt", "size", add("Sub", "difference", root, half))
    is_left = add("Less", "is_left", centred, 0.0, dtype=ir.DataType.BOOL)
    return add("Mul", "transformed", add("Where", "sign", is_left, -1.41421356, 1.41421356), size)
