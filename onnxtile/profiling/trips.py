"""How often the body of a node runs."""

from __future__ import annotations

from collections.abc import Container

import onnx_ir as ir

from onnxtile.contraction import attribute_int, node_name
from onnxtile.dimensions import NUMBERS_META
from onnxtile.profiling.amounts import Amount, Number, Range, Unknown, size_of, symbol
from onnxtile.profiling.values import dimensions

_SEEN_THROUGH = ("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape")
_MOST_LINKS = 64


class Trips:
    """Counts trips; `symbols`: what the symbols that stand for counts mean. `taken`: names of other symbols."""

    def __init__(self, taken: Container[str] = ()) -> None:
        self._taken = taken
        self.symbols: dict[str, str] = {}

    def of(self, node: ir.Node) -> Amount:
        """How often the node runs the body of Loop, Scan or SequenceMap; other bodies: unknown."""
        if node.domain == "" and node.op_type == "Loop":
            return self._loop(node)
        if node.domain == "" and node.op_type == "Scan":
            return _scan(node)
        if node.domain == "" and node.op_type == "SequenceMap":
            return Unknown("how long its sequence is is known only at run time")
        return Unknown(f"how often {node.op_type} runs its graph isn't known")

    def _loop(self, node: ir.Node) -> Amount:
        """ONNX, Loop: at most the trip count, and while the condition holds."""
        trips, condition = (node.inputs[index] if index < len(node.inputs) else None for index in range(2))
        most = None if trips is None else self._count(trips)
        if condition is not None and boolean(condition) is False:
            return 0
        if _goes_on(node):
            if most is not None:
                return most
            return Unknown("it has neither a trip count nor a condition that ends it")
        if most == 0 or (most is None and trips is not None):
            return 0
        return Range(0, most) if most is not None else Unknown("its condition, computed at run time, ends it")

    def _count(self, value: ir.Value) -> Number | None:
        """The trip count: a number, a formula, or a symbol that stands for the value that's fed."""
        source = value
        for _ in range(_MOST_LINKS):
            known = number_of(source)
            if known is not None:
                return known if not isinstance(known, int) else max(0, known)
            producer = source.producer()
            behind = producer.inputs[0] if producer is not None and producer.inputs else None
            if producer is None or behind is None or producer.domain or producer.op_type not in _SEEN_THROUGH:
                break
            source = behind
        name = str(source.name)
        while name in self._taken:
            name += "_"
        self.symbols[name] = f"the number that {source.name!r} holds"
        return symbol(name)


def number_of(value: ir.Value) -> Number | None:
    """The one number that an integer value holds, where it's known without running the model."""
    if not value.is_graph_input() and value.const_value is not None and value.const_value.size == 1:
        return int(value.const_value.numpy().reshape(()))
    producer = value.producer()
    if producer is not None and producer.domain == "" and producer.op_type == "Constant":
        tensor = ir.convenience.get_const_tensor(value)
        return None if tensor is None or tensor.size != 1 else int(tensor.numpy().reshape(()))
    numbers = value.meta.get(NUMBERS_META)
    if isinstance(numbers, list) and len(numbers) == 1:
        try:
            return size_of(numbers[0])
        except ValueError:
            return None
    return None


def boolean(value: ir.Value) -> bool | None:
    """What a condition always is; None where that depends on the run."""
    known = number_of(value)
    return bool(known) if isinstance(known, int) else None


def _goes_on(node: ir.Node) -> bool:
    """Whether the body's condition can't end the loop: always true, or what it was before."""
    attribute = node.attributes.get("body")
    if attribute is None or attribute.is_ref():
        return False
    body = attribute.as_graph()
    condition = body.outputs[0] if body.outputs else None
    for _ in range(_MOST_LINKS):
        if condition is None:
            return False
        if len(body.inputs) > 1 and condition is body.inputs[1]:
            first = node.inputs[1] if len(node.inputs) > 1 else None
            return first is None or boolean(first) is True
        if boolean(condition) is True:
            return True
        producer = condition.producer()
        if producer is None or producer.domain or producer.op_type not in ("Identity", "Cast") or not producer.inputs:
            return False
        condition = producer.inputs[0]
    return False


def _scan(node: ir.Node) -> Amount:
    """ONNX, Scan: as often as the scanned axis is long (from opset 9 on; before, the first axis is a batch)."""
    count = attribute_int(node, "num_scan_inputs", 0)
    if not count or len(node.inputs) < count:
        return Unknown(f"Scan {node_name(node)!r} scans no input")
    if "directions" in node.attributes:
        return Unknown("Scan of opset 8 isn't followed; convert the model to opset 9 or newer")
    attribute = node.attributes.get("scan_input_axes")
    axis = attribute.as_ints()[0] if attribute is not None and attribute.as_ints() else 0
    sizes = dimensions(node.inputs[len(node.inputs) - count])
    if isinstance(sizes, Unknown):
        return sizes
    if not -len(sizes) <= axis < len(sizes):
        return Unknown(f"its input has no axis {axis}")
    return sizes[axis]
