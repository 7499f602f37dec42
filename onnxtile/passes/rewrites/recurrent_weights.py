"""The weights of one direction of a recurrent operator, and its products: constants are laid out ahead of time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import little_endian, read_array
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.passes.rewrites.arithmetic import Arithmetic, Term
from onnxtile.passes.rewrites.axes import Axes, sized
from onnxtile.passes.rewrites.recurrent_node import Recurrent


class DirectionWeights:
    """Weights of a direction; W is [input size, gates * hidden size], R [hidden size, gates * hidden size].

    What is used in steps is made with this object, so that it lies outside of them.
    """

    def __init__(self, of: Recurrent, direction: int, axes: Axes, model: ir.Model) -> None:
        x = of.input(0)
        assert x is not None and x.dtype is not None
        self.of, self.axes, self.new, self.dtype = of, axes, axes.new, x.dtype
        self.arithmetic = Arithmetic(axes.new, model, axes.opset)
        self._direction, self._version = direction, declared_ir_version(model)
        self._reset_apart = of.kind == "GRU" and not of.flag("linear_before_reset")
        columns = [(0, 2), (2, 3)] if self._reset_apart else [(0, of.gates)]
        leaves = ["R", "R_reset"]
        self._states = [
            self._matrix(leaf, 2, of.hidden, start * of.hidden, stop * of.hidden)
            for leaf, (start, stop) in zip(leaves, columns, strict=False)
        ]

    def by_input(self, leaf: str, x: ir.Value) -> ir.Value:
        """Add the product of X, [..., input size], and W."""
        return self._product(leaf, x, self._matrix("W", 1, self.of.width, 0, self.of.gates * self.of.hidden))

    def by_state(self, leaf: str, h: ir.Value) -> ir.Value:
        """Add the product of the state and R; of GRU's last gate's, where it's reset before, without that gate."""
        return self._product(leaf, h, self._states[0])

    def by_reset_state(self, leaf: str, h: ir.Value) -> ir.Value:
        """Add the product of the state that was reset and R of GRU's last gate."""
        return self._product(leaf, h, self._states[1])

    def bias(self) -> ir.Value | None:
        """Return the biases that are added to what X gives, [gates * hidden size]: those of X and of the state."""
        if self._biases is None:
            return None
        of_input, of_state = self._biases
        if self.of.kind == "GRU" and not self._reset_apart:
            of_state = [*of_state[:2], np.zeros(self.of.hidden, self.dtype.numpy())]
        arithmetic, dtype = self.arithmetic, self.dtype
        sums = [
            arithmetic.of("Add", f"bias_{index}", one, other, dtype) if not _is_zero(other) else one
            for index, (one, other) in enumerate(zip(of_input, of_state, strict=True))
        ]
        if all(isinstance(total, np.ndarray) for total in sums):
            return self.new.constant("bias", np.concatenate([np.asarray(total) for total in sums]), dtype)
        values = [arithmetic.value(total, f"bias_{index}", dtype) for index, total in enumerate(sums)]
        return self.new.node("Concat", "bias", values, {"axis": 0}, dtype=dtype) if len(values) > 1 else values[0]

    def reset_bias(self) -> ir.Value | None:
        """Return the bias of the state in GRU's last gate, which is reset with it."""
        return None if self._biases is None else self.arithmetic.value(self._biases[1][2], "reset_bias", self.dtype)

    def peepholes(self) -> list[ir.Value]:
        """Return the peepholes of gates i, o, f; none where there's none."""
        pieces = self._pieces("P", 7, 3)
        return [self.arithmetic.value(term, f"P_{leaf}", self.dtype) for leaf, term in zip("iof", pieces, strict=False)]

    @cached_property
    def _biases(self) -> tuple[list[Term], list[Term]] | None:
        """The biases of X and of the state, a term a gate."""
        gates, pieces = self.of.gates, self._pieces("B", 3, 2 * self.of.gates)
        return (pieces[:gates], pieces[gates:]) if pieces else None

    def _pieces(self, leaf: str, index: int, count: int) -> list[Term]:
        """Return the direction's row of an input, in pieces of the hidden size."""
        value, hidden = self.of.input(index), self.of.hidden
        if value is None:
            return []
        tensor = constant_tensor(value, self._version)
        if tensor is not None:
            row = read_array(tensor)[self._direction]
            return [row[at * hidden : (at + 1) * hidden] for at in range(count)]
        row_value = self._taken(f"{leaf}_row", value, [count * hidden])
        matrix = self.axes.reshape(f"{leaf}_rows", row_value, [count, hidden], [count, hidden])
        return [
            self.axes.take(f"{leaf}_{at}", matrix, self.axes.numbers(f"{leaf}_{at}_index", at), 0, [hidden])
            for at in range(count)
        ]

    def _taken(self, leaf: str, value: ir.Value, dims: Sequence[Dim]) -> ir.Value:
        """Take the direction's part of a value."""
        return self.axes.take(leaf, value, self.axes.numbers(f"{leaf}_direction", self._direction), 0, dims)

    def _matrix(self, leaf: str, index: int, rows: Dim, start: int, stop: int) -> ir.Value:
        """Return the direction's part of W or R as a right operand: of its columns those from `start` to `stop`."""
        value, total = self.of.input(index), self.of.gates * self.of.hidden
        assert value is not None and value.dtype is not None
        tensor, direction, swapped = constant_tensor(value, self._version), self._direction, not self.of.node.domain
        if tensor is not None:
            assert isinstance(rows, int)

            def laid_out() -> ir.TensorProtocol:
                array = little_endian(read_array(tensor))[direction]
                array = array.T if swapped else array
                return ir.Tensor(np.ascontiguousarray(array[:, start:stop]), dtype=tensor.dtype)

            return self.new.constant(
                leaf, ir.LazyTensor(laid_out, dtype=tensor.dtype, shape=ir.Shape([rows, stop - start]))
            )
        taken = self._taken(f"{leaf}_of_direction", value, [total, rows] if swapped else [rows, total])
        if swapped:
            taken = self.new.transpose(f"{leaf}_transposed", taken, [1, 0])
        return taken if (start, stop) == (0, total) else self._columns(leaf, taken, rows, start, stop)

    def _columns(self, leaf: str, matrix: ir.Value, rows: Dim, start: int, stop: int) -> ir.Value:
        indices = self.axes.numbers(f"{leaf}_columns", range(start, stop))
        return self.new.node("Gather", leaf, [matrix, indices], {"axis": 1}, sized([rows, stop - start]), matrix.dtype)

    def _product(self, leaf: str, x: ir.Value, weight: ir.Value) -> ir.Value:
        assert x.shape is not None and weight.shape is not None
        product = self.new.node(
            "MatMul", leaf, [x, weight], None, ir.Shape([*x.shape[:-1], weight.shape[-1]]), self.dtype
        )
        self.new.stand_in(f"/{leaf}")
        return product


def _is_zero(term: Term) -> bool:
    return isinstance(term, np.ndarray) and not term.any()
