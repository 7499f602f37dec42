"""One step of a recurrent operator: the nodes of an RNN's, an LSTM's or a GRU's cell.

H' = f(X W' + H R' + b); see ONNX's operator documentation for the gates of LSTM and GRU. What X gives comes as one
product of all steps.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxtile.passes.rewrites.axes import Axes
from onnxtile.passes.rewrites.recurrent_node import Activation, Recurrent
from onnxtile.passes.rewrites.recurrent_weights import DirectionWeights

CLIP_AS_INPUT = 11
"""The version of the default operator set from which Clip takes its bounds as inputs."""


class Cell:
    """Writes steps of one direction. Constants are made with the cell, outside of the steps."""

    def __init__(self, of: Recurrent, axes: Axes, weights: DirectionWeights, activations: Sequence[Activation]) -> None:
        self.of, self.axes, self.new, self.weights = of, axes, axes.new, weights
        self._activations = activations
        self._parameters = [self._scalars(index, each) for index, each in enumerate(activations)]
        limits = [] if of.clip is None or axes.opset < CLIP_AS_INPUT else [-of.clip, of.clip]
        self._limits = [self.scalar(f"clip_{leaf}", limit) for leaf, limit in zip(("min", "max"), limits, strict=False)]

    @abstractmethod
    def step(self, x: ir.Value, states: Sequence[ir.Value]) -> list[ir.Value]:
        """Add the nodes of a step, of what X gives in it and the states before; return those after it, H first."""

    def scalar(self, leaf: str, number: float) -> ir.Value:
        dtype = self.weights.dtype
        return self.new.constant(leaf, np.array(number, dtype.numpy()), dtype)

    def _scalars(self, index: int, activation: Activation) -> list[ir.Value]:
        if activation.name not in ("Affine", "ScaledTanh"):
            return []
        pairs = zip(("alpha", "beta"), activation.parameters, strict=True)
        return [self.scalar(f"activation_{index}_{name}", number) for name, number in pairs]

    def node(self, op_type: str, leaf: str, *operands: ir.Value) -> ir.Value:
        """Add a node of values that all have a row a sequence; what it gives has the first one's shape."""
        return self.new.node(op_type, leaf, operands, None, operands[0].shape, operands[0].dtype)

    def activated(self, which: int, leaf: str, x: ir.Value, is_gate: bool = True) -> ir.Value:
        """Add activation(clip(x)); what isn't a gate isn't clipped."""
        of, activation, new = self.of, self._activations[which], self.new
        if of.clip is not None and is_gate:
            limits = {} if self._limits else {"min": -of.clip, "max": of.clip}
            x = new.node("Clip", f"{leaf}_clipped", [x, *self._limits], limits, x.shape, x.dtype)
        if activation.name == "Affine":
            alpha, beta = self._parameters[which]
            return self.node("Add", leaf, self.node("Mul", f"{leaf}_scaled", x, alpha), beta)
        if activation.name == "ScaledTanh":
            alpha, beta = self._parameters[which]
            curved = self.node("Tanh", f"{leaf}_curved", self.node("Mul", f"{leaf}_stretched", x, beta))
            return self.node("Mul", leaf, curved, alpha)
        attributes = dict(zip(("alpha", "beta"), activation.parameters, strict=False))
        return new.node(activation.name, leaf, [x], attributes, x.shape, x.dtype)


class Rnn(Cell):
    """H' = f(x + H R')."""

    def step(self, x: ir.Value, states: Sequence[ir.Value]) -> list[ir.Value]:
        total = self.node("Add", "gates", x, self.weights.by_state("state", states[0]))
        return [self.activated(0, "h", total)]


class Lstm(Cell):
    """Gates i, o, f, c: C' = f(f) * C + f(i) * g(c), H' = f(o) * h(C'); peepholes add P * C to gates, of o P * C'.

    A clip bounds gates alone, and not C' before h: engines have it so, whatever ONNX says of inputs of activations.
    """

    def __init__(self, of: Recurrent, axes: Axes, weights: DirectionWeights, activations: Sequence[Activation]) -> None:
        super().__init__(of, axes, weights, activations)
        self._gates = axes.splitter("gates", [of.hidden] * 4)
        self._peepholes = weights.peepholes()
        self._one = self.scalar("one", 1.0) if of.flag("input_forget") else None

    def step(self, x: ir.Value, states: Sequence[ir.Value]) -> list[ir.Value]:
        h, c = states
        total = self.node("Add", "gates", x, self.weights.by_state("state", h))
        i, o, f, z = self._gates.split(total, ["i_in", "o_in", "f_in", "c_in"])
        i = self.activated(0, "i", self._peeped(0, "i", i, c))
        if self._one is None:
            f = self.activated(0, "f", self._peeped(2, "f", f, c))
        else:
            f = self.new.node("Sub", "f", [self._one, i], None, i.shape, i.dtype)
        z = self.activated(1, "z", z)
        c = self.node("Add", "c", self.node("Mul", "kept", f, c), self.node("Mul", "added", i, z))
        o = self.activated(0, "o", self._peeped(1, "o", o, c))
        return [self.node("Mul", "h", o, self.activated(2, "shown", c, is_gate=False)), c]

    def _peeped(self, which: int, leaf: str, gate: ir.Value, c: ir.Value) -> ir.Value:
        if not self._peepholes:
            return gate
        return self.node("Add", f"{leaf}_peeped", gate, self.node("Mul", f"{leaf}_seen", c, self._peepholes[which]))


class Gru(Cell):
    """Gates z, r, h: H' = (1 - z) * g(x + r * H R') + z * H, or (r * H) R' without linear_before_reset."""

    def __init__(self, of: Recurrent, axes: Axes, weights: DirectionWeights, activations: Sequence[Activation]) -> None:
        super().__init__(of, axes, weights, activations)
        self._linear = of.flag("linear_before_reset")
        self._of_input = axes.splitter("input_gates", [of.hidden] * 3)
        self._of_state = axes.splitter("state_gates", [of.hidden] * (3 if self._linear else 2))
        self._bias = weights.reset_bias() if self._linear else None
        self._one = self.scalar("one", 1.0)

    def step(self, x: ir.Value, states: Sequence[ir.Value]) -> list[ir.Value]:
        h = states[0]
        x_z, x_r, x_h = self._of_input.split(x, ["z_x", "r_x", "h_x"])
        h_z, h_r, *h_h = self._of_state.split(
            self.weights.by_state("state", h), ["z_h", "r_h", "h_h"][: 2 + self._linear]
        )
        z = self.activated(0, "z", self.node("Add", "z_in", x_z, h_z))
        r = self.activated(0, "r", self.node("Add", "r_in", x_r, h_r))
        if self._linear:
            shown = h_h[0] if self._bias is None else self.node("Add", "h_biased", h_h[0], self._bias)
            reset = self.node("Mul", "reset", r, shown)
        else:
            reset = self.weights.by_reset_state("reset_state", self.node("Mul", "reset", r, h))
        new = self.activated(1, "h_new", self.node("Add", "h_in", x_h, reset))
        less = self.new.node("Sub", "z_less", [self._one, z], None, z.shape, z.dtype)
        return [self.node("Add", "h", self.node("Mul", "added", less, new), self.node("Mul", "kept", z, h))]


CELLS: dict[str, type[Cell]] = {"RNN": Rnn, "LSTM": Lstm, "GRU": Gru}
