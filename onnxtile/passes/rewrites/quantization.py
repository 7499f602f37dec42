"""Quantized operands: real = scale * (integer - zero point), one of each, or one a row of A, or a column of B."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import read_array
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import BYTES
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.passes.rewrites.arithmetic import Arithmetic, Term
from onnxtile.tiling.legality import Refusal

INT32 = ir.DataType.INT32


@dataclass(frozen=True)
class Quantized:
    """An operand of a product, or its result: integers, scale, zero point. `letter` is A, B or Y."""

    letter: str
    value: ir.Value | None
    scale: ir.Value | None = None
    zero: ir.Value | None = None

    def parameter(self, fold: Arithmetic, value: ir.Value, leaf: str) -> Term:
        """Return a scale or zero point that broadcasts over the product: a number, or one a row of A or column of B."""
        term, dtype = fold.term(value), value.dtype
        assert value.shape is not None and dtype is not None
        sizes = list(value.shape.numpy())
        if not sizes or (len(sizes) > 1 and any(size != 1 for size in sizes)):
            return term
        if all(size == 1 for size in sizes):
            return fold.reshape(term, f"{leaf}_number", [], dtype)
        return fold.reshape(term, f"{leaf}_rows", [*sizes, 1], dtype) if self.letter == "A" else term

    def refusals(self, length: Dim, model: ir.Model) -> Iterator[Refusal]:
        """Yield how parameters contradict each other or the operand. `length`: rows of A, columns of B, 1 for Y."""
        if self.zero is not None and self.value is not None and self.zero.dtype != self.value.dtype:
            words = f"{self.letter}'s zero point {self.zero.name!r} is of another type than {self.letter}"
            yield Refusal("quantization", f"{words}; give it the same")
        for parameter, value in (("scale", self.scale), ("zero point", self.zero)):
            if value is None:
                continue
            named = f"{self.letter}'s {parameter} {value.name!r}"
            if value.shape is None or not all(isinstance(size, int) for size in value.shape):
                yield Refusal("unknown-shape", f"the shape of {named} isn't known")
                continue
            sizes = [size for size in value.shape.numpy() if size != 1]
            if len(sizes) > 1 or (len(value.shape) > 1 and sizes) or (sizes and sizes[0] != length):
                words = f"{named} has shape {list(value.shape)}; one number, or {length}, are lowered"
                yield Refusal("quantization", words)
        if self.scale is None:
            return
        named = f"{self.letter}'s scale {self.scale.name!r}"
        if self.scale.dtype != ir.DataType.FLOAT:
            yield Refusal("dtype", f"{named} isn't float; only that is lowered")
        tensor = constant_tensor(self.scale, declared_ir_version(model))
        numbers = np.ones(1) if tensor is None else read_array(tensor)
        if not (np.isfinite(numbers) & (numbers > 0)).all():
            yield Refusal("quantization", f"{named} isn't positive; mend the model")


def integer_refusals(sides: tuple[Quantized, ...]) -> Iterator[Refusal]:
    """Yield why integers can't be multiplied: their types, or a vector among them."""
    for side in sides:
        dtype = None if side.value is None else side.value.dtype
        if dtype not in BYTES:
            yield Refusal("dtype", "its type isn't known" if dtype is None else f"{dtype.name} isn't tiled")
        if side.value is not None and side.value.shape is not None and len(side.value.shape) < 2:
            yield Refusal("vector", f"{side.letter} is a vector, which isn't lowered here; make it a matrix")


def integer_product(fold: Arithmetic, a: Quantized, b: Quantized, shape: ir.Shape | None) -> ir.Value:
    """Add (A - zA) @ (B - zB) in int32: MatMulInteger of the integers as they are, less what zero points add."""
    assert a.value is not None and b.value is not None and a.value.shape is not None and b.value.shape is not None
    # both are K, and a model may say it of one operand alone; of which is what legality made sure
    lengths = (a.value.shape[-1], b.value.shape[-2])
    depth = np.array(next(length for length in lengths if isinstance(length, int)), np.int32)
    return product_less_zeros(fold, (a.value, b.value), (_zero_point(fold, a), _zero_point(fold, b)), depth, shape)


def product_less_zeros(
    fold: Arithmetic, operands: tuple[ir.Value, ir.Value], zeros: tuple[Term | None, Term | None], depth: np.ndarray,
    shape: ir.Shape | None,
) -> ir.Value:  # fmt: skip
    """Add (A - zA) @ (B - zB) in int32, zero points in int32 (None: 0) that broadcast over the product.

    The product of the integers as they are, less what zero points add: zA a column of B, zB a row of A. `depth`: K.
    """
    (a, b), (a_zero, b_zero) = operands, zeros
    total: Term = fold.new.node("MatMulInteger", "product", [a, b], shape=shape, dtype=INT32)
    if a_zero is not None:
        columns = fold.sum(fold.cast(fold.term(b), "b_wide", INT32), "columns", -2, INT32)
        if b_zero is not None:
            columns = fold.of("Sub", "columns_off", columns, fold.of("Mul", "b_zeros", b_zero, depth, INT32), INT32)
        total = fold.of("Sub", "less_a", total, fold.of("Mul", "a_share", columns, a_zero, INT32), INT32)
    if b_zero is not None:
        rows = fold.sum(fold.cast(fold.term(a), "a_wide", INT32), "rows", -1, INT32)
        total = fold.of("Sub", "less_b", total, fold.of("Mul", "b_share", rows, b_zero, INT32), INT32)
    assert isinstance(total, ir.Value)
    return total


def _zero_point(fold: Arithmetic, side: Quantized) -> Term | None:
    """Return the zero points in int32, or None where they are 0."""
    if side.zero is None:
        return None
    leaf = f"{side.letter.lower()}_zero"
    term = fold.cast(side.parameter(fold, side.zero, leaf), f"{leaf}_wide", INT32)
    return None if isinstance(term, np.ndarray) and not term.any() else term


def rescaled(fold: Arithmetic, total: ir.Value, scale: Term, y: Quantized) -> ir.Value:
    """Add quantize(scale / sY * total), rounded once; the product's real value where Y has no scale.

    The factor is one float, and the last step divides by 1: so does onnxruntime's requantization, bit by bit.
    """
    real = fold.new.node("Cast", "real", [total], {"to": ir.DataType.FLOAT.value}, total.shape, ir.DataType.FLOAT)
    if y.scale is not None:
        scale = fold.of("Div", "scale", scale, y.parameter(fold, y.scale, "y_scale"), ir.DataType.FLOAT)
    scaled = fold.of("Mul", "scaled", real, scale, ir.DataType.FLOAT)
    assert isinstance(scaled, ir.Value)
    if y.scale is None or y.zero is None or y.zero.dtype is None:
        return scaled
    one = fold.new.constant("one", np.array(1, np.float32), ir.DataType.FLOAT)
    zero = fold.value(y.parameter(fold, y.zero, "y_zero"), "y_zero", y.zero.dtype)
    return fold.new.node("QuantizeLinear", "quantized", [scaled, one, zero], shape=total.shape, dtype=y.zero.dtype)
