"""Names for new values and nodes: derived from what they serve, unique, the same in every run."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.contraction import all_graphs, node_name
from onnxtile.provenance import ORIGIN, PREFIX_META


class Names:
    """Hands out prefixes under which no name of the model lies, so that `prefix/...` is free.

    Names that were made for a node in this process don't stand in that node's own way.
    """

    def __init__(self, model: ir.Model) -> None:
        self._folders: set[str] = set()
        self._node_names: set[str] = set()
        self._repeated: set[str] = set()
        self._bodies = {id(function.graph) for function in model.functions.values()}
        for graph in all_graphs(model):
            values = list(graph.inputs)
            if isinstance(graph, ir.Graph):
                values += [value for value in graph.initializers.values() if PREFIX_META not in value.meta]
            for node in graph:
                own = node.meta.get(PREFIX_META)
                values += [value for value in node.outputs if own is None or not f"{value.name}".startswith(f"{own}/")]
                if own is None:
                    self._add(node.name)
                if node.name:
                    (self._repeated if node.name in self._node_names else self._node_names).add(node.name)
            for value in values:
                self._add(value.name)

    def origin(self, node: ir.Node) -> str:
        """What things made for `node` are named after: its name, or its output where the name is empty or repeats."""
        if PREFIX_META in node.meta:
            return str(node.metadata_props[ORIGIN])
        return node_name(node) if node.name not in self._repeated else node.outputs[0].name or node_name(node)

    def prefix_of(self, node: ir.Node) -> str:
        """The prefix for things made for `node`: a new one, or the name that the node was made with."""
        return str(node.name) if PREFIX_META in node.meta else self.prefix(self.origin(node))

    def prefix(self, wanted: str) -> str:
        """`wanted`, or `wanted.1`, `wanted.2`, ... where names begin with `wanted/` already. Each is given once."""
        prefix, number = wanted, 0
        while prefix in self._folders:
            number += 1
            prefix = f"{wanted}.{number}"
        self._folders.add(prefix)
        return prefix

    def is_function_body(self, graph: ir.Graph) -> bool:
        """Whether the graph belongs to a local function, and so has no initializers."""
        return id(graph) in self._bodies

    def _add(self, name: str | None) -> None:
        """Note every folder that the name lies in: `a/b/c` lies in `a` and `a/b`."""
        end = -1 if not name else name.rfind("/")
        while name and end >= 0 and name[:end] not in self._folders:
            self._folders.add(name[:end])
            end = name.rfind("/", 0, end)
