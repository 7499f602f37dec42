"""Run an exported program operator by operator, and tell which module each operator came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch.fx._pytree import tree_flatten_spec
from torch.utils._pytree import tree_unflatten

from onnxtile.errors import UsageError
from onnxtile.torch_frontend.trace.calls import ModuleFacts
from onnxtile.torch_frontend.trace.module_stack import ModuleWatcher


class OriginalCall(NamedTuple):
    """A call of a module before it was exported: a key of its own, the module's path and class."""

    key: str
    path: str
    kind: str


def calls_around(node: torch.fx.Node) -> list[OriginalCall]:
    """Return the calls of modules that an operator of the program was in, the outermost first."""
    stack = node.meta.get("nn_module_stack") if node.op == "call_function" else None
    return [
        OriginalCall(key, str(path).partition("@")[0], _class_name(kind)) for key, (path, kind) in (stack or {}).items()
    ]


def modules_of_exported(graph: torch.fx.GraphModule) -> dict[str, ModuleFacts]:
    """Return the modules that the program's nodes came from, and those that hold its parameters, by path."""
    modules = {"": ModuleFacts("", "ExportedProgram")}
    for node in graph.graph.nodes:
        for _, path, kind in calls_around(node):
            _add(modules, path, kind)
    for name, _ in graph.named_parameters():
        path = name.rpartition(".")[0]
        _add(modules, path, "Module")
        modules[path].parameters.append(name)
    return modules


def run_exported(graph: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], watcher: ModuleWatcher) -> object:
    """Run the graph of an exported program (its `.module()`), and return what it gives.

    What a module gives are the values of its nodes that others read: one, or a tuple of them. Raises UsageError where
    the inputs aren't those that it takes.
    """
    inputs = _flat_inputs(graph, args, kwargs)
    kind = modules_of_exported(graph)[""].kind
    watcher.enter("", kind)
    results = _Interpreter(graph, watcher).run(*inputs, enable_io_processing=False)
    output = tree_unflatten(list(results), graph._out_spec)
    watcher.leave(output)
    watcher.take("", kind, output)
    return output


def _flat_inputs(graph: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the inputs as the graph takes them. Raises UsageError where it takes others."""
    spec: Any = graph._in_spec
    try:
        flat = tree_flatten_spec((list(args), dict(kwargs)), spec)
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"the exported program takes other inputs than the {len(args)} given: {error}") from error
    if len(args) != spec.child(0).num_children:
        raise UsageError(f"the exported program takes {spec.child(0).num_children} positional inputs, not {len(args)}")
    return list(flat)


class _Interpreter(torch.fx.Interpreter):
    """Tells a watcher which module a node came from; modules whose nodes are mixed up are entered several times."""

    def __init__(self, graph: torch.fx.GraphModule, watcher: ModuleWatcher) -> None:
        super().__init__(graph)
        self._watcher = watcher
        self._running: list[OriginalCall] = []
        self._around = {node: [call for call in calls_around(node) if call.path] for node in graph.graph.nodes}
        self._read_outside: dict[torch.fx.Node, list[OriginalCall]] = {}
        """The calls that a node is in and some that read it aren't."""
        last: dict[OriginalCall, torch.fx.Node] = {}
        for node, calls in self._around.items():
            last.update(dict.fromkeys(calls, node))
            outside = [call for call in calls if any(call not in self._around[user] for user in node.users)]
            self._read_outside[node] = outside
        self._ending: dict[torch.fx.Node, list[OriginalCall]] = {}
        for call, node in reversed(last.items()):  # the innermost ends first
            self._ending.setdefault(node, []).append(call)
        self._outputs: dict[OriginalCall, list[Any]] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        if n.op == "call_function":
            self._move_to(self._around[n])
        elif n.op == "output":
            self._move_to([])
        value = super().run_node(n)
        for call in self._read_outside[n]:
            self._outputs.setdefault(call, []).append(value)
        for call in self._ending.get(n, ()):
            self._leave()
            outputs = self._outputs.pop(call, [])
            self._watcher.take(call.path, call.kind, outputs[0] if len(outputs) == 1 else tuple(outputs))
        return value

    def _move_to(self, calls: list[OriginalCall]) -> None:
        """Leave the modules that aren't among these, and enter those of these that don't run."""
        common = 0
        while common < min(len(calls), len(self._running)) and calls[common] == self._running[common]:
            common += 1
        while len(self._running) > common:
            self._leave()
        for call in calls[common:]:
            self._watcher.enter(call.path, call.kind)
            self._running.append(call)

    def _leave(self) -> None:
        self._watcher.leave(self._outputs.get(self._running.pop(), []))


def _class_name(kind: object) -> str:
    return (kind.__name__ if isinstance(kind, type) else str(kind)).rpartition(".")[2]


def _add(modules: dict[str, ModuleFacts], path: str, kind: str) -> None:
    if path in modules:
        modules[path].kind = modules[path].kind if path else kind
        return
    parent = path.rpartition(".")[0]
    if parent not in modules:
        _add(modules, parent, "Module")
    modules[path] = ModuleFacts(path, kind)
    modules[parent].children.append(path)
