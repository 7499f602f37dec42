"""A mixture of experts written out densely: every expert for every token, those that a token isn't sent to masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, attribute_int, attribute_string
from onnxtile.ir.symbolic.amounts import Dim, dimension
from onnxtile.passes.rewrites.replacement import Replacement

FLOAT, INT64, BOOL = ir.DataType.FLOAT, ir.DataType.INT64, ir.DataType.BOOL
LARGEST_SLICE = (1 << 63) - 1


@dataclass(frozen=True)
class Experts:
    """Adds the operators of a mixture. `tokens`: how many there are; `dtype`: type of the products."""

    new: Replacement
    node: ir.Node
    opset: int
    dtype: ir.DataType
    tokens: Dim
    count: int

    def routed(self, router: ir.Value, mixing: ir.Value | None) -> ir.Value:
        """Return how much each expert counts for each token, [tokens, experts] of float32: 0 for all but `k` of them.

        Of equal probabilities the one of the later expert is larger, as onnxruntime has it. `mixing`: what the
        experts that `router` chooses are weighed by; None: by its softmax.
        """
        chances = self._op("Softmax", "chances", [self._float(router, "logits")], {"axis": 1})
        turned = self._turned(chances, "turned")
        k = self.new.constant("k", np.array([attribute_int(self.node, "k", 1)]), INT64)
        top, places = self._two("TopK", ("top", "places"), [turned, k], {"axis": 1})
        if mixing is not None:
            from_ = self._turned(self._float(mixing, "mixing"), "mixing_turned")
            top = self._op("GatherElements", "mixed", [from_, places], {"axis": 1})
        if attribute_int(self.node, "normalize_routing_weights", 0):
            top = self._op("Div", "shares", [top, self._sum(top, "shared", 1, keepdims=1)])
        shape = self.new.node("Shape", "router_shape", [turned], shape=ir.Shape([2]), dtype=INT64)
        nothing = self._op("ConstantOfShape", "nothing", [shape])
        spread = self._op("ScatterElements", "spread", [nothing, places, top], {"axis": 1})
        return self._turned(spread, "weights")

    def product(self, x: ir.Value, weight: ir.Value, bias: ir.Value | None, name: str) -> ir.Value:
        """Return x @ weight + bias, [experts, tokens, n], of a weight [experts, k, n]."""
        assert weight.shape is not None
        shape = ir.Shape([self.count, dimension(self.tokens), weight.shape[2]])
        y = self.new.node("MatMul", f"{name}/product", [x, weight], shape=shape, dtype=self.dtype)
        self.new.stand_in(f"/{name}")
        return y if bias is None else self.new.node("Add", f"{name}_biased", [y, bias], shape=shape, dtype=self.dtype)

    def activated(self, up: ir.Value, gate: ir.Value | None, inner: int) -> ir.Value:
        """Return what the activation makes of the results of fc1 and fc3."""
        name = attribute_string(self.node, "activation_type", "relu")
        shape = ir.Shape([self.count, dimension(self.tokens), inner])
        if name == "swiglu":
            return self._swiglu(*self._halves(up, gate, inner), shape)
        if name == "relu":
            return self._typed("Relu", "activated", [up], shape)
        if name == "silu":
            return self._typed("Mul", "activated", [up, self._typed("Sigmoid", "share", [up], shape)], shape)
        return self._gelu(up, shape) if name == "gelu" else up

    def mixed(self, results: ir.Value, weights: ir.Value, hidden: int) -> ir.Value:
        """Return the sum of the experts' results times their weights, of those whose weight is more than 0.

        The others are left out, not multiplied by 0: infinity and NaN of an expert stay with the tokens sent to it.
        """
        size = self.new.constant("by_expert", np.array([self.count, -1, 1]), INT64)
        columns = ir.Shape([self.count, dimension(self.tokens), 1])
        rows = self.new.transpose("expert_weights", weights, [1, 0])
        column = self.new.node("Reshape", "expert_columns", [rows, size], shape=columns, dtype=FLOAT)
        nothing = self.new.constant("zero", np.array(0, np.float32), FLOAT)
        shape = ir.Shape([self.count, dimension(self.tokens), hidden])
        counts = self.new.node("Greater", "counts", [column, nothing], shape=columns, dtype=BOOL)
        weighed = self._op("Mul", "weighed", [self._float(results, "results"), column])
        chosen = self.new.node("Where", "chosen", [counts, weighed, nothing], shape=shape, dtype=FLOAT)
        total = self._sum(chosen, "mixture", 0, keepdims=0)
        return total if self.dtype == FLOAT else self.new.node(
            "Cast", "rounded_mixture", [total], {"to": self.dtype.value}, dtype=self.dtype
        )  # fmt: skip

    def _halves(self, up: ir.Value, gate: ir.Value | None, inner: int) -> tuple[ir.Value, ir.Value]:
        """Return gate and linear part: interleaved in fc1's result, one behind the other, or fc1's and fc3's."""
        if gate is not None:
            return up, gate
        shape = ir.Shape([self.count, dimension(self.tokens), inner])
        by_pair = attribute_int(self.node, "swiglu_fusion", 0) == 1
        bounds = [(0, LARGEST_SLICE, 2), (1, LARGEST_SLICE, 2)] if by_pair else [(0, inner, 1), (inner, 2 * inner, 1)]
        halves = []
        for leaf, (start, end, step) in zip(("gate_part", "linear_part"), bounds, strict=True):
            numbers = [
                self.new.constant(f"{leaf}_{index}", np.array([number]), INT64)
                for index, number in enumerate((start, end, 2, step))
            ]
            halves.append(self.new.node("Slice", leaf, [up, *numbers], shape=shape, dtype=self.dtype))
        return halves[0], halves[1]

    def _swiglu(self, gate: ir.Value, linear: ir.Value, shape: ir.Shape) -> ir.Value:
        """Return G * sigmoid(alpha * G) * (L + beta), G at most the limit, L between minus limit and limit."""
        alpha, beta = (
            attribute_float(self.node, "activation_alpha", 1.0),
            attribute_float(self.node, "activation_beta", 0.0),
        )
        if "swiglu_limit" in self.node.attributes:
            limit = attribute_float(self.node, "swiglu_limit", 0.0)
            most, least = self._number("limit", limit), self._number("least", -limit)
            gate = self._typed("Min", "gate_limited", [gate, most], shape)
            linear = self._typed("Clip", "linear_limited", [linear, least, most], shape)
        inside = gate if alpha == 1 else self._typed("Mul", "inside", [gate, self._number("alpha", alpha)], shape)
        swish = self._typed("Mul", "swish", [gate, self._typed("Sigmoid", "share", [inside], shape)], shape)
        linear = linear if beta == 0 else self._typed("Add", "shifted", [linear, self._number("beta", beta)], shape)
        return self._typed("Mul", "activated", [swish, linear], shape)

    def _gelu(self, x: ir.Value, shape: ir.Shape) -> ir.Value:
        """Return 0.5 * x * (1 + tanh(0.7978845608 * (x + 0.044715 * x^3))), as onnxruntime's CPU kernel has it."""
        cube = self._typed("Mul", "cube", [self._typed("Mul", "square", [x, x], shape), x], shape)
        bent = self._typed("Mul", "bent", [cube, self._number("bend", 0.044715)], shape)
        inside = self._typed("Add", "inside", [x, bent], shape)
        stretched = self._typed("Mul", "stretched", [inside, self._number("stretch", 0.7978845608)], shape)
        curve = self._typed("Tanh", "curve", [stretched], shape)
        share = self._typed("Add", "share", [curve, self._number("one", 1.0)], shape)
        half = self._typed("Mul", "half", [x, self._number("a_half", 0.5)], shape)
        return self._typed("Mul", "activated", [half, share], shape)

    def _number(self, leaf: str, number: float) -> ir.Value:
        return self.new.constant(leaf, np.array(number, self.dtype.numpy()), self.dtype)

    def _typed(self, op_type: str, leaf: str, inputs: Sequence[ir.Value], shape: ir.Shape) -> ir.Value:
        return self.new.node(op_type, leaf, inputs, shape=shape, dtype=self.dtype)

    def _op(
        self, op_type: str, leaf: str, inputs: Sequence[ir.Value], attributes: Mapping[str, int] | None = None
    ) -> ir.Value:
        return self.new.node(op_type, leaf, inputs, attributes, dtype=FLOAT)

    def _two(
        self, op_type: str, leaves: tuple[str, str], inputs: Sequence[ir.Value], attributes: Mapping[str, int]
    ) -> tuple[ir.Value, ir.Value]:
        """Add a node whose outputs are floats and indices."""
        first = self.new.node(op_type, leaves[0], inputs, attributes, dtype=FLOAT)
        node = self.new.nodes[-1]
        node.resize_outputs(2)
        node.outputs[1].name, node.outputs[1].type = f"{self.new.prefix}/{leaves[1]}", ir.TensorType(INT64)
        return first, node.outputs[1]

    def _float(self, value: ir.Value, leaf: str) -> ir.Value:
        if value.dtype == FLOAT:
            return value
        return self.new.node("Cast", f"{leaf}_wide", [value], {"to": FLOAT.value}, value.shape, FLOAT)

    def _turned(self, value: ir.Value, leaf: str) -> ir.Value:
        """Return the columns of experts in the other order."""
        order = self.new.constant(f"{leaf}_order", np.arange(self.count)[::-1].copy(), INT64)
        shape = ir.Shape([dimension(self.tokens), self.count])
        return self.new.node("Gather", leaf, [value, order], {"axis": 1}, shape, FLOAT)

    def _sum(self, value: ir.Value, leaf: str, axis: int, keepdims: int) -> ir.Value:
        if self.opset < 13:
            return self.new.node("ReduceSum", leaf, [value], {"axes": [axis], "keepdims": keepdims}, dtype=FLOAT)
        axes = self.new.constant(f"{leaf}_axes", np.array([axis]), INT64)
        return self.new.node("ReduceSum", leaf, [value, axes], {"keepdims": keepdims}, dtype=FLOAT)
