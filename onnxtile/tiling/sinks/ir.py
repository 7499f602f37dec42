"""The sink that a form writes its nodes to: into the in-memory IR here, into a file's bytes in `protobuf.py`.

A sink is the whole interface between a form and ONNX: values are names, attributes plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import onnx_ir as ir

from onnxtile.ir.metadata import OF, ORIGIN, SCHEDULE, TILE

Attributes = Mapping[str, "int | Sequence[int] | ir.TensorProtocol | Sink"]
Typed = tuple[str, ir.DataType, Sequence[int | None] | None]
"""Name, type and shape of a body's input or output; None: any."""


class Sink(Protocol):
    """Takes nodes in topological order. `opset` is the version of the default domain to write."""

    opset: int

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Attributes = {}, tile: str = ""
    ) -> None:
        """Add a node of the default domain, named after its first output; `tile` is the box it computes."""

    def alias(self, name: str, output: str) -> None:
        """Let the value that's to be computed as `name` be `output`; its node keeps `name`, and so do names made of it.

        Names that begin with a model's own, such as `y_shape` for `y`, may be there already.
        """

    def constant(self, name: str, array: np.ndarray) -> str:
        """Add a constant and return its name."""

    def body(self, name: str, inputs: Sequence[Typed], outputs: Sequence[Typed]) -> Sink:
        """Return a sink for the body of a Loop, which may read all values so far; pass it as an attribute when full.

        The empty name among a node's inputs is an optional input left out.
        """


class IrSink:
    """Makes `onnx_ir` nodes: the body of a function, or the replacement of a call."""

    def __init__(
        self, opset: int, values: Mapping[str, ir.Value], origin: str = "", graph: ir.Graph | None = None
    ) -> None:
        """`values`: what the nodes may read and the outputs they must produce, by name.

        Constants become initializers of `graph`, or Constant nodes where there is none, as in functions.
        """
        self.opset = opset
        self.outer = ""
        """The box of the tile that is cut again, where one is."""
        self.schedule = ""
        """How the tiles run, where that was chosen."""
        self.nodes: list[ir.Node] = []
        self.values = dict(values)
        self._origin = origin
        self._graph = graph
        self._interface: tuple[str, list[ir.Value], list[ir.Value]] = ("", [], [])

    def alias(self, name: str, output: str) -> None:
        self.values[name] = self.values[output]

    def node(
        self,
        op_type: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Attributes = {},
        tile: str = "",
        domain: str = "",
    ) -> None:
        for name in outputs:
            self.values.setdefault(name, ir.Value(name=name))
        metadata = {ORIGIN: self._origin} if self._origin else {}
        if tile:
            metadata[TILE] = tile + OF + self.outer if self.outer else tile
            if self.schedule:
                metadata[SCHEDULE] = self.schedule
        attrs = [
            ir.AttrGraph(name, value.graph())
            if isinstance(value, IrSink)
            else ir.convenience.convert_attribute(name, value)  # type: ignore[arg-type]  # no sink of another kind
            for name, value in attributes.items()
        ]
        operands = [self.values[name] if name else None for name in inputs]
        results = [self.values[name] for name in outputs]
        node = ir.Node(domain, op_type, operands, attrs, outputs=results, name=outputs[0], metadata_props=metadata)
        self.nodes.append(node)

    def constant(self, name: str, array: np.ndarray) -> str:
        if self._graph is None and self.opset < 9 and array.dtype.kind == "i":  # Constant knows floats only
            self.constant(f"{name}_as_double", array.astype(np.float64))
            self.node("Cast", [f"{name}_as_double"], [name], {"to": ir.DataType.from_numpy(array.dtype).value})
            return name
        tensor = ir.Tensor(array, name=name)
        if self._graph is None:
            self.node("Constant", [], [name], {"value": tensor})
            return name
        self.values[name] = _typed_value(name, tensor.dtype, array.shape)
        self.values[name].const_value = tensor
        self._graph.register_initializer(self.values[name])
        return name

    def body(self, name: str, inputs: Sequence[Typed], outputs: Sequence[Typed]) -> IrSink:
        ends = [_typed_value(*value) for value in (*inputs, *outputs)]
        inner = IrSink(self.opset, self.values | {value.name: value for value in ends if value.name}, self._origin)
        inner.outer, inner.schedule = self.outer, self.schedule
        inner._interface = (name, ends[: len(inputs)], ends[len(inputs) :])
        return inner

    def graph(self) -> ir.Graph:
        """Return what a body's sink has taken, as a graph."""
        name, inputs, outputs = self._interface
        return ir.Graph(inputs, outputs, nodes=self.nodes, name=name)


def _typed_value(name: str, dtype: ir.DataType, shape: Sequence[int | None] | None) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(dtype), shape=None if shape is None else ir.Shape(shape))
