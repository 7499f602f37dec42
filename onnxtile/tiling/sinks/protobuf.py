"""A sink that makes the bytes of a protobuf graph: very many nodes, and no object for any of them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.ir.arrays import tensor_proto
from onnxtile.ir.io.protobuf_wire import counted, head, message, number_of, pair, tag, text
from onnxtile.ir.metadata import OF, ORIGIN, SCHEDULE, TILE
from onnxtile.tiling.sinks.ir import Attributes, Typed

_INPUT, _OUTPUT, _NAME = (tag(number_of(onnx.NodeProto, name)) for name in ("input", "output", "name"))
_ATTRIBUTE = number_of(onnx.NodeProto, "attribute")
_METADATA = number_of(onnx.NodeProto, "metadata_props")
_TILE = b"\n" + counted(TILE) + b"\x12"
_TILE_TEXT = _TILE.decode()
_LENGTHS = [chr(length) for length in range(128)]
"""Lengths that take one byte, which are letters of ASCII."""
_I, _O, _N, _M = (letter.decode() for letter in (_INPUT, _OUTPUT, _NAME, tag(_METADATA)))


class WireSink:
    """Takes a graph's nodes as `nodes`, its fields in protobuf's format, and as `constants`.

    `ends`: where each field ends; `count`: nodes so far, those of bodies among them.
    """

    def __init__(self, opset: int, origin: str = "", function: bool = False) -> None:
        """`function`: the nodes are those of a FunctionProto, which has no initializers but Constant nodes."""
        self.opset = opset
        self._function = function
        self._field = number_of(onnx.FunctionProto if function else onnx.GraphProto, "node")
        self.nodes = bytearray()
        self.ends = array("q")
        self.constants: list[onnx.TensorProto] = []
        self.count = 0
        self._interface = onnx.GraphProto()
        self._aliases: dict[str, str] = {}
        self.serve(origin)

    def serve(self, origin: str, outer: str = "", schedule: str = "") -> WireSink:
        """Say where the nodes to come are from, the box of the tile that is cut again, and how tiles run."""
        self._origin, self._outer, self._schedule = origin, outer, schedule
        self._schedule_field = pair(_METADATA, SCHEDULE, schedule) if schedule else b""
        self._schedule_text = self._schedule_field.decode("latin-1")
        self._outer_end = OF + outer if outer else ""
        self._origin_field = pair(_METADATA, ORIGIN, origin)
        self._origin_text = self._origin_field.decode("latin-1")
        return self

    def alias(self, name: str, output: str) -> None:
        self._aliases[name] = output

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Attributes = {}, tile: str = ""
    ) -> None:
        self.count += 1
        if len(outputs) == 1 and not attributes:
            try:
                self._add(self._plain(op_type, inputs, outputs[0], tile))
                return
            except (IndexError, UnicodeEncodeError):  # a name that isn't ASCII, or is longer
                pass
        first = counted(outputs[0])
        fields = [_INPUT + counted(name) for name in inputs]
        alias = self._aliases.get(outputs[0])
        fields += _OUTPUT, first if alias is None else counted(alias)
        for name in outputs[1:]:
            fields += _OUTPUT, counted(name)
        fields += _NAME, first, _op_type(op_type)
        for name, value in attributes.items():
            if isinstance(value, WireSink):
                self.count += value.count
                attribute = onnx.AttributeProto(name=name, type=onnx.AttributeProto.GRAPH, g=value.graph())
                fields.append(message(_ATTRIBUTE, attribute.SerializeToString()))
            else:
                numbers = value if isinstance(value, int) else tuple(value)  # type: ignore[arg-type]  # no other sink
                fields.append(_attribute(name, numbers))
        fields.append(self._origin_field)
        if tile:
            content = _TILE + counted(tile + self._outer_end)
            fields += self._schedule_field, head(_METADATA, len(content)), content
        self._add(b"".join(fields))

    def _plain(self, op_type: str, inputs: Sequence[str], output: str, tile: str) -> bytes:
        """Return the same for a node of one output without attributes, as nearly all are: all of it is ASCII."""
        reads = "".join([f"{_I}{_LENGTHS[len(name)]}{name}" for name in inputs])
        named = alias = f"{_LENGTHS[len(output)]}{output}"
        if output in self._aliases:
            alias = f"{_LENGTHS[len(self._aliases[output])]}{self._aliases[output]}"
        box = ""
        if tile:
            tile += self._outer_end
            box = f"{_M}{_LENGTHS[len(_TILE) + 1 + len(tile)]}{_TILE_TEXT}{_LENGTHS[len(tile)]}{tile}"
            box = self._schedule_text + box
        return f"{reads}{_O}{alias}{_N}{named}{_op_type_text(op_type)}{self._origin_text}{box}".encode("ascii")

    def copy(self, node: onnx.NodeProto) -> None:
        """Take a node as it is."""
        self._add(node.SerializeToString())
        self.count += 1 + sum(map(_count_nested, node.attribute))

    def constant(self, name: str, array: np.ndarray) -> str:
        self.tensor(tensor_proto(name, ir.DataType.from_numpy(array.dtype), array))
        return name

    def tensor(self, tensor: onnx.TensorProto) -> None:
        """Add a constant of any type."""
        if not self._function:
            self.constants.append(tensor)
            return
        value = onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=tensor)
        self.copy(onnx.NodeProto(op_type="Constant", output=[tensor.name], name=tensor.name, attribute=[value]))

    def body(self, name: str, inputs: Sequence[Typed], outputs: Sequence[Typed]) -> WireSink:
        make = onnx.helper.make_tensor_value_info
        inner = WireSink(self.opset, self._origin).serve(self._origin, self._outer, self._schedule)
        inner._interface.name = name
        inner._interface.input.extend(make(value, dtype.value, shape) for value, dtype, shape in inputs)
        inner._interface.output.extend(make(value, dtype.value, shape) for value, dtype, shape in outputs)
        return inner

    def graph(self) -> onnx.GraphProto:
        """Return what a body's sink has taken, as a graph."""
        return self.finish(onnx.GraphProto.FromString(self._interface.SerializeToString()))

    def finish(self, graph: onnx.GraphProto) -> onnx.GraphProto:
        """Append what was taken to a graph, and return that."""
        graph.MergeFromString(bytes(self.nodes))
        graph.initializer.extend(self.constants)
        return graph

    def _add(self, node: bytes) -> None:
        self.nodes += head(self._field, len(node))
        self.nodes += node
        self.ends.append(len(self.nodes))


@lru_cache(maxsize=256)
def _op_type(op_type: str) -> bytes:
    return text(number_of(onnx.NodeProto, "op_type"), op_type)


@lru_cache(maxsize=256)
def _op_type_text(op_type: str) -> str:
    return _op_type(op_type).decode("latin-1")


@lru_cache(maxsize=4096)
def _attribute(name: str, value: int | tuple[int, ...]) -> bytes:
    attribute = onnx.AttributeProto(name=name)
    if isinstance(value, int):
        attribute.type, attribute.i = onnx.AttributeProto.INT, value
    else:
        attribute.type = onnx.AttributeProto.INTS
        attribute.ints.extend(value)
    return message(_ATTRIBUTE, attribute.SerializeToString())


def _count_nested(attribute: onnx.AttributeProto) -> int:
    graphs = [attribute.g] if attribute.HasField("g") else attribute.graphs
    return sum(1 + sum(map(_count_nested, node.attribute)) for graph in graphs for node in graph.node)
