"""Count how often the body of a node runs."""

from __future__ import annotations

import re
from collections.abc import Container

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int, attribute_ints, input_of, node_name
from onnxtile.ir.metadata import NUMBERS_META
from onnxtile.ir.symbolic.amounts import Amount, Number, Range, Unknown, size_of, symbol
from onnxtile.operators.sizes import dimensions

_SEEN_THROUGH = ("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape")
_MOST_LINKS = 64
_ENDLESS = 2**63 - 1
"""The trip count of loops that only their condition ends: exporters write the largest number."""
_SCAN_OPSET = 9
_NO_NAME = re.compile(r"^(?=\d)|[^\w.]")
_LONGEST = 64
"""Characters of a symbol's name."""


class Trips:
    """Counts trips; `symbols`: what the symbols that stand for counts mean. `taken`: names of other symbols."""

    def __init__(self, main: ir.Graph, taken: Container[str] = ()) -> None:
        self._taken = taken
        self._named: dict[ir.Value, str] = {}
        self._once = {main}
        self.symbols: dict[str, str] = {}

    def enter(self, branch: ir.Graph, around: ir.Graph | ir.Function) -> None:
        """Note that a branch of an If in the graph `around` runs once at most if that does."""
        if around in self._once:
            self._once.add(branch)

    def of(self, node: ir.Node, opset: int | None) -> Amount:
        """Return how often a node of that default opset runs the body of Loop, Scan or SequenceMap; others: unknown."""
        try:
            if node.domain == "" and node.op_type == "Loop":
                return self._loop(node)
            if node.domain == "" and node.op_type == "Scan":
                return _scan(node, opset)
        except UnsizedError as why:
            return Unknown(str(why))
        if node.domain == "" and node.op_type == "SequenceMap":
            return Unknown("how long its sequence is is known only at run time")
        return Unknown(f"how often {node.op_type} runs its graph isn't known")

    def _loop(self, node: ir.Node) -> Amount:
        """Count the trips of a Loop (ONNX): at most the trip count, and while the condition holds."""
        trips, condition = (input_of(node, index) for index in range(2))
        begins = True if condition is None else boolean(condition)
        if begins is False:
            return 0
        most = None if trips is None else self._count(trips)
        if isinstance(most, Unknown) or most == 0:
            return most
        if most is None:
            words = "neither a trip count nor a condition that ends it"
            return Unknown(f"it has {words}" if goes_on(node) else "its condition, computed at run time, ends it")
        if begins is True and goes_on(node):
            return most
        least = 1 if begins is True and isinstance(most, int) else 0
        return most if most == least else Range(least, most)

    def _count(self, value: ir.Value) -> Number | Unknown | None:
        """Return the trip count: a number, a formula, or a symbol for the value that's fed; None: it's endless."""
        source = value
        for _ in range(_MOST_LINKS):
            known = number_of(source)
            if known is not None:
                return (None if known >= _ENDLESS else max(0, known)) if isinstance(known, int) else known
            producer = source.producer()
            behind = producer.inputs[0] if producer is not None and producer.inputs else None
            if producer is None or behind is None or not _keeps_numbers(producer):
                break
            source = behind
        if (source.graph if producer is None else producer.graph) not in self._once:
            return Unknown(f"its trip count {source.name!r} may be another in each run of the graph around it")
        return symbol(self._name(source))

    def _name(self, source: ir.Value) -> str:
        if source not in self._named:
            name = _NO_NAME.sub("_", str(source.name))[:_LONGEST]
            while name in self._taken or name in self.symbols:
                name += "_"
            self._named[source] = name
            self.symbols[name] = f"the number that {source.name!r} holds"
        return self._named[source]


def _keeps_numbers(node: ir.Node) -> bool:
    if node.domain or node.op_type not in _SEEN_THROUGH:
        return False
    return node.op_type != "Cast" or node.outputs[0].dtype in (ir.DataType.INT32, ir.DataType.INT64)


def number_of(value: ir.Value) -> Number | None:
    """Return the one whole number or truth value that a value holds, where that's known without running the model."""
    tensor = None if value.is_graph_input() else ir.convenience.get_const_tensor(value)
    if tensor is not None:
        whole = tensor.dtype.is_integer() or tensor.dtype == ir.DataType.BOOL
        return int(tensor.numpy().reshape(())) if whole and tensor.size == 1 else None
    numbers = value.meta.get(NUMBERS_META)
    if isinstance(numbers, list) and len(numbers) == 1:
        try:
            return size_of(numbers[0])
        except ValueError:
            return None
    return None


def boolean(value: ir.Value) -> bool | None:
    """Return what a condition always is; None where that depends on the run."""
    known = number_of(value)
    return bool(known) if isinstance(known, int) else None


def goes_on(node: ir.Node) -> bool:
    """Return whether the body can't end the loop: its condition is always true, or what it was before."""
    attribute = node.attributes.get("body")
    if attribute is None or attribute.is_ref():
        return False
    body = attribute.as_graph()
    condition = body.outputs[0] if body.outputs else None
    for _ in range(_MOST_LINKS):
        if condition is None:
            return False
        if (len(body.inputs) > 1 and condition is body.inputs[1]) or boolean(condition) is True:
            return True
        producer = condition.producer()
        if producer is None or producer.domain or producer.op_type not in ("Identity", "Cast") or not producer.inputs:
            return False
        condition = producer.inputs[0]
    return False


def _scan(node: ir.Node, opset: int | None) -> Amount:
    """Count the trips of a Scan (ONNX): the length of the scanned axis (before opset 9 the first is a batch)."""
    count = attribute_int(node, "num_scan_inputs", 0)
    if not 0 < count <= len(node.inputs):
        return Unknown(f"Scan {node_name(node)!r} scans no input")
    if opset is None or opset < _SCAN_OPSET:
        return Unknown(f"Scan of opset {opset} isn't followed; convert the model to opset {_SCAN_OPSET} or newer")
    axis = next(iter(attribute_ints(node, "scan_input_axes", ())), 0)
    sizes = dimensions(node.inputs[len(node.inputs) - count])
    if isinstance(sizes, Unknown):
        return sizes
    if not -len(sizes) <= axis < len(sizes):
        return Unknown(f"its input has no axis {axis}")
    return sizes[axis]
