"""Products of DynamicQuantizeLSTM: what they multiply is quantized by its own range at run time, as onnxruntime does.

X of all steps has one range; the state has one in each step, of all sequences, as in onnxruntime with one thread (with
several it takes rows in groups). Weights are constants: real = scale * (integer - zero point), of all, or of a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import read_array
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import BYTES
from onnxtile.passes.rewrites.axes import Axes
from onnxtile.passes.rewrites.recurrent_node import Recurrent
from onnxtile.passes.rewrites.recurrent_weights import DirectionWeights
from onnxtile.tiling.legality import Refusal

FLOAT, INT32 = ir.DataType.FLOAT, ir.DataType.INT32
DYNAMIC_FROM = 11
"""The version of the default operator set that brought DynamicQuantizeLinear."""
_INPUTS = {"W": (1, 8, 9), "R": (2, 10, 11)}
"""Indices of a weight, its scale and its zero point."""


@dataclass(frozen=True)
class _Corrections:
    """Hold what makes a product of bytes a real one: sums of columns, the weight's zero points (None: 0), its scale."""

    columns: ir.Value
    zero: ir.Value | None
    scale: ir.Value


class QuantizedWeights(DirectionWeights):
    """Weights of a direction in bytes."""

    def __init__(self, of: Recurrent, direction: int, axes: Axes, model: ir.Model) -> None:
        self._corrections: dict[ir.Value, _Corrections] = {}
        super().__init__(of, direction, axes, model)

    def _matrix(self, leaf: str, index: int, rows: object, start: int, stop: int) -> ir.Value:
        weight = super()._matrix(leaf, index, rows, start, stop)
        numbers, scale, zero = (self._row(place) for place in _INPUTS["W" if index == 1 else "R"])
        zero = zero.astype(np.int32)
        columns = numbers.sum(0, dtype=np.int32) - np.int32(len(numbers)) * zero
        self._corrections[weight] = _Corrections(
            self.new.constant(f"{leaf}_columns", columns, INT32),
            self.new.constant(f"{leaf}_zero", zero, INT32) if zero.any() else None,
            self.new.constant(f"{leaf}_scale", scale, FLOAT),
        )
        return weight

    def _row(self, index: int) -> np.ndarray:
        """Return the direction's part of a constant input."""
        tensor = constant_tensor(self.of.input(index), self._version)
        assert tensor is not None
        return np.asarray(read_array(tensor)[self._direction])

    def _product(self, leaf: str, x: ir.Value, weight: ir.Value) -> ir.Value:
        """Add the product of what is quantized now and a weight, in float."""
        new, own = self.new, self._corrections[weight]
        assert x.shape is not None and weight.shape is not None
        shape = ir.Shape([*x.shape[:-1], weight.shape[-1]])
        with new.within(leaf):
            bytes_, scale, zero = self._quantized(x)
            total = new.node("MatMulInteger", "product", [bytes_, weight], None, shape, INT32)
            new.stand_in("/product")
            wide = new.node("Cast", "zero_wide", [zero], {"to": INT32.value}, zero.shape, INT32)
            share = new.node("Mul", "x_share", [own.columns, wide], dtype=INT32)
            total = new.node("Sub", "less_x", [total, share], None, shape, INT32)
            if own.zero is not None:
                rows = self.arithmetic.sum(
                    new.node("Cast", "x_wide", [bytes_], {"to": INT32.value}, x.shape, INT32), "rows", -1, INT32
                )
                assert isinstance(rows, ir.Value)
                total = new.node(
                    "Sub", "less_weight",
                    [total, new.node("Mul", "weight_share", [rows, own.zero], dtype=INT32)], None, shape, INT32,
                )  # fmt: skip
            real = new.node("Cast", "real", [total], {"to": FLOAT.value}, shape, FLOAT)
            scales = new.node("Mul", "scales", [scale, own.scale], dtype=FLOAT)
        return new.node("Mul", leaf, [real, scales], None, shape, FLOAT)

    def _quantized(self, x: ir.Value) -> list[ir.Value]:
        new = self.new
        first = new.node("DynamicQuantizeLinear", "bytes", [x], None, x.shape, ir.DataType.UINT8)
        node = first.producer()
        assert node is not None
        node.resize_outputs(3)
        for value, leaf, dtype in zip(node.outputs[1:], ("scale", "zero"), (FLOAT, ir.DataType.UINT8), strict=True):
            value.name, value.type, value.shape = f"{new.prefix}/{leaf}", ir.TensorType(dtype), ir.Shape([])
        return list(node.outputs)


def quantized_refusals(of: Recurrent, model: ir.Model, opset: int) -> Iterator[Refusal]:
    """Yield why a DynamicQuantizeLSTM can't be written out; nothing for other nodes."""
    if not of.node.domain:
        return
    version, columns = declared_ir_version(model), of.gates * of.hidden
    x, lengths = of.input(0), of.input(4)
    if x is None or x.dtype != FLOAT:
        yield Refusal("dtype", "X isn't float32, which alone is quantized")
    if opset < DYNAMIC_FROM:
        yield Refusal("opset", f"opset {opset} has no DynamicQuantizeLinear; convert to {DYNAMIC_FROM} or newer")
    if lengths is not None and (
        (tensor := constant_tensor(lengths, version)) is None or not (read_array(tensor) == of.steps).all()
    ):
        words = "it has sequence_lens, and onnxruntime quantizes X by the range of the steps that it computes"
        yield Refusal("sequence-lens", f"{words}; take the model without, or before it was quantized")
    for name, (weight, *parameters) in _INPUTS.items():
        labels = (name, f"{name}_scale", f"{name}_zero_point")
        values = [of.input(index) for index in (weight, *parameters)]
        for label, value in zip(labels, values, strict=True):
            tensor = constant_tensor(value, version)
            if tensor is None:
                yield Refusal(
                    "not-constant", f"its {label} isn't a constant; make it an initializer that isn't an input"
                )
            elif value is values[0] and tensor.dtype not in BYTES:
                yield Refusal("dtype", f"its {label} is {tensor.dtype.name}, not bytes")
            elif value is not values[0] and list(tensor.shape.numpy()) not in (
                [len(of.backwards)], [len(of.backwards), 1], [len(of.backwards), columns]
            ):  # fmt: skip
                words = f"its {label} has shape {list(tensor.shape.numpy())}"
                yield Refusal("quantization", f"{words}; one number a direction, or {columns}, are lowered")
