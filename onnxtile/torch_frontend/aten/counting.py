"""Build the formulas that count operations of torch's operators, in whose calls sizes are numbers."""

from __future__ import annotations

from collections.abc import Callable

from onnxtile.operators.work import Work
from onnxtile.torch_frontend.trace.calls import Call, Value

Count = Callable[[Call], Work]


def of_result(one: Work) -> Count:
    return lambda call: one * call.outputs[0].elements


def of_input(one: Work) -> Count:
    return lambda call: one * call.inputs[0].elements


def named(names: str, count: Count) -> dict[str, Count]:
    """Return the same formula for several operators."""
    return dict.fromkeys(aten(names), count)


def aten(names: str) -> list[str]:
    return [f"aten.{name}" for name in names.split()]


def elements_of(call: Call, name: str) -> int:
    """Return the elements of a tensor argument, 0 where it's left out."""
    value = call.argument(name)
    return value.elements if isinstance(value, Value) else 0
