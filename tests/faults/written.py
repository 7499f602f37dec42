"""Edits of a written model, as a faulty pass might leave it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Holder = onnx.GraphProto | onnx.FunctionProto
Change = Callable[[np.ndarray], np.ndarray]
Operand = str | np.ndarray
"""The name of a value, or numbers for a new constant."""


class Written:
    """A model under edit; each edit returns the names of the nodes that it touched.

    Nodes are found by their name or by a value that they make, in every body and function.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self._made = 0

    def holders(self) -> Iterator[Holder]:
        """The main graph, local functions, and every body in them."""
        waiting: list[Holder] = [self.model.graph, *self.model.functions]
        while waiting:
            holder = waiting.pop(0)
            yield holder
            waiting += [
                attribute.g for node in holder.node for attribute in node.attribute if attribute.HasField("g")
            ]  # fmt: skip

    def place(self, name: str) -> tuple[Holder, int]:
        """Return where a node is: in what, and at which place."""
        for found in (lambda node: node.name == name, lambda node: name in node.output):
            for holder in self.holders():
                for index, node in enumerate(holder.node):
                    if found(node):
                        return holder, index
        raise LookupError(f"no node {name!r}")

    def node(self, name: str) -> onnx.NodeProto:
        holder, index = self.place(name)
        return holder.node[index]

    def names(self, touched: list[str]) -> set[str]:
        """The names by which a report may call the nodes: their own, that of their first output, that of a call."""
        nodes = []
        for holder, index in map(self.place, touched):
            nodes.append(holder.node[index])
            if isinstance(holder, onnx.FunctionProto):
                nodes += [node for each in self.holders() for node in each.node if node.op_type == holder.name]
        return {name for node in nodes for name in (node.name, node.output[0]) if name}

    def reads(self, name: str, position: int, value: str) -> list[str]:
        """An input becomes another value."""
        self.node(name).input[position] = value
        return [name]

    def swap_inputs(self, name: str, one: int = 0, other: int = 1) -> list[str]:
        inputs = self.node(name).input
        inputs[one], inputs[other] = inputs[other], inputs[one]
        return [name]

    def swap_outputs(self, name: str, one: int = 0, other: int = 1) -> list[str]:
        outputs = self.node(name).output
        outputs[one], outputs[other] = outputs[other], outputs[one]
        return [name]

    def exchange(self, one: str, other: str, position: int) -> list[str]:
        """Two nodes read each other's input."""
        inputs = [self.node(name).input for name in (one, other)]
        inputs[0][position], inputs[1][position] = inputs[1][position], inputs[0][position]
        return [one, other]

    def without_input(self, name: str, position: int) -> list[str]:
        del self.node(name).input[position]
        return [name]

    def becomes(self, name: str, op_type: str, *inputs: str, **attributes: Any) -> list[str]:
        """Another operator in a node's place, under its name; without `inputs` it reads the same."""
        node = self.node(name)
        made = helper.make_node(op_type, inputs or list(node.input), list(node.output), node.name, **attributes)
        made.metadata_props.extend(node.metadata_props)
        node.CopyFrom(made)
        return [name]

    def bypassed(self, name: str) -> list[str]:
        """The node gives its first input on as it is."""
        return self.becomes(name, "Identity", self.node(name).input[0])

    def attribute(self, name: str, **attributes: Any) -> list[str]:
        node = self.node(name)
        kept = [attribute for attribute in node.attribute if attribute.name not in attributes]
        del node.attribute[:]
        node.attribute.extend([*kept, *(helper.make_attribute(key, value) for key, value in attributes.items())])
        return [name]

    def behind(self, name: str, op_type: str, *others: Operand, **attributes: Any) -> list[str]:
        """One more node behind a node: its readers get what that makes of the node's output."""
        holder, index = self.place(name)
        node, made = holder.node[index], self._name()
        output, node.output[0] = node.output[0], made
        new = helper.make_node(op_type, [made, *self._values(others)], [output], f"{made}/node", **attributes)
        new.metadata_props.extend(node.metadata_props)
        holder.node.insert(index + 1, new)
        return [node.name or made, new.name]

    def before(self, name: str, position: int, op_type: str, *others: Operand, **attributes: Any) -> list[str]:
        """One more node in front of an input."""
        holder, index = self.place(name)
        made, value = self._name(), holder.node[index].input[position]
        holder.node[index].input[position] = made
        new = helper.make_node(op_type, [value, *self._values(others)], [made], f"{made}/node", **attributes)
        new.metadata_props.extend(holder.node[index].metadata_props)
        holder.node.insert(index, new)
        return [new.name, name]

    def more_input(self, name: str, value: Operand) -> list[str]:
        """One more input, the last."""
        self.node(name).input.extend(self._values([value]))
        return [name]

    def constant(self, name: str, change: Change) -> list[str]:
        """Other numbers in a constant; touched is whatever reads it."""
        tensor = self._tensor(name)
        array = numpy_helper.to_array(tensor)
        changed = np.asarray(change(array.copy())).astype(array.dtype)
        assert changed.tobytes() != array.tobytes(), f"{name} stays as it was"
        tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
        return [node.name or node.output[0] for holder in self.holders() for node in holder.node if name in node.input]

    def _values(self, operands: Sequence[Operand]) -> list[str]:
        """Names of the operands; numbers become constants of the main graph, which bodies see too."""
        names = []
        for operand in operands:
            names.append(operand if isinstance(operand, str) else self._name())
            if not isinstance(operand, str):
                self.model.graph.initializer.append(numpy_helper.from_array(operand, names[-1]))
        return names

    def _tensor(self, name: str) -> onnx.TensorProto:
        for holder in self.holders():
            tensors = [] if isinstance(holder, onnx.FunctionProto) else list(holder.initializer)
            tensors += [
                node.attribute[0].t for node in holder.node if node.op_type == "Constant" and name in node.output
            ]
            for tensor in tensors:
                if tensor.name == name:
                    return tensor
        raise LookupError(f"no constant {name!r}")

    def _name(self) -> str:
        self._made += 1
        return f"fault{self._made}"


Edit = Callable[[Written], list[str]]


def _edit(method: Callable[..., list[str]]) -> Callable[..., Edit]:
    return lambda *arguments, **attributes: lambda written: method(written, *arguments, **attributes)


reads, bypassed, becomes, attribute = (
    _edit(method) for method in (Written.reads, Written.bypassed, Written.becomes, Written.attribute)
)
behind, before, more_input, without_input = (
    _edit(method) for method in (Written.behind, Written.before, Written.more_input, Written.without_input)
)
swap_inputs, swap_outputs, exchange, constant = (
    _edit(method) for method in (Written.swap_inputs, Written.swap_outputs, Written.exchange, Written.constant)
)


def both(*edits: Edit) -> Edit:
    """One edit after the other."""
    return lambda written: [name for edit in edits for name in edit(written)]


def at(index: Any, change: Change) -> Change:
    """Only the elements at an index are changed, by a function of them."""

    def changed(array: np.ndarray) -> np.ndarray:
        array[index] = change(array[index])
        return array

    return changed


def plus(*numbers: int) -> Change:
    return lambda array: array + np.array(numbers)


def ulp(numbers: np.ndarray) -> np.ndarray:
    """The next numbers of the type."""
    return np.nextafter(numbers, np.asarray(np.inf, numbers.dtype))
