"""Recurrent operators in numpy, as ONNX's documentation writes their equations, and models of one of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Array = np.ndarray
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULT = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
FUNCTIONS: dict[str, Callable[[Array, float, float], Array]] = {
    "Relu": lambda x, a, b: np.maximum(x, 0), "Tanh": lambda x, a, b: np.tanh(x),
    "Sigmoid": lambda x, a, b: 1 / (1 + np.exp(-x)), "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: np.where(x >= 0, x, a * x), "ThresholdedRelu": lambda x, a, b: np.where(x > a, x, 0),
    "ScaledTanh": lambda x, a, b: a * np.tanh(b * x), "HardSigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "Elu": lambda x, a, b: np.where(x >= 0, x, a * np.expm1(np.minimum(x, 0))),
    "Softsign": lambda x, a, b: x / (1 + np.abs(x)), "Softplus": lambda x, a, b: np.log1p(np.exp(x)),
}  # fmt: skip
TAKES = {
    "Affine": (math.nan, math.nan), "LeakyRelu": (0.01,), "ThresholdedRelu": (math.nan,),
    "ScaledTanh": (math.nan, math.nan), "HardSigmoid": (0.2, 0.5), "Elu": (1.0,),
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """A node's operator, its inputs (those that are left out are missing), and attributes."""

    op_type: str
    inputs: dict[str, Array]
    attributes: dict[str, Any]
    outputs: tuple[str, ...] = ()

    def model(
        self,
        opset: int = 17,
        constants: Sequence[str] = ("W", "R", "B", "P"),
        free: Sequence[str] = (),
        ir_version: int = 8,
    ) -> onnx.ModelProto:
        """Return a model of the node; `free`: of `steps` and `batch`, those that are free dimensions."""
        fed = {name: array for name, array in self.inputs.items() if name not in constants}
        last = max(INPUTS.index(name) for name in self.inputs)
        names = [name if name in self.inputs else "" for name in INPUTS[: last + 1]]
        outputs = self.outputs or ("Y", "Y_h", "Y_c")[: 3 if self.op_type == "LSTM" else 2]
        hidden = self.inputs["R"].shape[2]
        node = helper.make_node(self.op_type, names, outputs, "layer", hidden_size=hidden, **self.attributes)
        data_type = helper.np_dtype_to_tensor_dtype(self.inputs["X"].dtype)
        types = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in fed.items()}
        graph = helper.make_graph(
            [node], "graph",
            [helper.make_tensor_value_info(name, types[name], self._dims(name, free)) for name in fed],
            [
                helper.make_tensor_value_info(name, data_type, [None] * (4 if name == "Y" else 3))
                for name in outputs if name
            ],
            [numpy_helper.from_array(self.inputs[name], name) for name in self.inputs if name not in fed],
        )  # fmt: skip
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)

    def feeds(self, constants: Sequence[str] = ("W", "R", "B", "P")) -> dict[str, Array]:
        return {name: array for name, array in self.inputs.items() if name not in constants}

    def _dims(self, name: str, free: Sequence[str]) -> list[int | str]:
        dims: list[int | str] = list(self.inputs[name].shape)
        layout = self.attributes.get("layout", 0)
        at = {"X": {"steps": layout, "batch": 1 - layout}, "sequence_lens": {"batch": 0}}
        at |= {"initial_h": {"batch": 1 - layout}, "initial_c": {"batch": 1 - layout}}
        for which, axis in at.get(name, {}).items():
            if which in free:
                dims[axis] = which
        return dims

    def specified(self) -> list[Array]:
        """Return Y, Y_h and Y_c as the specification has them."""
        layout = self.attributes.get("layout", 0)
        directions = {"reverse": [-1], "bidirectional": [1, -1]}.get(self.attributes.get("direction", "forward"), [1])
        functions = _functions(self.op_type, len(directions), self.attributes)
        each = len(DEFAULT[self.op_type])
        made = [
            self._direction(index, order, functions[index * each : (index + 1) * each])
            for index, order in enumerate(directions)
        ]
        y, *states = (np.stack([part[which] for part in made], 1 if which == 0 else 0) for which in range(len(made[0])))
        if layout:
            return [y.transpose(2, 0, 1, 3), *(state.transpose(1, 0, 2) for state in states)]
        return [y, *states]

    def _direction(self, index: int, order: int, functions: list[Callable[[Array], Array]]) -> list[Array]:
        layout, gates = self.attributes.get("layout", 0), GATES[self.op_type]
        x = self.inputs["X"].swapaxes(0, 1) if layout else self.inputs["X"]
        steps, batch, hidden = x.shape[0], x.shape[1], self.inputs["R"].shape[2]
        dtype = x.dtype
        w, r = (np.split(self.inputs[name][index], gates) for name in "WR")
        b = np.split(self.inputs.get("B", np.zeros((index + 1, 2 * gates * hidden), dtype))[index], 2 * gates)
        p = np.split(self.inputs.get("P", np.zeros((index + 1, 3 * hidden), dtype))[index], 3)
        none = np.zeros((batch, index + 1, hidden) if layout else (index + 1, batch, hidden), dtype)
        h, c = (self.inputs.get(name, none).take(index, 1 if layout else 0) for name in ("initial_h", "initial_c"))
        lengths = self.inputs.get("sequence_lens", np.full(batch, steps))
        y = np.zeros((steps, batch, hidden), dtype)
        for t in range(steps)[::order]:
            runs = (t < lengths)[:, None]
            new, new_c = self._step([x[t] @ part.T for part in w], r, b, p, h, c, functions)
            y[t] = np.where(runs, new, 0)
            h, c = np.where(runs, new, h), np.where(runs, new_c, c)
        return [y, h, c] if self.op_type == "LSTM" else [y, h]

    def _step(
        self, x: list[Array], r: list[Array], b: list[Array], p: list[Array], h: Array, c: Array,
        functions: list[Callable[[Array], Array]],
    ) -> tuple[Array, Array]:  # fmt: skip
        one = h.dtype.type(1)
        f, g, shown = (*functions, None, None)[:3]
        if self.op_type == "RNN":
            return f(x[0] + h @ r[0].T + b[0] + b[1]), c
        assert g is not None
        if self.op_type == "GRU":
            z = f(x[0] + h @ r[0].T + b[0] + b[3])
            reset = f(x[1] + h @ r[1].T + b[1] + b[4])
            if self.attributes.get("linear_before_reset"):
                new = g(x[2] + reset * (h @ r[2].T + b[5]) + b[2])
            else:
                new = g(x[2] + (reset * h) @ r[2].T + b[5] + b[2])
            return (one - z) * new + z * h, c
        assert shown is not None
        total = [x[at] + h @ r[at].T + b[at] + b[at + 4] for at in range(4)]
        i = f(total[0] + p[0] * c)
        forget = one - i if self.attributes.get("input_forget") else f(total[2] + p[2] * c)
        c = forget * c + i * g(total[3])
        return f(total[1] + p[1] * c) * shown(c), c


def _functions(op_type: str, directions: int, attributes: dict[str, Any]) -> list[Callable[[Array], Array]]:
    alphas, betas = (list(attributes.get(f"activation_{name}", ())) for name in ("alpha", "beta"))
    made = []
    for name in attributes.get("activations") or DEFAULT[op_type] * directions:
        numbers = [
            (waiting.pop(0) if waiting else default)
            for waiting, default in zip((alphas, betas), TAKES.get(name, ()), strict=False)
        ]
        is_gate = op_type != "LSTM" or len(made) % 3 < 2  # what an LSTM shows isn't clipped
        made.append(_function(name, [*numbers, math.nan, math.nan], attributes.get("clip") if is_gate else None))
    return made


def _function(name: str, numbers: list[float], clip: float | None) -> Callable[[Array], Array]:
    def function(x: Array) -> Array:
        alpha, beta = (x.dtype.type(number) for number in numbers[:2])
        bounded = x if clip is None else np.clip(x, -x.dtype.type(clip), x.dtype.type(clip))
        return np.asarray(FUNCTIONS[name](bounded, alpha, beta), x.dtype)

    return function


def layer(
    op_type: str, *, steps: int = 3, batch: int = 2, width: int = 4, hidden: int = 3, directions: int = 1,
    layout: int = 0, biased: bool = True, lengths: bool | Sequence[int] = False, states: bool = False,
    peepholes: bool = False, seed: int = 0, whole: bool = True, dtype: Any = np.float32,
    outputs: tuple[str, ...] = (), **attributes: Any,
) -> Layer:  # fmt: skip
    """Return a layer of random numbers, small and whole ones or such as weights are."""
    rng, gates = np.random.default_rng(seed), GATES[op_type]

    def numbers(*shape: int) -> Array:
        return (rng.integers(-2, 3, shape) if whole else rng.standard_normal(shape) * 0.4).astype(dtype)

    state = (batch, directions, hidden) if layout else (directions, batch, hidden)
    inputs = {
        "X": numbers(*((batch, steps, width) if layout else (steps, batch, width))),
        "W": numbers(directions, gates * hidden, width),
        "R": numbers(directions, gates * hidden, hidden),
    }
    if biased:
        inputs["B"] = numbers(directions, 2 * gates * hidden)
    if lengths is not False:
        drawn = rng.integers(0, steps + 1, batch) if lengths is True else np.array(lengths)
        inputs["sequence_lens"] = drawn.astype(np.int32)
    if states:
        inputs["initial_h"] = numbers(*state)
        if op_type == "LSTM":
            inputs["initial_c"] = numbers(*state)
    if peepholes:
        inputs["P"] = numbers(directions, 3 * hidden)
    if layout:
        attributes["layout"] = layout
    if directions == 2:
        attributes["direction"] = "bidirectional"
    return Layer(op_type, inputs, attributes, outputs)
