"""Names for new values and nodes: derived from what they serve, unique, the same in every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from itertools import count

import onnx_ir as ir

from onnxtile.ir.attributes import node_name
from onnxtile.ir.graphs import all_graphs
from onnxtile.ir.metadata import ORIGIN, PREFIX_META


def spellings(name: str, mark: str = ".", first: int = 1) -> Iterator[str]:
    """Yield a name, and then the name with numbers behind it: `x`, `x.1`, `x.2`, ..."""
    yield name
    yield from (f"{name}{mark}{number}" for number in count(first))


class Names:
    """Hands out prefixes under which no name of the model lies, in any scope, so that `prefix/...` is free.

    Names of values and of nodes count alike: new nodes are named after their outputs or after a prefix, and engines
    refuse two nodes of one name. Names that were made for a node in this process don't stand in that node's own way.
    """

    def __init__(self, model: ir.Model) -> None:
        self._folders: set[str] = set()
        self._names: set[str] = set()
        self._nodes: Counter[str] = Counter()
        self._bodies = {id(function.graph) for function in model.functions.values()}
        for graph in all_graphs(model):
            initializers = graph.initializers.values() if isinstance(graph, ir.Graph) else ()
            for value in (*graph.inputs, *initializers):
                self._add(value.name, value.meta.get(PREFIX_META))
            for node in graph:
                self._nodes[node.name or ""] += 1
                for name in (node.name, *(value.name for value in node.outputs)):
                    self._add(name, node.meta.get(PREFIX_META))

    def origin(self, node: ir.Node) -> str:
        """Return the node of the original model that new things for `node` are from, however often it was lowered."""
        return node.metadata_props.get(ORIGIN) or self._named(node)

    def _named(self, node: ir.Node) -> str:
        """Return what new things for `node` are named after: its name, or its output's if that's empty or repeats."""
        if PREFIX_META in node.meta:
            return str(node.metadata_props[ORIGIN])
        return node_name(node) if self._nodes[node.name or ""] < 2 else node.outputs[0].name or node_name(node)

    def prefix_of(self, node: ir.Node) -> str:
        """Return the prefix for things made for `node`: a new one, or the name that the node was made with.

        What takes the node's place may be named so itself: no other node is.
        """
        if PREFIX_META in node.meta:
            return str(node.name)
        wanted = self._named(node)
        own = self._nodes[wanted] == (wanted == node.name)
        return self._free(wanted, own, self._names)

    def prefix(self, wanted: str) -> str:
        """`wanted`, or `wanted.1`, `wanted.2`, ... where names begin with `wanted/` already. Each is given once."""
        return self._free(wanted, True, ())

    def _free(self, wanted: str, may_be_wanted: bool, taken: Container[str]) -> str:
        prefix, number = wanted, 0
        while prefix in self._folders or (prefix in taken if number else not may_be_wanted):
            number += 1
            prefix = f"{wanted}.{number}"
        self._folders.add(prefix)
        return prefix

    def is_function_body(self, graph: ir.Graph) -> bool:
        """Return whether the graph belongs to a local function, and so has no initializers."""
        return id(graph) in self._bodies

    def _add(self, name: str | None, own: str | None) -> None:
        """Note a name and its folders: `a/b/c` lies in `a` and `a/b`. `own`: the prefix that it was made under."""
        if own is not None:
            self._folders.add(own)
        if not name:
            return
        self._names.add(name)
        end = name.rfind("/") if own is None or not f"{name}/".startswith(f"{own}/") else -1
        while end >= 0 and name[:end] not in self._folders:
            self._folders.add(name[:end])
            end = name.rfind("/", 0, end)
