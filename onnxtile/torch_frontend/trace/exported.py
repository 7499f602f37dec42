"""Runs an exported program operator by operator, telling which module each came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.fx._pytree import tree_flatten_spec
from torch.utils._pytree import tree_unflatten

from onnxtile.errors import UsageError
from onnxtile.torch_frontend.trace.calls import ModuleFacts
from onnxtile.torch_frontend.trace.stack import ModuleStack

_STACK = "nn_module_stack"
"""Metadata of a node: by a key for each call, path and class of the modules around it, the outermost first."""
_GUARDS = "_guards_fn"
"""The module that checks the inputs' shapes; it's none of the network's."""


def modules_of_exported(graph: torch.fx.GraphModule) -> dict[str, ModuleFacts]:
    """The modules that the program's nodes came from, and those that hold its parameters."""
    found = {"": ModuleFacts("", "ExportedProgram")}
    for node in graph.graph.nodes:
        for path, kind in _modules_around(node):
            _add(found, path, kind)
    for name, _ in graph.named_parameters():
        path = name.rpartition(".")[0]
        _add(found, path, "Module")
        found[path].parameters.append(name)
    return found


def flat_inputs(graph: torch.fx.GraphModule, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the inputs as the graph of an exported program takes them. Raises UsageError where it takes others."""
    spec: Any = graph._in_spec
    try:
        flat = tree_flatten_spec((list(args), dict(kwargs)), spec)
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"the exported program takes other inputs than the {len(args)} given: {error}") from error
    if len(args) != spec.child(0).num_children:
        raise UsageError(f"the exported program takes {spec.child(0).num_children} positional inputs, not {len(args)}")
    return list(flat)


def run_exported(
    graph: torch.fx.GraphModule, args: tuple[Any, ...], kwargs: Mapping[str, Any], stack: ModuleStack
) -> Any:
    """Run the graph of an exported program (its `.module()`). Raises UsageError where inputs aren't those it takes."""
    given = flat_inputs(graph, args, kwargs)
    runner = _Runner(graph, stack)
    stack.enter("", next((kind for node in graph.graph.nodes for path, kind in _modules_around(node) if not path), ""))
    results = runner.run(*given, enable_io_processing=False)
    out: Any = graph._out_spec
    results = tree_unflatten(list(results), out)
    stack.leave(results)
    return results


class _Runner(torch.fx.Interpreter):
    def __init__(self, graph: torch.fx.GraphModule, stack: ModuleStack) -> None:
        super().__init__(graph)
        self._stack = stack
        self._inside: list[str] = []
        self._returned = _returned(graph)

    def run_node(self, node: torch.fx.Node) -> Any:
        if node.op == "call_function":
            self._go(node)
        elif node.op == "output":
            self._leave()
        return super().run_node(node)

    def _leave(self, down_to: int = 0) -> None:
        """Modules return what is made in them and read outside."""
        while len(self._inside) > down_to:
            nodes = self._returned.get(self._inside.pop(), [])
            self._stack.leave([self.env[node] for node in nodes if node in self.env])

    def _go(self, node: torch.fx.Node) -> None:
        """Leave the modules that the node isn't in, and enter those that it is in."""
        wanted = dict(node.meta.get(_STACK) or {})
        keys = [key for key, (path, _) in wanted.items() if path]
        common = 0
        while common < min(len(keys), len(self._inside)) and keys[common] == self._inside[common]:
            common += 1
        self._leave(common)
        for key in keys[common:]:
            path, kind = wanted[key]
            self._stack.enter(path, _class_name(kind))
            self._inside.append(key)


def _returned(graph: torch.fx.GraphModule) -> dict[str, list[torch.fx.Node]]:
    """For each call of a module the nodes in it whose results are read outside."""
    found: dict[str, list[torch.fx.Node]] = {}
    for node in graph.graph.nodes:
        for key in node.meta.get(_STACK) or {}:
            if any(user.op == "output" or key not in (user.meta.get(_STACK) or {}) for user in node.users):
                found.setdefault(key, []).append(node)
    return found


def _modules_around(node: torch.fx.Node) -> Iterator[tuple[str, str]]:
    if node.op == "call_function":
        for path, kind in (node.meta.get(_STACK) or {}).values():
            yield path, _class_name(kind)


def _class_name(kind: object) -> str:
    return (kind.__name__ if isinstance(kind, type) else str(kind)).rpartition(".")[2]


def _add(found: dict[str, ModuleFacts], path: str, kind: str) -> None:
    if path in found:
        found[path].kind = found[path].kind if path else kind
        return
    parent = path.rpartition(".")[0]
    _add(found, parent, "Module") if parent not in found else None
    found[path] = ModuleFacts(path, kind)
    found[parent].children.append(path)
