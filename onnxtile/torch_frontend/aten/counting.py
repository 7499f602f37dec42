"""What formulas of torch's operators are made of."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from onnxtile.operators.work import Operations, Work
from onnxtile.torch_frontend.trace.calls import Call, Value

Count = Callable[[Call], Operations]
NOTHING = Operations()
_NO_NODE = ir.Node("", "Identity", [])
"""Work of one element has no measures, so no node is read."""


def times(elements: int, one: Operations) -> Operations:
    """So many times the operations of one element."""
    e, t, c, m = one.elementwise, one.transcendental, one.comparison, one.movement
    return Operations(e * elements, t * elements, c * elements, m * elements)  # type: ignore[operator]  # numbers


def of_one(work: Work) -> Operations:
    return work.at(_NO_NODE, None)


def of_result(one: Operations) -> Count:
    return lambda call: times(call.outputs[0].elements, one)


def of_input(one: Operations) -> Count:
    return lambda call: times(call.inputs[0].elements, one)


def names(names: str, count: Count) -> dict[str, Count]:
    return {f"aten.{name}": count for name in names.split()}


def additions(count: int) -> Operations:
    return Operations(elementwise=count)


def together(*works: Operations) -> Operations:
    def all_of(kind: str) -> int:
        return sum(getattr(each, kind) for each in works)

    return Operations(all_of("elementwise"), all_of("transcendental"), all_of("comparison"), all_of("movement"))


def given(call: Call, name: str) -> int:
    """Elements of a tensor that may be left out."""
    value = call.argument(name)
    return value.elements if isinstance(value, Value) else 0
