"""Where a form writes to: nodes of the in-memory IR, or a protobuf graph directly.

A sink is the whole interface between a form and ONNX: values are names, attributes plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.provenance import ORIGIN, TILE

Attributes = Mapping[str, int | Sequence[int]]


class Sink(Protocol):
    """Takes nodes in topological order. `opset` is the version of the default domain to write."""

    opset: int

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Attributes = {}, tile: str = ""
    ) -> None:
        """Add a node of the default domain, named after its first output; `tile` is the box it computes."""

    def constant(self, name: str, array: np.ndarray) -> str:
        """Add a constant and return its name."""


class IrSink:
    """Makes `onnx_ir` nodes: the body of a function, or the replacement of a call."""

    def __init__(
        self, opset: int, values: Mapping[str, ir.Value], origin: str = "", graph: ir.Graph | None = None
    ) -> None:
        """`values`: what the nodes may read and the outputs they must produce, by name.

        Constants become initializers of `graph`, or Constant nodes where there is none, as in functions.
        """
        self.opset = opset
        self.nodes: list[ir.Node] = []
        self.values = dict(values)
        self._origin = origin
        self._graph = graph

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Attributes = {}, tile: str = ""
    ) -> None:
        for name in outputs:
            self.values.setdefault(name, ir.Value(name=name))
        self._add(op_type, inputs, outputs, ir.convenience.convert_attributes(dict(attributes)), tile)

    def constant(self, name: str, array: np.ndarray) -> str:
        tensor = ir.Tensor(array, name=name)
        self.values[name] = ir.Value(name=name, const_value=tensor if self._graph is not None else None)
        if self._graph is not None:
            self._graph.register_initializer(self.values[name])
        else:
            self._add("Constant", [], [name], [ir.AttrTensor("value", tensor)], "")
        return name

    def _add(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Sequence[ir.Attr], tile: str
    ) -> None:
        metadata = {ORIGIN: self._origin} if self._origin else {}
        self.nodes.append(
            ir.Node(
                "",
                op_type,
                [self.values[name] for name in inputs],
                attributes,
                outputs=[self.values[name] for name in outputs],
                name=outputs[0],
                metadata_props=metadata | {TILE: tile} if tile else metadata,
            )
        )


class ProtoSink:
    """Adds straight into a GraphProto: the way to write very many nodes fast."""

    def __init__(self, opset: int, graph: onnx.GraphProto, origin: str) -> None:
        self.opset = opset
        self._graph = graph
        self._add = graph.node.add
        self._origin = origin

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Attributes = {}, tile: str = ""
    ) -> None:
        node = self._add(op_type=op_type, input=inputs, output=outputs, name=outputs[0])
        for name, value in attributes.items():
            if isinstance(value, int):
                node.attribute.add(name=name, i=value, type=onnx.AttributeProto.INT)
            else:
                node.attribute.add(name=name, ints=value, type=onnx.AttributeProto.INTS)
        add_metadata = node.metadata_props.add
        add_metadata(key=ORIGIN, value=self._origin)
        if tile:
            add_metadata(key=TILE, value=tile)

    def constant(self, name: str, array: np.ndarray) -> str:
        dtype = ir.DataType.from_numpy(array.dtype)
        add_initializer(self._graph, name, dtype, array)
        return name


def add_initializer(graph: onnx.GraphProto, name: str, dtype: ir.DataType, array: np.ndarray) -> None:
    """Append an initializer with the array's bytes."""
    graph.initializer.add(name=name, data_type=dtype.value, dims=array.shape, raw_data=little_endian(array))


def little_endian(array: np.ndarray) -> bytes:
    """The array's bytes as ONNX stores them: row by row, the lowest byte first."""
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.tobytes()
