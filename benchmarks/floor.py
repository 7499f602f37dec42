"""The floor: what protobuf alone takes to read the input, make the output's very nodes and tensors, and write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx


@dataclass(frozen=True)
class Content:
    """All that the output's graph holds, as plain Python values and bytes: preparing it isn't part of the floor."""

    nodes: list[tuple[dict[str, object], list[tuple[str, str]]]]
    tensors: list[dict[str, object]]
    value_info: list[onnx.ValueInfoProto]

    @classmethod
    def of(cls, path: Path) -> Content:
        graph = onnx.load(path).graph
        return cls(
            [(_fields(node), [(pair.key, pair.value) for pair in node.metadata_props]) for node in graph.node],
            [
                {
                    "name": tensor.name,
                    "data_type": tensor.data_type,
                    "dims": tuple(tensor.dims),
                    "raw_data": bytes(tensor.raw_data),
                }
                for tensor in graph.initializer
            ],
            list(graph.value_info),
        )


def _fields(node: onnx.NodeProto) -> dict[str, object]:
    fields: dict[str, object] = {"op_type": node.op_type, "input": tuple(node.input), "output": tuple(node.output)}
    for name in ("name", "domain", "doc_string"):
        if getattr(node, name):
            fields[name] = getattr(node, name)
    if node.attribute:
        fields["attribute"] = list(node.attribute)
    return fields


def write(source: Path, content: Content, target: Path) -> None:
    """Parse, add, serialize, write: nothing is thought about in between."""
    model = onnx.ModelProto()
    model.ParseFromString(source.read_bytes())
    graph = model.graph
    for field in ("node", "initializer", "value_info"):
        graph.ClearField(field)
    graph.value_info.extend(content.value_info)
    add_node, add_tensor = graph.node.add, graph.initializer.add
    for fields, metadata in content.nodes:
        node = add_node(**fields)
        if metadata:
            add_entry = node.metadata_props.add
            for key, value in metadata:
                add_entry(key=key, value=value)
    for tensor in content.tensors:
        add_tensor(**tensor)
    target.write_bytes(model.SerializeToString())
