"""Evaluate nodes on numbers of the field: each operator as the list has it, any other as a function of its inputs."""

from __future__ import annotations

import hashlib
import math
import time
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.errors import UnsupportedError
from onnxtile.ir.io.checker import one_line
from onnxtile.verification import linearity
from onnxtile.verification.field import Field
from onnxtile.verification.graphs import RANDOM, types_said, with_attributes
from onnxtile.verification.semantics import families  # noqa: F401  # it puts operators on the list
from onnxtile.verification.semantics.entry import OPERATORS, WHOLE, Call
from onnxtile.verification.semantics.schemas import DEFAULT, check_said, check_types, inferred, since
from onnxtile.verification.value import UnprovenError, Value

Names = MutableMapping[str, Value]
Key = tuple[str, str, str]
MOST_TURNS = 200_000
"""Turns of loops that are run for a region."""
MOST_LOOKED_AT = 8
"""Turns of a loop in which what sizes decide is looked at."""
MOST_DECIDED = 64
"""Elements of an array of sizes that are looked at."""
BOOLEAN = frozenset(
    ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Not", "Xor", "IsNaN", "IsInf")
)


class Evaluator:
    """One side of a region. `products`: M, K, N of each product that ran; `met`: whole numbers that sizes met.

    `looks`: operators that decide something by a size of a free dimension, with what they see. `free`: sizes are such.
    `exact_scales`: dequantized constants are whole numbers times their scale, not what that is rounded to.
    """

    def __init__(
        self,
        field: Field,
        local: Mapping[Key, onnx.FunctionProto],
        opsets: Mapping[str, int],
        array: Callable[[onnx.TensorProto], np.ndarray],
        free: bool = False,
        deadline: float = math.inf,
        refused: frozenset[tuple[str, str]] | None = frozenset(),
        exact_scales: bool = False,
        is_original: bool = False,
    ) -> None:
        self.field, self.free = field, free
        self.array, self.exact_scales, self.is_original = array, exact_scales, is_original
        self._functions, self._opsets, self._deadline, self._refused = local, opsets, deadline, refused
        self.products: list[tuple[int, int, int]] = []
        self.multiplied: set[ir.DataType] = set()
        """Types that numbers were multiplied in by products."""
        self.types: set[ir.DataType] = set()
        """Types of all values."""
        self.summed, self.narrowed = set[ir.DataType](), set[ir.DataType]()
        """Types of floating point in which numbers were added or multiplied, and to which they were cast."""
        self.met: set[int] = set()
        self.looks: dict[tuple[str, bytes], None] = {}
        self.divisors: set[int] = set()
        """Numbers that sizes are divided by, 0 for a size."""
        self._before: dict[object, int] = {}
        self.decisions: dict[object, int] = {}
        """By how much numbers that decide something by a size are below others (breakpoints.py)."""
        self._place: tuple[int, ...] = ()
        self.made: list[Value] | None = None
        """All values that nodes make, where that's asked for."""
        self.functions: dict[str, str] = {}
        """Functions that aren't looked into, by all that they are but their operands: their operators."""
        self.risky: list[tuple[str, np.ndarray]] = []
        """Operators that may fail by what numbers are, with hashes of these."""
        self.wide: dict[int, tuple[Value, Value]] = {}
        """Constants in int32, beside what they were, by its identity."""
        self.coarse = False
        """It has a product by packed weights that engines may compute in bytes."""
        self.reach, self.peak = (0.0, 0.0), -math.inf
        """The smallest and largest exponent of 2 by which constants have multiplied a number; a product of floats."""
        self.degree = 0
        """The largest degree of a polynomial."""
        self.at: onnx.NodeProto | None = None
        """The node that is being evaluated, of the outermost graph."""
        self._turns = self._depth = 0
        self._path: tuple[int, ...] = ()
        """The turns of the loops that are running."""

    def run(self, nodes: Iterable[onnx.NodeProto], names: Names, said: Mapping[str, int] = {}) -> None:
        """Evaluate nodes in order, adding what they make to the names. Raises UnprovenError.

        `said`: types that the file says values have.
        """
        place = self._place
        for position, node in enumerate(nodes):
            self._place = (*place, position)
            if not self._depth:
                self.at = node
                self._on_time()
            results = self._node(node, names)
            for name, value in zip(node.output, results, strict=False):
                if name and value is not None:
                    names[name] = value
                    self.types.add(value.dtype)
                    if self.made is not None:
                        self.made.append(value)
                    check_said(name, value, said)
        self._place = place

    @property
    def default_opset(self) -> int:
        """The version of the default operator set that nodes are written in."""
        return self._opsets.get("", self._opsets.get("ai.onnx", 0))

    def look(self, op_type: str, *values: Value) -> None:
        """Remember an operator that decides something by a size, and what it sees."""
        digest = hashlib.sha256()
        for value in values:
            if value.known is not None:
                digest.update(f"{value.dtype} {value.shape}".encode() + value.known.tobytes())
        self.looks[op_type, digest.digest()] = None

    def decide(self, *numbers: np.ndarray | int) -> None:
        """Remember numbers whose sign decides something, in the first turns of loops; and turns after that changed."""
        if not self.free:
            return
        elements = (int(element) for array in numbers for element in np.asarray(array).reshape(-1)[:MOST_DECIDED])
        turn = max(self._path, default=0)
        for at, number in enumerate(elements):
            key = self.is_original, self._place, at
            if turn < MOST_LOOKED_AT:
                self.decisions[key if turn <= 0 else (key, self._path)] = number
            change = number - self._before.get(key, number)
            self._before[key] = number
            if turn > 0 and change:
                self.decisions[key, "turns"] = number // change

    def evaluated(
        self, nodes: Iterable[onnx.NodeProto], given: dict[str, Value], outputs: Sequence[str]
    ) -> list[Value]:
        """Evaluate nodes that stand for another, from these values alone."""
        names: Names = dict(given)
        self._depth += 1
        self.run(nodes, names)
        self._depth -= 1
        return [_found(names, name) for name in outputs]

    def inside(self, graph: onnx.GraphProto, given: dict[str, Value], call: Call, turn: int = -1) -> list[Value]:
        """Evaluate a graph that a node holds, in this turn of a loop."""
        outer, self._path = self._path, (*self._path, turn)
        names: Names = ChainMap(given, call.names)
        said = types_said(graph)
        for name, value in given.items():
            check_said(name, value, said)
        for tensor in graph.initializer:
            names[tensor.name] = Value.constant(self.field, self.array(tensor), ir.DataType(tensor.data_type))
        self._depth += 1
        self.run(graph.node, names, said)
        self._depth, self._path = self._depth - 1, outer
        return [_found(names, value.name) for value in graph.output]

    def turn(self) -> None:
        """Count a turn of a loop."""
        self._turns += 1
        self.turns(0)
        self._on_time()

    def turns(self, more: int) -> None:
        """Refuse so many turns more, where they're too many."""
        if self._turns + more > MOST_TURNS:
            raise UnprovenError(f"its loops have more than {MOST_TURNS:,} turns")

    def _on_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise UnsupportedError("the proof takes longer than the timeout allows; give it more")

    def _node(self, node: onnx.NodeProto, names: Names) -> Sequence[Value | None]:
        domain = "" if node.domain in DEFAULT else node.domain
        inputs = [_found(names, name) if name else None for name in node.input]
        attributes: dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.ref_attr_name:
                raise UnprovenError(f"{node.op_type} refers to an attribute of a function from a graph inside it")
            attributes[attribute.name] = onnx.helper.get_attribute_value(attribute)
        opset = self._opsets.get(domain, self._opsets.get("ai.onnx", 0))
        call = Call(node, inputs, attributes, opset, self, names)
        function = self._functions.get((node.domain, node.op_type, node.overload))
        if function is not None:
            return self.called(function, call)
        check_types(domain, node.op_type, opset, inputs)
        entry = OPERATORS.get((domain, node.op_type))
        if entry is None:
            if self._refused is None or (domain, node.op_type) in self._refused:
                raise UnprovenError(f"{node.op_type} isn't on the list of operators that are evaluated")
            return self.opaque_outputs(call)
        for name in attributes.keys() - entry.attributes:
            raise UnprovenError(f"{node.op_type} has attribute {name!r}, which isn't on the list")
        for index, value in enumerate(inputs if entry.takes_whole_numbers else ()):
            kind = entry.of_input(index)
            if value is not None and kind in WHOLE and value.known is None:
                words = f"input {index} of {node.op_type}, its {kind}, isn't known: it comes from inputs or numbers"
                raise UnprovenError(words)
        try:
            found = entry.evaluate(call)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
            raise UnprovenError(f"{node.op_type} can't be evaluated: {one_line(error)}") from error
        results = [found] if isinstance(found, Value) else found
        linearity.note(call, entry, results)
        return results

    def called(self, function: onnx.FunctionProto, call: Call) -> list[Value | None]:
        """Evaluate a local function's body."""
        names: Names = {
            name: value for name, value in zip(function.input, call.inputs, strict=False) if value is not None
        }
        given = {argument.name: argument for argument in (*function.attribute_proto, *call.node.attribute)}
        outer, self._opsets = self._opsets, {opset.domain: opset.version for opset in function.opset_import}
        self._depth += 1
        self.run([with_attributes(node, given) for node in function.node], names)
        self._opsets, self._depth = outer, self._depth - 1
        return [names.get(name) for name in function.output]

    # functions that aren't looked into

    def function(
        self,
        call: Call,
        values: Sequence[Value],
        shape: tuple[int, ...],
        dtype: ir.DataType | None = None,
        name: str = "",
        axes: tuple[int, ...] = (),
    ) -> Value:
        """The numbers of a function of each element, or of whole lines along axes."""
        node = call.node
        if dtype is None:
            dtype = ir.DataType.BOOL if node.op_type in BOOLEAN else values[-1 if node.op_type == "Where" else 0].dtype
        types = ",".join(value.dtype.name for value in values)
        attributes = sorted((key, repr(value)) for key, value in call.attributes.items())
        tag = f"{name or f'{node.op_type} {node.domain} {attributes}'} {types}"
        self.functions[tag] = node.op_type
        rank = max([len(shape), *(len(value.shape) for value in values)])
        operands = [_ranked(value.lanes, rank) for value in values]
        operands += [_ranked(signs, rank) for value in values for signs in _signs_of_zeros(value)]
        states = np.broadcast_to(self.field.states(tag, operands), shape)
        if axes and states.size:
            states = self.field.line(np.ascontiguousarray(states), axes)
        return self._made(dtype, shape, self.field.numbers(np.ascontiguousarray(states)))

    def _made(self, dtype: ir.DataType, shape: tuple[int, ...], numbers: np.ndarray) -> Value:
        """Return what a function gives: its numbers are of its type, rounded or wrapped."""
        return Value(self.field, dtype, shape, numbers=self.field.rounded(numbers, dtype))

    def lookup(self, call: Call, table: Value, indices: Value, axis: int) -> Value:
        """A Gather whose indices aren't known: a function of the table, of the index, and of the place in its line."""
        self.may_fail(f"Gather of {table.shape[axis]}", indices)
        whole = self._whole(f"Gather {axis}", [table])
        states = self.field.states("", [_ranked(indices.lanes, max(len(indices.shape), 1))]) ^ whole
        states = states.reshape(indices.shape)
        front, back = table.shape[:axis], table.shape[axis + 1 :]
        shape = (*front, *indices.shape, *back)
        places = np.arange(max(math.prod(front) * math.prod(back), 1), dtype=np.uint64)
        places = places[: math.prod(front) * math.prod(back)].reshape(*front, *[1] * len(indices.shape), *back)
        spread = states.reshape(*[1] * len(front), *indices.shape, *[1] * len(back))
        with np.errstate(over="ignore"):
            numbers = self.field.numbers(self.field.hashed(spread + self.field.hashed(places)))
        return self._made(table.dtype, shape, numbers)

    def opaque(self, call: Call) -> Value:
        found = self.opaque_outputs(call)[0]
        assert found is not None
        return found

    def opaque_outputs(self, call: Call) -> list[Value | None]:
        """An operator that isn't on the list: its results are functions of all that it gets."""
        node = call.node
        if any(isinstance(attribute, onnx.GraphProto) for attribute in call.attributes.values()):
            raise UnprovenError(f"{node.op_type} holds a graph, and isn't on the list")
        named = f"{node.op_type} {node.domain} {since(call)} " + " ".join(
            attribute.SerializeToString(deterministic=True).hex()
            for attribute in sorted(node.attribute, key=lambda x: x.name)
        )
        named += "".join("_" if value is None else value.dtype.name for value in call.inputs)
        if node.op_type in RANDOM:
            named += f" {' '.join(node.output)} {self._path} {node.doc_string}"  # an input of its own
        total = ("" if node.domain in DEFAULT else node.domain, node.op_type) in OPERATORS
        made = self.whole_function(named, [value for value in call.inputs if value is not None], inferred(call), total)
        return [value if name else None for name, value in zip(node.output, made, strict=True)]

    def whole_function(
        self, name: str, values: Sequence[Value], wanted: Sequence[tuple[ir.DataType, tuple[int, ...]]], total: bool
    ) -> list[Value]:
        """Results of these types and shapes, functions of all elements of some values; if not `total`, it may fail."""
        state = self._whole(name, values)
        self.functions[name] = name.split()[0]
        if not total:
            self.risky.append((name.split()[0], state.reshape(-1)))
        return [
            self._made(dtype, shape, self.field.numbers(self.field.filled(state, shape, which)))
            for which, (dtype, shape) in enumerate(wanted)
        ]

    def any_numbers(self, name: str, like: Value) -> Value:
        """Numbers that stand for any, by their name and how deep in loops they are: the same on both sides."""
        state = self.field.states(f"any {name} {len(self._path)}", [])
        numbers = self.field.numbers(self.field.filled(state, like.shape, 0))
        return self._made(like.dtype, like.shape, numbers)

    def may_fail(self, name: str, value: Value) -> None:
        """Remember an operator that fails for some numbers."""
        self.risky.append((name, self.field.states(name, [value.lanes]).reshape(-1)))

    def _whole(self, name: str, values: Sequence[Value]) -> np.ndarray:
        """One hash of all elements of some values."""
        state = self.field.states(name, [])
        for value in values:
            operands = [value.lanes, *_signs_of_zeros(value)]
            operands = [operand.reshape(len(operand), -1) for operand in operands]
            own = self.field.states("", operands)
            with np.errstate(over="ignore"):
                shaped = state * np.uint64(3) + self.field.states(f"{value.shape}", [])
                state = self.field.hashed(shaped + np.add.reduce(self.field.line(own, (0,))))
        return state


def _signs_of_zeros(value: Value) -> list[np.ndarray]:
    """Return what a function sees of a number beside the number itself: the signs of zeros, by what they met."""
    signs = value.signs_of_zeros
    return [] if signs is None or not signs.any() else [signs]


def _ranked(lanes: np.ndarray, rank: int) -> np.ndarray:
    return lanes.reshape((lanes.shape[0], *[1] * (rank - lanes.ndim + 1), *lanes.shape[1:]))


def _found(names: Names, name: str) -> Value:
    value = names.get(name)
    if value is None:
        raise UnprovenError(f"{name!r} is read but made by nobody")
    return value
