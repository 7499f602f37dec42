"""Runs a ScriptModule and tells which of its modules is running: scripted modules inside one another call no hooks.

A method whose graph holds something that isn't known here runs whole, as torch runs it; what's inside it isn't told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from onnxtile.torch_frontend.torchscript.plans import Call, Module, Plan, Planner, UnknownError, shares_containers

OnOutput = Callable[[str, str, object], None]
OnWhole = Callable[[str, str, str], None]
_FORWARD = re.compile(r"forward(__)?\d*")
"""A traced module has one such method for each time that it's called, a scripted one for each kind of inputs."""


class Stack(Protocol):
    """What is told when a module begins and ends; not that it ends where it raises an error, which ends the run."""

    def enter(self, path: str, kind: str) -> None: ...

    def leave(self, outputs: object) -> None: ...


def run_script(
    module: torch.jit.ScriptModule,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    stack: Stack,
    on_output: OnOutput | None = None,
    on_whole: OnWhole | None = None,
) -> object:
    """What `module(*args, **kwargs)` gives, bit for bit, while `stack` is told which module runs; nothing runs twice.

    `on_output(path, kind, output)`: called when a module's forward has ended, the root's path being "".
    `on_whole(path, kind, reason)`: called before a module runs whole. Errors are those of torch.
    """
    root = Module(module._c, "", kind_of(module._c))
    run = _Run(stack, on_output, on_whole, Planner())
    bound = None
    reason = _hooked(module)
    if not reason:
        try:
            bound = _bound(root, args, kwargs)
        except (RuntimeError, TypeError):  # the wrong inputs: torch says it best
            reason = "its inputs aren't those of its forward"
    if bound is not None:
        return run.method(root, "forward", bound)
    return run.around(root, lambda: module(*args, **kwargs), reason)


def kind_of(module: Any) -> str:
    """The name of a module's class, as it was before it was scripted or traced."""
    return str(module._type().name())


@dataclass
class _Run:
    stack: Stack
    on_output: OnOutput | None
    on_whole: OnWhole | None
    planner: Planner
    told: set[str] = field(default_factory=set)

    def method(self, module: Module, name: str, args: Sequence[object]) -> object:
        """Run a method; one that isn't `forward` belongs to whoever calls it, as for modules that aren't scripted."""
        plan = self.planner.plan(module, name)
        if isinstance(plan, UnknownError):
            given = [arg.module if isinstance(arg, Module) else arg for arg in args]
            run: Callable[[], object] = lambda: module.module._get_method(name)(*given)  # noqa: E731  # one of two
            reason = str(plan)
        else:
            known = plan
            run, reason = lambda: self.graph(known, [module, *args]), ""
        if _FORWARD.fullmatch(name):
            return self.around(module, run, reason)
        if reason:
            self.tell(module, f"{name}: {reason}")
        return run()

    def around(self, module: Module, run: Callable[[], object], reason: str) -> object:
        if reason:
            self.tell(module, reason)
        self.stack.enter(module.path, module.kind)
        found = run()
        self.stack.leave(found)
        if self.on_output is not None:
            self.on_output(module.path, module.kind, found)
        return found

    def tell(self, module: Module, reason: str) -> None:
        if self.on_whole is not None:
            self.on_whole(module.path, module.kind, reason)

    def graph(self, plan: Plan, args: Sequence[object]) -> object:
        values: dict[str, Any] = dict(zip(plan.inputs, args, strict=True))
        plan.run(values, self)
        found = [values[name] for name in plan.outputs]
        return found[0] if len(found) == 1 else tuple(found)

    def call(self, call: Call, args: Sequence[Any]) -> object:
        """A method of a module that is an argument, or that was told apart only now."""
        module = args[0]
        plan = self.planner.plan(module, call.method)
        if isinstance(plan, UnknownError) and call.has_containers:
            method = module.module._get_method(call.method)
            if shares_containers(method.inlined_graph):
                words = f"{module.path}.{call.method} changes a list that it's given, and {plan}"
                raise RuntimeError(f"the TorchScript module can't be followed: {words}")
        return self.method(module, call.method, args[1:])


def _hooked(module: torch.jit.ScriptModule) -> str:
    """Why the root can't be followed: hooks of its own would be left out."""
    if module._c._get_forward_hooks() or module._c._get_forward_pre_hooks():
        return "it has hooks of its own"
    return ""


def _bound(root: Module, args: Sequence[object], kwargs: Mapping[str, object]) -> list[object]:
    """The inputs in the order of forward's, defaults filled in, as torch takes them: lists are copies."""
    method = root.module._get_method("forward")
    wanted = method.schema.arguments[1:]
    found = list(args)
    rest = dict(kwargs)
    for argument in wanted[len(found) :]:
        if argument.name in rest:
            found.append(rest.pop(argument.name))
        elif argument.has_default_value():
            found.append(argument.default_value)
        else:
            raise TypeError(argument.name)
    if rest or len(found) != len(wanted):
        raise TypeError("too many")
    return _converted(list(method.graph.inputs())[1:], found)


def _converted(inputs: Sequence[Any], given: Sequence[object]) -> list[object]:
    """The inputs after a pass through a graph that gives back what it takes."""
    if not inputs:
        return []
    graph = torch._C.Graph()
    for value in inputs:
        graph.addInput().setType(value.type())
    made = graph.insertNode(graph.create("prim::TupleConstruct", list(graph.inputs()), 1))
    made.output().setType(torch._C.TupleType([value.type() for value in inputs]))
    graph.registerOutput(made.output())
    return list(torch._C._create_function_from_graph("inputs", graph)(*given))
