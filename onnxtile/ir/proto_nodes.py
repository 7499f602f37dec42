"""Walk the nodes of models in protobuf, and name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

_PLAIN = frozenset(("MatMul", "Add", "Split", "Slice", "Concat", "Sum", "Cast"))
"""Operators that come in great numbers and hold no graphs."""


def bodies_of(nodes: Iterable[onnx.NodeProto]) -> Iterator[tuple[str, onnx.GraphProto]]:
    """Yield the graphs that nodes hold in their attributes, with words for where they are."""
    for node in nodes:
        for attribute in node.attribute if node.op_type not in _PLAIN or node.domain else ():
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield f"{attribute.name} of {node_words(node)}", body


def with_nodes_inside(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield nodes, each before those of the bodies in it, to any depth."""
    waiting = [iter(nodes)]
    while waiting:
        node = next(waiting[-1], None)
        if node is None:
            waiting.pop()
            continue
        yield node
        waiting += reversed([iter(body.node) for _, body in bodies_of([node])])


def name_of(node: onnx.NodeProto) -> str:
    """Return the node's name, or that of its first output where it has none."""
    return node.name or next(iter(node.output), "")


def node_words(node: onnx.NodeProto) -> str:
    """Return what messages call a node: its operator and name."""
    return f"{node.op_type} {name_of(node)!r}"
