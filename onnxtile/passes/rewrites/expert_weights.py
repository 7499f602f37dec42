"""Weights of a mixture of experts: which inputs they are, what they have to be, the numbers of packed ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import lazily, read_array
from onnxtile.ir.attributes import attribute_int, attribute_string, input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.operators.block_packing import unpack
from onnxtile.operators.sizes import read_size
from onnxtile.passes.rewrites.layout import Layout
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal

NAMES = ("fc1", "fc2", "fc3")


@dataclass(frozen=True)
class ExpertWeights:
    """One product's weights, [experts, n, k], packed along k where `bits` says so. Inputs are values or None."""

    name: str
    weight: ir.Value | None
    bias: ir.Value | None
    scales: ir.Value | None = None
    zeros: ir.Value | None = None
    bits: int = 0

    @classmethod
    def of(cls, node: ir.Node, index: int) -> ExpertWeights:
        """Return those of fc1, fc2 or fc3, by number."""
        name = NAMES[index]
        if node.op_type == "MoE":
            return cls(name, input_of(node, 2 + 2 * index), input_of(node, 3 + 2 * index))
        weight, scales, bias = (input_of(node, 2 + 3 * index + place) for place in range(3))
        bits = attribute_int(node, f"{name}_expert_weight_bits", 0) or attribute_int(node, "expert_weight_bits", 4)
        return cls(name, weight, bias, scales, input_of(node, 11 + index), bits)

    def refusals(self, experts: int, n: int, k: int, block: int, model: ir.Model) -> Iterator[Refusal]:
        """Yield what in the shapes doesn't fit the sizes, and what of packed weights can't be read."""
        if self.weight is None:
            return
        wanted = {"weights": (self.weight, [experts, n, k * (self.bits or 8) // 8]), "bias": (self.bias, [experts, n])}
        if self.bits:
            if self.bits not in (2, 4, 8) or k * self.bits % 8:
                yield Refusal(
                    "attribute", f"{self.name} has weights of {self.bits} bits, which aren't read; take 4 or 8"
                )
                return
            if block and k % block:
                yield Refusal(
                    "attribute", f"block_size is {block}, which doesn't divide the {k} columns of {self.name}"
                )
                return
            blocks = [k // block] if block else []
            wanted["scales"] = (self.scales, [experts, n, *blocks])
            packed = [experts, n, -(-blocks[0] * self.bits // 8)] if block else [experts, -(-n * self.bits // 8)]
            wanted["zero_points"] = (self.zeros, packed)
            for what in ("weights", "scales", "zero_points"):
                value = wanted[what][0]
                if value is not None and constant_tensor(value, declared_ir_version(model)) is None:
                    words = f"its {self.name} {what} aren't constants; make them initializers that aren't inputs"
                    yield Refusal("not-constant", words)
            if self.scales is None:
                yield Refusal("inputs", f"it has no scales of {self.name}, without which weights mean nothing")
        for what, (value, shape) in wanted.items():
            if value is not None and (value.shape is None or list(map(read_size, value.shape)) != shape):
                found = "unknown" if value.shape is None else list(value.shape)
                yield Refusal("shape", f"its {self.name} {what} have the shape {found}, where sizes make it {shape}")

    def operand(self, new: Replacement, model: ir.Model, k: int, block: int, dtype: ir.DataType) -> ir.Value:
        """Return the weights as [experts, k, n]: turned at run time, or numbers ahead of time."""
        assert self.weight is not None
        version = declared_ir_version(model)
        if not self.bits:
            layout = Layout(self.weight, "enk")
            layout.arrange("ekn")
            return layout.apply(new, f"{self.name}_weights", constant_tensor(self.weight, version))
        weight, scales = constant_tensor(self.weight, version), constant_tensor(self.scales, version)
        zeros = constant_tensor(self.zeros, version)
        assert weight is not None and scales is not None
        experts, n = (int(size) for size in weight.shape.numpy()[:2])

        def numbers() -> np.ndarray:
            codes = unpack(read_array(weight), self.bits).astype(np.float32)
            factors = read_array(scales).astype(np.float32).reshape(experts, n, -1)
            middles: np.ndarray = np.full(factors.shape, 1 << (self.bits - 1), np.float32)
            if zeros is not None:
                own = unpack(read_array(zeros), self.bits).reshape(experts, -1)
                own = own.reshape(experts, n, -1)[..., : k // block] if block else own[:, :n, None]
                middles = own.astype(np.float32)
            width = block or k
            result = (codes - middles.repeat(width, -1)) * factors.repeat(width, -1)
            return np.ascontiguousarray(result.swapaxes(1, 2)).astype(dtype.numpy())

        return new.constant(f"{self.name}_weights", lazily(numbers, dtype, [experts, k, n]))

    def bias_by_expert(self, new: Replacement, model: ir.Model) -> ir.Value | None:
        """Return the bias as [experts, 1, n]."""
        if self.bias is None:
            return None
        layout = Layout(self.bias, "en")
        experts, n = layout.dims
        layout.reshape([experts, 1, n])
        return layout.apply(new, f"{self.name}_bias", constant_tensor(self.bias, declared_ir_version(model)))


def format_refusals(node: ir.Node) -> Iterator[Refusal]:
    """Yield why QMoE's weights can't be read whatever their sizes: their format."""
    kind = attribute_string(node, "quant_type", "int")
    if kind != "int":
        yield Refusal("attribute", f"quant_type is {kind!r}, a format that only GPUs read; quantize to integers")
    if attribute_int(node, "weights_prepacked", -1) == 1:
        yield Refusal("attribute", "weights_prepacked is 1, a layout of one engine; leave it out, or take 0")
    block = attribute_int(node, "block_size", 0)
    if block and (block < 16 or block & (block - 1)):
        yield Refusal("attribute", f"block_size is {block}; it must be a power of two, 16 or more")
    if any(value is not None for value in node.inputs[15:]):
        yield Refusal("inputs", "it has global or activation scales, which weights of integers don't have")
