"""A recurrent operator written out: one product for what X gives in all steps, and steps in a Scan, or one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import read_array
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.sizes import count_of
from onnxtile.passes.rewrites.axes import INT64, Axes, sized
from onnxtile.passes.rewrites.recurrent_cells import CELLS, Cell
from onnxtile.passes.rewrites.recurrent_node import Recurrent
from onnxtile.passes.rewrites.recurrent_quantized import QuantizedWeights
from onnxtile.passes.rewrites.recurrent_weights import DirectionWeights
from onnxtile.passes.rewrites.replacement import Replacement

ALLOW_ZERO_FROM = 14
"""The version of the default operator set from which Reshape takes sizes of 0 as they are."""
INT32 = ir.DataType.INT32


class Layer:
    """Writes a node out. `unrolled`: its steps one by one, which have to be a number then."""

    def __init__(self, of: Recurrent, new: Replacement, model: ir.Model, opset: int, unrolled: bool) -> None:
        self.of, self.new, self.axes, self.unrolled = of, new, Axes(new, opset), unrolled
        self._model = model
        x = of.input(0)
        assert x is not None and x.dtype is not None
        self.dtype = x.dtype
        self.x = new.transpose("X_steps_first", x, [1, 0, 2] if of.batch_first else [0, 1, 2])
        self._sizes: ir.Value | None = None

    def write(self) -> list[ir.Value | None]:
        """Add all nodes and return Y, Y_h and Y_c, None for those that the node leaves out."""
        wanted = [bool(output.name) for output in self.of.node.outputs]
        if self.of.empty:
            return self._without_steps(wanted)
        names = ["forward", "backward"] if len(self.of.backwards) > 1 else [""]
        mask, pieces = self._mask(), []
        for direction, (name, backwards) in enumerate(zip(names, self.of.backwards, strict=True)):
            if name:
                with self.new.within(name):
                    pieces.append(self._direction(direction, backwards, mask, wanted[0]))
            else:
                pieces.append(self._direction(direction, backwards, mask, wanted[0]))
        return [
            self._joined(leaf, [piece[index] for piece in pieces], self._axis(index)) if is_wanted else None
            for index, (leaf, is_wanted) in enumerate(zip(("Y", "Y_h", "Y_c"), wanted, strict=False))
        ]

    def _without_steps(self, wanted: Sequence[bool]) -> list[ir.Value | None]:
        """Add what a node without steps gives, or one without elements."""
        of, directions = self.of, len(self.of.backwards)
        assert isinstance(of.steps, int) and isinstance(of.batch, int)
        shapes = [(of.steps, directions, of.batch, of.hidden), *[(directions, of.batch, of.hidden)] * 2]
        if of.batch_first:
            shapes = [(of.batch, of.steps, directions, of.hidden), *[(of.batch, directions, of.hidden)] * 2]
        made: list[ir.Value | None] = []
        for leaf, index, shape, is_wanted in zip(("Y", "Y_h", "Y_c"), (-1, 5, 6), shapes, wanted, strict=False):
            value = of.input(index) if index > 0 else None
            if is_wanted and value is None:
                value = self.new.constant(f"{leaf}_zeros", np.zeros(shape, self.dtype.numpy()), self.dtype)
            identity = [value] if is_wanted and value is not None else []
            made += [self.new.node("Identity", leaf, identity, None, ir.Shape(shape), self.dtype) if identity else None]
        return made

    def _axis(self, index: int) -> int:
        """The axis of directions in Y, or in Y_h and Y_c."""
        return (2 if self.of.batch_first else 1) if index == 0 else int(self.of.batch_first)

    def _joined(self, leaf: str, values: Sequence[ir.Value | None], axis: int) -> ir.Value:
        pieces = [
            self.axes.unsqueeze(f"{leaf}_{index}" if len(values) > 1 else leaf, value, axis)
            for index, value in enumerate(values) if value is not None
        ]  # fmt: skip
        return self.new.node("Concat", leaf, pieces, {"axis": axis}, dtype=self.dtype) if len(pieces) > 1 else pieces[0]

    def _direction(
        self, direction: int, backwards: bool, mask: ir.Value | None, is_read: bool
    ) -> list[ir.Value | None]:
        """Add a direction; return Y without its axis of directions, if it's read, and the last states."""
        of = self.of
        kind = QuantizedWeights if of.node.domain else DirectionWeights
        weights = kind(of, direction, self.axes, self._model)
        x = self._of_input(weights)
        with self.new.within("step"):
            cell = CELLS[of.kind](of, self.axes, weights, of.activations[direction])
            zero = None if mask is None else cell.scalar("zero", 0.0)
        states = [self._first(leaf, index, direction) for leaf, index in self._state_inputs()]
        steps = Steps(self, cell, mask, zero, backwards)
        y, states = steps.unrolled(x, states) if self.unrolled else steps.scanned(x, states, is_read)
        if y is not None and of.batch_first:
            y = self.new.transpose("Y_batch_first", y, [1, 0, 2])
        return [y, *states]

    def _state_inputs(self) -> list[tuple[str, int]]:
        return [("h_0", 5), ("c_0", 6)][: 1 + (self.of.kind == "LSTM")]

    def _of_input(self, weights: DirectionWeights) -> ir.Value:
        """Add what X gives in all steps, [steps, batch, gates * hidden size], as one product of steps * batch rows."""
        of, axes, n = self.of, self.axes, self.of.gates * self.of.hidden
        x, known = self.x, isinstance(of.steps, int) or isinstance(of.batch, int)
        merged = of.width != 0 and (known or axes.opset >= ALLOW_ZERO_FROM)
        if merged:
            assert isinstance(of.width, int)
            rows = count_of([of.steps, of.batch])
            x = axes.reshape("X_rows", x, [-1, of.width], [rows, of.width])
        total = weights.by_input("input", x)
        bias = weights.bias()
        if bias is not None:
            total = self.new.node("Add", "input_biased", [total, bias], None, total.shape, self.dtype)
        if not merged:
            return total
        dims: list[Dim] = [of.steps, of.batch, n]
        if known:
            return axes.reshape("input_steps", total, [dim if isinstance(dim, int) else -1 for dim in dims], dims)
        both, columns = self._size("steps_and_batch", [0, 1]), axes.numbers("columns", [n])
        sizes = self.new.node("Concat", "input_sizes", [both, columns], {"axis": 0}, dtype=INT64)
        return self.new.node("Reshape", "input_steps", [total, sizes], {"allowzero": 1}, sized(dims), self.dtype)

    def _size(self, leaf: str, places: int | list[int]) -> ir.Value:
        """Add sizes of X, steps first: a number, or a vector."""
        if self._sizes is None:
            self._sizes = self.new.node("Shape", "sizes", [self.x], dtype=INT64)
        index = self.axes.numbers(f"{leaf}_index", places)
        return self.new.node("Gather", leaf, [self._sizes, index], {"axis": 0}, dtype=INT64)

    def _first(self, leaf: str, index: int, direction: int) -> ir.Value:
        """Return the first state of a direction, [batch, hidden size]."""
        of, axes = self.of, self.axes
        value, dims = of.input(index), [of.batch, of.hidden]
        if value is not None:
            return axes.take(leaf, value, axes.numbers(f"{leaf}_direction", direction), int(of.batch_first), dims)
        numpy_dtype = self.dtype.numpy()
        if isinstance(of.batch, int):
            return self.new.constant(leaf, np.zeros((of.batch, of.hidden), numpy_dtype), self.dtype)
        zeros = self.new.constant(f"{leaf}_zeros", np.zeros((1, of.hidden), numpy_dtype), self.dtype)
        sizes = [self._size(f"{leaf}_batch", [1]), axes.numbers(f"{leaf}_one", [1])]
        shape = self.new.node("Concat", f"{leaf}_shape", sizes, {"axis": 0}, dtype=INT64)
        return self.new.node("Expand", leaf, [zeros, shape], None, sized(dims), self.dtype)

    def _mask(self) -> ir.Value | None:
        """Return whether each sequence is still running in each step, [steps, batch, 1]; None: all are."""
        of, lengths = self.of, self.of.input(4)
        if lengths is None:
            return None
        tensor = constant_tensor(lengths, declared_ir_version(self._model))
        if tensor is not None and isinstance(of.steps, int) and (read_array(tensor) == of.steps).all():
            return None
        if isinstance(of.steps, int):
            steps = self.new.constant("steps", np.arange(of.steps, dtype=np.int32).reshape(-1, 1, 1), INT32)
        else:
            count = self.new.node(
                "Cast", "steps_count", [self._size("steps_size", 0)], {"to": INT32.value}, dtype=INT32
            )
            first, by = (self.new.constant(f"steps_{n}", np.array(n, np.int32), INT32) for n in (0, 1))
            numbers = self.new.node("Range", "steps_numbers", [first, count, by], dtype=INT32)
            steps = self.axes.reshape("steps", numbers, [-1, 1, 1], [of.steps, 1, 1])
        row = self.axes.reshape("lengths", lengths, [1, -1, 1], [1, of.batch, 1])
        return self.new.node("Less", "running", [steps, row], None, sized([of.steps, of.batch, 1]), ir.DataType.BOOL)


class Steps:
    """The steps of a direction; sequences that have ended keep their states, and give zeros."""

    def __init__(self, layer: Layer, cell: Cell, mask: ir.Value | None, zero: ir.Value | None, backwards: bool) -> None:
        self._layer, self._cell, self._mask, self._zero, self._backwards = layer, cell, mask, zero, backwards
        self._new, self._axes = layer.new, layer.axes

    def _step(self, x: ir.Value, states: Sequence[ir.Value], mask: ir.Value | None) -> tuple[ir.Value, list[ir.Value]]:
        """Add a step; return what it gives, and the states after it."""
        made = self._cell.step(x, states)
        if mask is None or self._zero is None:
            return made[0], made
        y = self._chosen("y", mask, made[0], self._zero)
        return y, [self._chosen(f"{leaf}_kept", mask, *pair) for leaf, *pair in zip("hc", made, states, strict=False)]

    def _chosen(self, leaf: str, mask: ir.Value, running: ir.Value, ended: ir.Value) -> ir.Value:
        return self._new.node("Where", leaf, [mask, running, ended], None, running.shape, running.dtype)

    def scanned(self, x: ir.Value, states: Sequence[ir.Value], is_read: bool) -> tuple[ir.Value | None, list[ir.Value]]:
        """Add a Scan; return Y, if it's read, and the last states."""
        new, of, dtype = self._new, self._layer.of, self._layer.dtype
        scanned = [x, *([] if self._mask is None else [self._mask])]
        with new.within("step"), new.inside() as nodes:
            formal = [_formal(f"{new.prefix}/{leaf}_before", value) for leaf, value in zip("hc", states, strict=False)]
            pieces = [
                _formal(f"{new.prefix}/{leaf}", value, 1) for leaf, value in zip(("x", "mask"), scanned, strict=False)
            ]
            y, made = self._step(pieces[0], formal, pieces[1] if len(pieces) > 1 else None)
            given = [*made, y] if is_read else made
            if is_read and any(y is state for state in made):
                given[-1] = new.node("Identity", "y", [y], None, y.shape, dtype)
            name = f"{new.prefix}/body"
        body = ir.Graph([*formal, *pieces], given, nodes=nodes, name=name)
        attributes: dict[str, object] = {"body": body, "num_scan_inputs": len(scanned)}
        if self._backwards:
            attributes["scan_input_directions"] = [1] * len(scanned)
            attributes |= {"scan_output_directions": [1]} if is_read else {}
        first = new.node("Scan", "steps_run", [*states, *scanned], attributes, dtype=dtype)
        node = first.producer()
        assert node is not None
        node.resize_outputs(len(given))
        leaves = ["h_last", "c_last"][: len(states)] + ["y_all"] * is_read
        dims: list[list[Dim]] = [[of.batch, of.hidden]] * len(states) + [[of.steps, of.batch, of.hidden]] * is_read
        for output, leaf, sizes in zip(node.outputs, leaves, dims, strict=True):
            output.name, output.type, output.shape = f"{new.prefix}/{leaf}", ir.TensorType(dtype), sized(sizes)
        outputs = list(node.outputs)
        return (outputs[-1] if is_read else None), outputs[: len(states)]

    def unrolled(self, x: ir.Value, states: Sequence[ir.Value]) -> tuple[ir.Value, list[ir.Value]]:
        """Add all steps; return Y and the last states."""
        new, of, axes = self._new, self._layer.of, self._axes
        assert isinstance(of.steps, int)
        results: list[ir.Value] = []
        last = list(states)
        order = range(of.steps)
        with new.within("step"):
            indices = [axes.numbers(f"index_{step}", step) for step in order]
        for step in reversed(order) if self._backwards else order:
            with new.within(f"step{step}"):
                piece = axes.take("x", x, indices[step], 0, [of.batch, of.gates * of.hidden])
                mask = None if self._mask is None else axes.take("mask", self._mask, indices[step], 0, [of.batch, 1])
                y, last = self._step(piece, last, mask)
            results.append(y)
        if self._backwards:
            results.reverse()
        rows = (
            new.node("Concat", "Y_rows", results, {"axis": 0}, dtype=self._layer.dtype)
            if len(results) > 1
            else results[0]
        )
        sizes = [of.steps, of.batch if isinstance(of.batch, int) else -1, of.hidden]
        return axes.reshape("Y_steps", rows, sizes, [of.steps, of.batch, of.hidden]), last


def _formal(name: str, value: ir.Value, first_axis: int = 0) -> ir.Value:
    """Return an input of a body that is given a value, or its parts along the first axis."""
    assert value.shape is not None and value.dtype is not None
    shape = ir.Shape(list(value.shape)[first_axis:])
    return ir.Value(name=name, type=ir.TensorType(value.dtype), shape=shape)
