"""Index a model's nodes by all that they may be asked for by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.attributes import node_name
from onnxtile.ir.graphs import scopes
from onnxtile.ir.metadata import ORIGIN, SHORT_META, SHORT_ORIGIN_META


@dataclass(frozen=True)
class Named:
    """A node, or a call of a local function: its names, its operator, and the values that it gives.

    `short`: its name within the local function that it was in. `origin`: the node of the original that it was made for.
    `reason`: why none of its values can be captured.
    """

    name: str
    op: str
    domain: str
    outputs: tuple[str, ...]
    short: str = ""
    origin: str = ""
    short_origin: str = ""
    reason: str = ""

    @classmethod
    def of(cls, node: ir.Node, reason: str = "") -> Named:
        outputs = tuple(str(value.name) for value in node.outputs if value.name)
        origin = node.metadata_props.get(ORIGIN, "")
        short, short_origin = (node.meta.get(key, "") for key in (SHORT_META, SHORT_ORIGIN_META))
        return cls(node_name(node), node.op_type, node.domain, outputs, short, origin, short_origin, reason)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.name, self.short)))

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.origin, self.short_origin)))


def named_nodes(model: ir.Model) -> Iterator[Named]:
    """Yield every node of the model; those inside other nodes and in local functions with the reason."""
    for scope in scopes(model):
        reason = "" if scope.graph is model.graph else in_body(scope.name)
        if scope.name.startswith("function ") and scope.in_function:
            reason = in_function(scope.name.removeprefix("function "))
        for node in scope.graph:
            yield Named.of(node, reason)


def in_function(name: str) -> str:
    """Return why nothing can be captured in a local function that stays."""
    return f"is in local function {name}, of another opset than the model's; inline it first"


def in_body(body: str) -> str:
    """Return why nothing can be captured in the body of a node."""
    return f"is in {body}, where values are there only while it runs"
