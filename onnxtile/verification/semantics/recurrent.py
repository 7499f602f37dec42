"""Recurrent operators, step by step as ONNX's operator documentation writes their equations."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.entry import Call, Results, operator
from onnxtile.verification.semantics.moves import reshaped
from onnxtile.verification.semantics.products import integer_product
from onnxtile.verification.value import UnprovenError, Value, joined

Function = Callable[[Value], Value]
ATTRIBUTES = "activation_alpha activation_beta activations clip direction hidden_size layout"
DEFAULTS: dict[str, tuple[float | None, float | None]] = {
    "leakyrelu": (0.01, None), "thresholdedrelu": (1.0, None), "elu": (1.0, None), "hardsigmoid": (0.2, 0.5),
    "affine": (None, None), "scaledtanh": (None, None),
}  # fmt: skip
"""alpha and beta of activations that have them."""
DIRECTIONS = {b"forward": [1], b"reverse": [-1], b"bidirectional": [1, -1]}
ALPHA = ("leakyrelu", "thresholdedrelu", "elu", "hardsigmoid", "affine", "scaledtanh")
BETA = ("hardsigmoid", "affine", "scaledtanh")
OPERATORS = {
    name.lower(): name
    for name in (
        "Relu", "Tanh", "Sigmoid", "Softsign", "Softplus", "LeakyRelu", "ThresholdedRelu", "Elu", "HardSigmoid",
    )
}  # fmt: skip


@operator("RNN", attributes=ATTRIBUTES)
def _rnn(call: Call) -> Results:
    """Ht = f(Xt*(Wi^T) + Ht-1*(Ri^T) + Wbi + Rbi)."""

    def step(direction: Direction, x: Value, h: Value, c: Value | None) -> tuple[Value, None]:
        return direction.functions[0](call.of("Add", x, direction.recurrence(h, slice(None)))), None

    return _layer(call, 1, ["Tanh"], step)


@operator("GRU", attributes=f"{ATTRIBUTES} linear_before_reset")
def _gru(call: Call) -> Results:
    """Ht = (1 - zt) (.) ht + zt (.) Ht-1; the reset comes before or behind the last gate's product."""
    linear = bool(call.attributes.get("linear_before_reset"))

    def step(direction: Direction, x: Value, h: Value, c: Value | None) -> tuple[Value, None]:
        f, g = direction.functions
        z_x, r_x, h_x = (_gate(x, index, direction.hidden) for index in range(3))
        z = f(call.of("Add", z_x, direction.recurrence(h, _rows(0, direction.hidden))))
        r = f(call.of("Add", r_x, direction.recurrence(h, _rows(1, direction.hidden))))
        if linear:
            shown = direction.recurrence(h, _rows(2, direction.hidden))
            if direction.state_biases is not None:
                shown = call.of("Add", shown, direction.state_biases[2])
            reset = call.of("Mul", r, shown)
        else:
            reset = direction.recurrence(call.of("Mul", r, h), _rows(2, direction.hidden))
        new = g(call.of("Add", h_x, reset))
        less = call.of("Sub", call.constant(1, h.dtype), z)
        return call.of("Add", call.of("Mul", less, new), call.of("Mul", z, h)), None

    return _layer(call, 3, ["Sigmoid", "Tanh"], step, apart=linear)


@operator("LSTM", attributes=f"{ATTRIBUTES} input_forget")
@operator("DynamicQuantizeLSTM", attributes=f"{ATTRIBUTES} input_forget", domain="com.microsoft")
def _lstm(call: Call) -> Results:
    """Ct = ft (.) Ct-1 + it (.) ct; Ht = ot (.) h(Ct); gates i, o, f, c. A clip bounds gates, as engines have it."""

    def step(direction: Direction, x: Value, h: Value, c: Value | None) -> tuple[Value, Value]:
        assert c is not None
        f, g, shown = direction.functions
        total = call.of("Add", x, direction.recurrence(h, slice(None)))
        i, o, forget, new = (_gate(total, index, direction.hidden) for index in range(4))
        i = f(direction.peeped(i, 0, c))
        if call.attributes.get("input_forget"):
            forget = call.of("Sub", call.constant(1, h.dtype), i)
        else:
            forget = f(direction.peeped(forget, 2, c))
        c = call.of("Add", call.of("Mul", forget, c), call.of("Mul", i, g(new)))
        return call.of("Mul", f(direction.peeped(o, 1, c)), shown(c)), c

    return _layer(call, 4, ["Sigmoid", "Tanh", "Tanh"], step)


Step = Callable[["Direction", Value, Value, "Value | None"], "tuple[Value, Value | None]"]


class Direction:
    """Weights and functions of one direction. `state_biases`: of the state, a gate each."""

    def __init__(self, call: Call, index: int, gates: int, functions: list[Function]) -> None:
        self.call, self.functions, self._index = call, functions, index
        self.quantized = call.node.op_type.startswith("DynamicQuantize")
        weight, state = (_at(call.value(place), index) for place in (1, 2))
        if self.quantized:  # they're stored the other way round
            weight, state = _transposed(weight), _transposed(state)
        self._state = state
        self.hidden = self._state.shape[-1]
        if (call.attributes.get("hidden_size", self.hidden), self._state.shape[0]) != (
            self.hidden,
            gates * self.hidden,
        ):
            raise UnprovenError(f"{call.node.op_type} has R of {list(self._state.shape)}")
        self.weight = weight
        biases, peepholes = call.optional(3), call.optional(7)
        both = [] if biases is None else [_gate(_at(biases, index), at, self.hidden) for at in range(2 * gates)]
        self.input_biases = both[:gates] or None
        self.state_biases = both[gates:] or None
        self._peepholes = None if peepholes is None else _at(peepholes, index)

    def recurrence(self, h: Value, rows: slice) -> Value:
        """Ht-1*(R^T), of so many rows of R."""
        if self.quantized:
            return self._in_bytes(h, self._state_in_bytes, 10)
        return self.call.of("MatMul", h, _transposed(self._state.moved(lambda array, lead: array[_front(lead, rows)])))

    @cached_property
    def _state_in_bytes(self) -> Value:
        return self._less_zero(self._state, 11)

    def _less_zero(self, weight: Value, zero: int) -> Value:
        """W^T - zero point, whole numbers."""
        wide, own = (
            cast(self.call, value, ir.DataType.INT32)
            for value in (_transposed(weight), _at(self.call.value(zero), self._index))
        )
        return self.call.of("Sub", wide, own)

    def _in_bytes(self, x: Value, weight: Value, scale: int) -> Value:
        """X*(W^T), X quantized by its range; `scale`: the input that is W's."""
        node = onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])
        y, x_scale, x_zero = self.call.run.evaluated([node], {"x": x}, ["y", "scale", "zero"])
        total = integer_product(self.call, y, weight, x_zero, None)
        scales = self.call.of("Mul", x_scale, _at(self.call.value(scale), self._index))
        return self.call.of("Mul", self.call.of("Cast", total, to=ir.DataType.FLOAT.value), scales)

    def peeped(self, gate: Value, which: int, c: Value) -> Value:
        if self._peepholes is None:
            return gate
        return self.call.of("Add", gate, self.call.of("Mul", _gate(self._peepholes, which, self.hidden), c))

    def of_input(self, x: Value, apart: bool) -> Value:
        """Xt*(W^T) + Wb + Rb of all steps; `apart`: but for Rb of the last gate."""
        if self.quantized:
            rows = self._in_bytes(reshaped(x, [math.prod(x.shape[:2]), x.shape[2]]), self._less_zero(self.weight, 9), 8)
            total = reshaped(rows, [*x.shape[:2], rows.shape[-1]])
        else:
            total = self.call.of("MatMul", x, _transposed(self.weight))
        if self.input_biases is None or self.state_biases is None:
            return total
        pairs = list(zip(self.input_biases, self.state_biases, strict=True))
        sums = [self.call.of("Add", *pair) for pair in pairs]
        if apart:
            sums[-1] = self.input_biases[-1]
        return self.call.of("Add", total, joined(sums, lambda arrays, lead: np.concatenate(arrays, lead)))


def _layer(call: Call, gates: int, default: list[str], step: Step, apart: bool = False) -> Results:
    """Run all directions; return Y, Y_h and Y_c with their axes as the layout has them."""
    if call.opset < 7 and not call.node.domain:
        raise UnprovenError(f"{call.node.op_type} of opset {call.opset}")
    directions = DIRECTIONS[call.attributes.get("direction", b"forward")]
    functions = _functions(call, default, len(directions))
    batch_first = bool(call.attributes.get("layout"))
    x = _swapped(call.value(0)) if batch_first else call.value(0)
    if call.value(1).shape[0] != len(directions):
        raise UnprovenError(f"{call.node.op_type} has W of {call.value(1).shape[0]} directions")
    mask = _mask(call, x)
    of_all: list[tuple[Value, ...]] = []
    for index, order in enumerate(directions):
        own = functions[index * len(default) : (index + 1) * len(default)]
        direction = Direction(call, index, gates, own)
        inputs = direction.of_input(x, apart)
        states: list[Value | None] = [_first(call, 5, index, x, direction.hidden, batch_first), None]
        if gates == 4:
            states[1] = _first(call, 6, index, x, direction.hidden, batch_first)
        of_all.append(_direction(call, direction, inputs, states, mask, order, step))
    axes = (2 if batch_first else 1, 0 if not batch_first else 1, 0 if not batch_first else 1)
    results: list[Value | None] = []
    for which, axis in enumerate(axes[: len(of_all[0])]):
        values = [of_one[which] for of_one in of_all]
        if which == 0 and batch_first:
            values = [_swapped(value) for value in values]
        results.append(joined(values, lambda arrays, lead, axis=axis: np.stack(arrays, lead + axis)))  # type: ignore[misc]
    return results[: len(call.node.output)]


def _direction(
    call: Call, direction: Direction, inputs: Value, states: list[Value | None], mask: Value | None, order: int,
    step: Step,
) -> tuple[Value, ...]:  # fmt: skip
    """Y, [steps, batch, hidden size], and the last states."""
    h, c = states
    assert h is not None
    given: list[Value] = []
    steps = inputs.shape[0]
    for turn in range(steps)[::order]:
        call.run.turn()
        new, new_c = step(direction, _at(inputs, turn), h, c)
        if mask is None:
            given.append(new)
            h, c = new, new_c
            continue
        runs = _at(mask, turn)
        given.append(call.of("Where", runs, new, call.constant(0, h.dtype)))
        h = call.of("Where", runs, new, h)
        c = None if c is None or new_c is None else call.of("Where", runs, new_c, c)
    if given:
        y = joined(given[::order], lambda arrays, lead: np.stack(arrays, lead))
    else:
        y = Value.constant(call.field, np.zeros((0, *h.shape), h.dtype.numpy()), h.dtype)
    return (y, h) if c is None else (y, h, c)


def _mask(call: Call, x: Value) -> Value | None:
    """Return whether a sequence is still running in a step, [steps, batch, 1]."""
    lengths = call.optional(4)
    if lengths is None:
        return None
    if call.node.domain and (lengths.known is None or (lengths.known != x.shape[0]).any()):
        raise UnprovenError(f"{call.node.op_type} with lengths of sequences: X's range is that of the steps that run")
    steps = np.arange(x.shape[0], dtype=np.int32).reshape(-1, 1, 1)
    if lengths.known is not None and not ((lengths.known >= 0) & (lengths.known <= x.shape[0])).all():
        raise UnprovenError(f"{call.node.op_type} has lengths of sequences above its steps")
    numbers = Value.constant(call.field, steps, ir.DataType.INT32, call.run.free)
    row = lengths.moved(lambda array, lead: array.reshape(*array.shape[:lead], 1, -1, 1))
    return call.of("Less", numbers, row)


def _first(call: Call, index: int, direction: int, x: Value, hidden: int, batch_first: bool) -> Value:
    """The first state, [batch, hidden size]: zeros where it isn't given."""
    value = call.optional(index)
    if value is None:
        return Value.constant(call.field, np.zeros((x.shape[1], hidden), x.dtype.numpy()), x.dtype)
    return _at(_swapped(value) if batch_first else value, direction)


# Activations


def _functions(call: Call, default: list[str], directions: int) -> list[Function]:
    """The functions of all directions; alphas and betas go to those that have them, in their order."""
    names = [name.decode() for name in call.attributes.get("activations", ())] or default * directions
    if len(names) != len(default) * directions:
        raise UnprovenError(f"{call.node.op_type} names {len(names)} activations")
    alphas, betas = (list(call.attributes.get(f"activation_{name}", ())) for name in ("alpha", "beta"))
    functions: list[Function] = []
    for name in names:
        alpha, beta = DEFAULTS.get(name.lower(), (None, None))
        alpha = alphas.pop(0) if alphas and name.lower() in ALPHA else alpha
        beta = betas.pop(0) if betas and name.lower() in BETA else beta
        is_gate = len(default) < 3 or len(functions) % 3 < 2
        functions.append(_function(call, name.lower(), alpha, beta, is_gate))
    if alphas or betas:
        raise UnprovenError(f"{call.node.op_type} has more activation_alpha or activation_beta than functions take")
    return functions


def _function(call: Call, name: str, alpha: float | None, beta: float | None, is_gate: bool) -> Function:
    given: dict[str, Any] = {key: number for key, number in (("alpha", alpha), ("beta", beta)) if number is not None}
    if name not in OPERATORS and (name not in DEFAULTS or len(given) < 2):
        raise UnprovenError(f"activation {name!r} of {call.node.op_type} isn't known, or lacks alpha or beta")

    def function(x: Value) -> Value:
        x = _clipped(call, x) if is_gate else x
        if name in OPERATORS:
            return call.of(OPERATORS[name], x, **given)
        factor, more = (call.constant(given[key], x.dtype) for key in ("alpha", "beta"))
        if name == "affine":
            return call.of("Add", call.of("Mul", x, factor), more)
        return call.of("Mul", call.of("Tanh", call.of("Mul", x, more)), factor)

    return function


def _clipped(call: Call, x: Value) -> Value:
    clip: Any = call.attributes.get("clip")
    if clip is None:
        return x
    if call.opset < 11 and not call.node.domain:
        return call.of("Clip", x, min=-clip, max=clip)
    return call.of("Clip", x, call.constant(-clip, x.dtype), call.constant(clip, x.dtype))


# Moves


def _front(lead: int, *places: Any) -> tuple[Any, ...]:
    return (*[slice(None)] * lead, *places)


def _at(value: Value, index: int) -> Value:
    """Return what lies at a place of the first axis."""
    return value.moved(lambda array, lead: array[_front(lead, index)])


def _rows(gate: int, hidden: int) -> slice:
    return slice(gate * hidden, (gate + 1) * hidden)


def _gate(value: Value, gate: int, hidden: int) -> Value:
    """A gate's part of the last axis."""
    return value.moved(lambda array, _: array[..., _rows(gate, hidden)])


def _transposed(value: Value) -> Value:
    return value.moved(lambda array, _: array.swapaxes(-1, -2))


def _swapped(value: Value) -> Value:
    """The value with its first two axes in each other's place."""
    return value.moved(lambda array, lead: array.swapaxes(lead, lead + 1))
