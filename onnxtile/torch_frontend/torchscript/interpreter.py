"""Run a ScriptModule and tell which of its modules is running: scripted modules inside one another call no hooks.

A method whose graph holds something that isn't known here runs whole, as torch runs it; what's inside it isn't told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from onnxtile.torch_frontend.torchscript.programs import Program, Programs, ScriptedModule, UnknownError
from onnxtile.torch_frontend.trace.module_stack import ModuleWatcher

_FORWARD = re.compile(r"forward(__)?\d*")
"""A traced module has one such method for each time that it's called, a scripted one for each kind of inputs."""


def run_script(module: Any, args: Sequence[object], kwargs: Mapping[str, object], watcher: ModuleWatcher) -> object:
    """Return what `module(*args, **kwargs)` gives, bit for bit, and tell `watcher` which module runs.

    Nothing runs twice. The root's path is "". A module that raises an error, which ends the run, isn't left. Errors are
    those of torch.
    """
    root = ScriptedModule.of(module._c)
    run = _Run(watcher)
    inputs = None
    reason = ""
    if module._c._get_forward_hooks() or module._c._get_forward_pre_hooks():
        reason = "it has hooks of its own"  # which would be left out
    else:
        try:
            inputs = _in_order(root, args, kwargs)
        except (RuntimeError, TypeError):  # the wrong inputs: torch says it best
            reason = "its inputs aren't those of its forward"
    if inputs is not None:
        return run.method(root, "forward", inputs)
    return run.watched(root, lambda: module(*args, **dict(kwargs)), reason)


@dataclass
class _Run:
    """Runs methods by their programs."""

    watcher: ModuleWatcher
    programs: Programs = field(default_factory=Programs)

    def method(self, module: ScriptedModule, name: str, args: Sequence[object]) -> object:
        """Run a method; one that isn't `forward` belongs to whoever calls it, as for modules that aren't scripted."""
        program = self.programs.of(module, name)
        reason = str(program) if isinstance(program, UnknownError) else ""

        def run() -> object:
            if isinstance(program, Program):
                return program.call([module, *args], self.method)
            return module.module._get_method(name)(
                *(arg.module if isinstance(arg, ScriptedModule) else arg for arg in args)
            )

        if _FORWARD.fullmatch(name):
            return self.watched(module, run, reason)
        if reason:
            self.watcher.skip(module.path, module.kind, f"{name}: {reason}")
        return run()

    def watched(self, module: ScriptedModule, run: Callable[[], object], reason: str) -> object:
        """Run a module's forward; `reason`: why it runs whole."""
        if reason:
            self.watcher.skip(module.path, module.kind, reason)
        self.watcher.enter(module.path, module.kind)
        output = run()
        self.watcher.leave(output)
        self.watcher.take(module.path, module.kind, output)
        return output


def _in_order(root: ScriptedModule, args: Sequence[object], kwargs: Mapping[str, object]) -> list[object]:
    """Return the inputs in the order of forward's, defaults filled in, as torch takes them: lists are copies."""
    method = root.module._get_method("forward")
    parameters = method.schema.arguments[1:]
    inputs = list(args)
    rest = dict(kwargs)
    for parameter in parameters[len(inputs) :]:
        if parameter.name in rest:
            inputs.append(rest.pop(parameter.name))
        elif parameter.has_default_value():
            inputs.append(parameter.default_value)
        else:
            raise TypeError(parameter.name)
    if rest or len(inputs) != len(parameters):
        raise TypeError("too many")
    return _converted(list(method.graph.inputs())[1:], inputs)


def _converted(parameters: Sequence[Any], inputs: Sequence[object]) -> list[object]:
    """Return the inputs after a pass through a graph that gives back what it takes."""
    if not parameters:
        return []
    graph = torch._C.Graph()
    for value in parameters:
        graph.addInput().setType(value.type())
    packed = graph.insertNode(graph.create("prim::TupleConstruct", list(graph.inputs()), 1))
    packed.output().setType(torch._C.TupleType([value.type() for value in parameters]))
    graph.registerOutput(packed.output())
    return list(torch._C._create_function_from_graph("inputs", graph)(*inputs))
