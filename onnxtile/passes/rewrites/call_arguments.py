"""Put a call's arguments into the body of the function that it calls."""

from __future__ import annotations

from collections.abc import Iterable

import onnx


def bind_arguments(nodes: Iterable[onnx.NodeProto], values: dict[str, onnx.AttributeProto], left_out: set[str]) -> None:
    """Replace references to the function's attributes by values; those without one go, as do inputs left out."""
    for node in nodes:
        node.input[:] = ["" if name in left_out else name for name in node.input]
        kept = []
        for attribute in node.attribute:
            if not attribute.ref_attr_name:
                kept.append(attribute)
            elif attribute.ref_attr_name in values:
                kept.append(onnx.AttributeProto())
                kept[-1].CopyFrom(values[attribute.ref_attr_name])
                kept[-1].name = attribute.name
        kept = list(onnx.NodeProto(attribute=kept).attribute)
        del node.attribute[:]
        node.attribute.extend(kept)
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                bind_arguments(inner.node, values, left_out)
