"""The list of operators: what each of its inputs is taken as, which attributes it has, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.verification.field import Field
from onnxtile.verification.value import UnprovenError, Value

if TYPE_CHECKING:
    from onnxtile.verification.evaluator import Evaluator, Names

Results = Sequence["Value | None"]
WHOLE = ("shape", "index", "length", "axis", "condition")
"""Inputs that are whole numbers as they are, never numbers of the field."""


@dataclass(eq=False, slots=True)
class Call:
    """A node with its inputs' values, and the names that graphs inside it see."""

    node: onnx.NodeProto
    inputs: list[Value | None]
    attributes: dict[str, Any]
    opset: int
    run: Evaluator
    names: Names

    @property
    def field(self) -> Field:
        return self.run.field

    def value(self, index: int) -> Value:
        """An input that has to be there."""
        value = self.optional(index)
        if value is None:
            raise UnprovenError(f"{self.node.op_type} lacks input {index}")
        return value

    def optional(self, index: int) -> Value | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def whole(self, index: int, attribute: str = "") -> list[int] | None:
        """Whole numbers of an input, or of the attribute that older versions have in its place; None: neither."""
        value = self.optional(index)
        if value is None:
            found = self.attributes.get(attribute)
            return (
                None if found is None else [int(number) for number in (found if isinstance(found, list) else [found])]
            )
        return value.whole_numbers(f"input {index} of {self.node.op_type}")

    def axis(self, name: str, rank: int, default: int = 0) -> int:
        """An attribute that is an axis, counted from the front."""
        axis = int(self.attributes.get(name, default))
        if not -rank <= axis < max(rank, 1):
            raise UnprovenError(f"{self.node.op_type} has axis {axis} of a value of {rank}")
        return axis % max(rank, 1)

    def rounded(self, value: Value) -> Value:
        """The result of arithmetic, rounded or wrapped by its type."""
        self.run.types.add(value.dtype)
        if value.dtype.is_floating_point():
            self.run.summed.add(value.dtype)
        value.round()
        return value

    def of(self, op_type: str, *values: Value, domain: str = "", **attributes: Any) -> Value:
        """Another operator's result."""
        names = [f"input{index}" for index in range(len(values))]
        node = onnx.helper.make_node(op_type, names, ["output"], domain=domain, **attributes)
        return self.run.evaluated([node], dict(zip(names, values, strict=True)), ["output"])[0]

    def reduced(self, op_type: str, value: Value, axis: int, axes_from: int) -> Value:
        """A reduction along one axis, which stays; axes are an input from that opset on."""
        if self.run.default_opset < axes_from:
            return self.of(op_type, value, axes=[axis], keepdims=1)
        return self.of(op_type, value, self.constant([axis], ir.DataType.INT64), keepdims=1)

    def constant(self, number: Any, dtype: ir.DataType) -> Value:
        """A number as a value."""
        return Value.constant(self.field, np.asarray(number, dtype.numpy()), dtype)


@dataclass(frozen=True)
class Entry:
    """`takes`: of each input, `number` or what else it's taken as; the last one's goes for all that follow."""

    takes: tuple[str, ...]
    attributes: frozenset[str]
    evaluate: Callable[[Call], Value | Results]

    @cached_property
    def takes_whole_numbers(self) -> bool:
        """Return whether any input is taken as whole numbers."""
        return any(kind in WHOLE for kind in self.takes)

    def of_input(self, index: int) -> str:
        return self.takes[min(index, len(self.takes) - 1)]


OPERATORS: dict[tuple[str, str], Entry] = {}


def operator(
    names: str, takes: str = "number", attributes: str = "", domain: str = ""
) -> Callable[[Callable[[Call], Value | Results]], Callable[[Call], Value | Results]]:
    """Put operators on the list; a node of one with another attribute is refused."""

    def listed(evaluate: Callable[[Call], Value | Results]) -> Callable[[Call], Value | Results]:
        for name in names.split():
            OPERATORS[domain, name] = Entry(tuple(takes.split()), frozenset(attributes.split()), evaluate)
        return evaluate

    return listed
