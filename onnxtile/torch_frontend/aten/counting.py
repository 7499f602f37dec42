"""Build the formulas that count operations of torch's operators."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from onnxtile.operators.work import Operations, Work
from onnxtile.torch_frontend.trace.calls import Call, Value

Count = Callable[[Call], Operations]
NOTHING = Operations()
_NO_NODE = ir.Node("", "Identity", [])
"""Work of one element has no measures, so no node is read."""


def times(count: int, one: Operations) -> Operations:
    """Return the operations of so many elements."""
    e, t, c, m = one.elementwise, one.transcendental, one.comparison, one.movement
    return Operations(e * count, t * count, c * count, m * count)  # type: ignore[operator]  # numbers


def sum_of(*works: Operations) -> Operations:
    """Return all operations together."""
    rows = [(work.elementwise, work.transcendental, work.comparison, work.movement) for work in works]
    return Operations(*map(sum, zip(*rows, strict=True)))


def additions(count: int) -> Operations:
    return Operations(elementwise=count)


def of_one(work: Work) -> Operations:
    """Return the operations of one element."""
    return work.at(_NO_NODE, None)


def of_result(one: Operations) -> Count:
    return lambda call: times(call.outputs[0].elements, one)


def of_input(one: Operations) -> Count:
    return lambda call: times(call.inputs[0].elements, one)


def named(names: str, count: Count) -> dict[str, Count]:
    """Return the same formula for several operators."""
    return dict.fromkeys(aten(names), count)


def aten(names: str) -> list[str]:
    return [f"aten.{name}" for name in names.split()]


def elements_of(call: Call, name: str) -> int:
    """Return the elements of a tensor argument, 0 where it's left out."""
    value = call.argument(name)
    return value.elements if isinstance(value, Value) else 0
