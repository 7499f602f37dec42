"""What the modules that an exported program came from give, told by its graph: values that others read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.utils._pytree import tree_unflatten

from onnxtile.torch_frontend.trace.exported import flat_inputs

OnOutput = Callable[[str, str, object], None]
Call = tuple[str, str, str]
"""One call of a module: a key of its own, the module's path, and its class."""


def run_with_outputs(
    graph: torch.fx.GraphModule,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    know: Callable[[str, str], None],
    take: OnOutput,
) -> object:
    """Run an exported program's `.module()` operator by operator.

    `know(path, class)` is told all its modules first; `take(path, class, values)` what each gives, one value or a tuple
    of them, at the end of its call. Raises UsageError where inputs aren't those that it takes.
    """
    given = flat_inputs(graph, args, kwargs)
    runner = _Runner(graph, take)
    for _, path, kind in runner.calls:
        know(path, kind)
    found = tree_unflatten(list(runner.run(*given, enable_io_processing=False)), graph._out_spec)
    root = next((kind for _, path, kind in runner.calls if not path), "ExportedProgram")
    know("", root)
    take("", root, found)
    return found


class _Runner(torch.fx.Interpreter):
    def __init__(self, graph: torch.fx.GraphModule, take: OnOutput) -> None:
        super().__init__(graph)
        self._take = take
        self.calls: dict[Call, list[torch.fx.Node]] = {}
        last: dict[Call, torch.fx.Node] = {}
        for node in graph.graph.nodes:
            for call in calls_around(node):
                last[call] = node
                self.calls.setdefault(call, [])
                if any(call not in set(calls_around(user)) for user in node.users) and not _is_opened(node):
                    self.calls[call].append(node)
        self._given = {node for nodes in self.calls.values() for node in nodes}
        self._ends: dict[torch.fx.Node, list[Call]] = {}
        for call, node in reversed(last.items()):  # the innermost ends first
            if call[1]:
                self._ends.setdefault(node, []).append(call)
        self._kept: dict[torch.fx.Node, Any] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        found = super().run_node(n)
        if n in self._given:
            self._kept[n] = found
        for call in self._ends.get(n, ()):
            values = [self._kept[node] for node in self.calls[call]]
            self._take(call[1], call[2], values[0] if len(values) == 1 else tuple(values))
        return found


def calls_around(node: torch.fx.Node) -> Iterator[Call]:
    """The calls of modules that a node is in, the outermost first."""
    if node.op == "call_function":
        for key, (path, kind) in (node.meta.get("nn_module_stack") or {}).items():
            name = kind.__name__ if isinstance(kind, type) else str(kind)
            yield key, str(path).partition("@")[0], name.rpartition(".")[2]


def _is_opened(node: torch.fx.Node) -> bool:
    """Whether it gives several values at once, which others take apart."""
    return bool(node.users) and all(getattr(user.target, "__name__", "") == "getitem" for user in node.users)
