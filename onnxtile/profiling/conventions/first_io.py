"""List the first input and the first output of each node: a view of bandwidth that says less than the profile.

It's the table that simple scripts make, here for comparison with theirs. Other inputs, the weights among them, and
other outputs aren't in it; a free dimension counts as 1; a scalar, and a value whose shape isn't known, counts as
nothing, silently. The profile itself counts all inputs and outputs, and says what it doesn't know.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from onnxtile.ir.io.checker import skeleton
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.symbolic.amounts import bytes_of


@dataclass(frozen=True)
class FirstIoRow(JsonRecord, members="* sum"):
    """A node of the main graph, named by its operator and number; bytes of its first input and first output."""

    name: str
    input: int
    output: int

    @property
    def sum(self) -> int:
        """Return both together."""
        return self.input + self.output


@dataclass(frozen=True)
class FirstIo(JsonRecord, members="rows totals"):
    """A table of first inputs and outputs; all amounts are bytes."""

    rows: tuple[FirstIoRow, ...]

    @property
    def peak_bandwidth(self) -> int:
        """Return the largest sum of a node."""
        return max((row.sum for row in self.rows), default=0)

    @property
    def total_input(self) -> int:
        """Return all first inputs."""
        return sum(row.input for row in self.rows)

    @property
    def total_activation(self) -> int:
        """Return all first outputs."""
        return sum(row.output for row in self.rows)

    @property
    def total_bandwidth(self) -> int:
        """Return all first outputs, and the first input of the first node."""
        return self.total_activation + (self.rows[0].input if self.rows else 0)

    @property
    def totals(self) -> dict[str, int]:
        names = ("peak_bandwidth", "total_input", "total_activation", "total_bandwidth")
        return {name: getattr(self, name) for name in names}


def first_io(model: ir.Model) -> FirstIo:
    """Return the table of a model, by the shapes that it declares and those that onnx's own inference finds.

    That inference isn't told to follow the numbers in shapes, so that what a Reshape to a computed shape gives has
    none. Weights aren't read. The model isn't changed.
    """
    graph = onnx.shape_inference.infer_shapes(skeleton(model)).graph
    sizes = {tensor.name: _bytes(tensor.data_type, tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        of = value.type.tensor_type
        sizes.setdefault(value.name, _bytes(of.elem_type, (dim.dim_value for dim in of.shape.dim)))
    return FirstIo(tuple(_rows(graph.node, sizes)))


def _rows(nodes: Iterable[onnx.NodeProto], sizes: dict[str, int]) -> Iterator[FirstIoRow]:
    for index, node in enumerate(nodes):
        read, written = (sizes.get(next(iter(names), ""), 0) for names in (node.input, node.output))
        yield FirstIoRow(f"{node.op_type}_{index}", read, written)


def _bytes(elem_type: int, dims: Iterable[int]) -> int:
    """Return the bytes of a tensor, 0 without axes; a size that isn't a number is 0 in protobuf, and counts as 1."""
    lengths = [dim or 1 for dim in dims]
    if not lengths or elem_type in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        return 0
    count = bytes_of(math.prod(lengths), ir.DataType(elem_type).bitwidth)
    assert isinstance(count, int)
    return count
