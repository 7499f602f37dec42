"""Translate the methods of a ScriptModule into programs, step by step, before anything of them runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeAlias

import torch

from onnxtile.torch_frontend.torchscript.operations import (
    CONTAINERS,
    IN_PLACE_OF_TORCH,
    Operation,
    alone,
    is_container,
    operation,
)

Values: TypeAlias = dict[str, Any]
"""A graph's values by their names, which are no one else's in it."""


class UnknownError(Exception):
    """A graph holds something that isn't known here; the message says what."""


@dataclass(frozen=True)
class ScriptedModule:
    """A module in a ScriptModule. `path`: the attributes that lead to it; `kind`: its class before it was scripted."""

    module: Any
    path: str
    kind: str

    @classmethod
    def of(cls, module: Any, path: str = "") -> ScriptedModule:
        return cls(module, path, str(module._type().name()))

    def child(self, name: str) -> ScriptedModule | None:
        """Return the module that the attribute is; None for anything else."""
        attribute = self.module.getattr(name)
        if not isinstance(attribute, torch._C.ScriptModule):
            return None
        return ScriptedModule.of(attribute, f"{self.path}.{name}" if self.path else name)

    def children(self) -> list[str]:
        return [name for name, _ in torch._C.ModuleDict(self.module).items()]


RunMethod: TypeAlias = Callable[[ScriptedModule, str, Sequence[object]], object]
"""Runs a method of a module, by its name, with these arguments."""
ProgramStep: TypeAlias = Callable[[Values, RunMethod], None]


@dataclass
class Program:
    """The steps of a graph or a block, and the names of its inputs and outputs."""

    inputs: list[str]
    outputs: list[str]
    steps: list[ProgramStep] = field(default_factory=list)

    def run(self, values: Values, run_method: RunMethod) -> None:
        for step in self.steps:
            step(values, run_method)

    def call(self, args: Sequence[object], run_method: RunMethod) -> object:
        """Run the steps with values of their own, and return the output, or a tuple of them."""
        values: Values = dict(zip(self.inputs, args, strict=True))
        self.run(values, run_method)
        outputs = [values[name] for name in self.outputs]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


@dataclass
class Programs:
    """Makes the program of each method once."""

    by_method: dict[tuple[str, str], Program | UnknownError] = field(default_factory=dict)

    def of(self, module: ScriptedModule, method: str) -> Program | UnknownError:
        """Return the program of a method, or why there is none."""
        key = module.path, method
        if key not in self.by_method:
            scripted = module.module._get_method(method)
            try:
                self.by_method[key] = _Translator(self, scripted).of(scripted.graph, module)
            except UnknownError as error:
                self.by_method[key] = error
        return self.by_method[key]


def shares_containers(graph: Any) -> bool:
    """Return whether a graph without calls changes a list or dict that it's given, or gives one back."""
    inputs = [value for value in graph.inputs() if is_container(value.type())]
    if not inputs:
        return False
    aliases = graph.alias_db()
    outputs = [value for value in graph.outputs() if is_container(value.type())]
    return any(
        aliases.has_writers(value) or any(aliases.may_contain_alias(value, output) for output in outputs)
        for value in inputs
    )


@dataclass
class _Translator:
    """Translates one graph. `modules`: values that are known to be modules, by name."""

    programs: Programs
    method: Any = None
    modules: dict[str, ScriptedModule] = field(default_factory=dict)

    def of(self, graph: Any, module: ScriptedModule | None = None) -> Program:
        if module is not None:
            self.modules[next(iter(graph.inputs())).debugName()] = module
        return self.block(graph)

    def block(self, block: Any) -> Program:
        program = Program(_names(block.inputs()), _names(block.outputs()))
        for node in block.nodes():
            step = self.step(node)
            if step is not None:
                program.steps.append(step)
        return program

    def step(self, node: Any) -> ProgramStep | None:
        kind = node.kind()
        if kind in _STEPS:
            return _STEPS[kind](self, node)
        inputs = list(node.inputs())
        of_container = bool(inputs) and inputs[0].type().kind() in ("ListType", "DictType")
        if kind in IN_PLACE_OF_TORCH and (of_container or kind not in CONTAINERS):
            function: Operation | str = IN_PLACE_OF_TORCH[kind]
        else:
            function = operation(node)
        if isinstance(function, str):
            raise UnknownError(function)
        return _assigned(function, _names(inputs), _names(node.outputs()), unpacks=kind.endswith("Unpack"))

    def constant(self, node: Any) -> ProgramStep | None:
        output = node.output()
        if output.type().kind() == "FunctionType":
            return None
        name = output.debugName()
        try:
            value = output.toIValue()
        except RuntimeError as error:
            raise UnknownError(f"a constant is a {output.type().annotation_str}") from error
        return _computed(name, lambda values, run_method: value)

    def get_attribute(self, node: Any) -> ProgramStep:
        attribute, source, name = node.s("name"), node.input().debugName(), node.output().debugName()
        owner, kind = self.modules.get(source), node.output().type()
        child = owner.child(attribute) if owner is not None and kind.kind() in ("ClassType", "InterfaceType") else None
        if child is not None:
            self.modules[name] = child
            return _computed(name, lambda values, run_method: child)
        if owner is None and node.input().type().kind() not in ("ClassType", "InterfaceType"):
            raise UnknownError(f"prim::GetAttr of a {node.input().type().annotation_str}")
        if is_container(kind) and self.changes(attribute):
            raise UnknownError(f"the list or dict {attribute!r} of a module is changed")

        def read(values: Values, run_method: RunMethod) -> object:
            held_by = values[source]
            if not isinstance(held_by, ScriptedModule):
                return getattr(held_by, attribute)
            return held_by.child(attribute) or held_by.module.getattr(attribute)

        return _computed(name, read)

    def changes(self, attribute: str) -> bool:
        """Return whether this method, or one that it calls, changes what such an attribute holds."""
        graph = self.method.inlined_graph
        reads = [node for node in graph.findAllNodes("prim::GetAttr") if node.s("name") == attribute]
        if not reads:
            return False
        aliases = graph.alias_db()
        return any(aliases.has_writers(node.output()) for node in reads)

    def set_attribute(self, node: Any) -> ProgramStep:
        attribute = node.s("name")
        target, value = node.inputs()
        if is_container(value.type()) or value.type().kind() == "ClassType":
            raise UnknownError(f"a list, dict or object becomes the attribute {attribute!r}")
        owner, name = target.debugName(), value.debugName()
        if owner not in self.modules:
            raise UnknownError(f"the attribute {attribute!r} of an object is set")
        return lambda values, run_method: values[owner].module.setattr(attribute, values[name])

    def call_method(self, node: Any) -> ProgramStep:
        inputs, method = list(node.inputs()), node.s("name")
        names, output = _names(inputs), node.output().debugName()
        module = self.modules.get(names[0])
        has_containers = any(is_container(value.type()) for value in inputs[1:])
        if module is None and inputs[0].type().kind() != "InterfaceType":
            raise UnknownError(f"the method {method!r} of a {inputs[0].type().annotation_str} is called")
        if module is None and has_containers:
            raise UnknownError(f"the method {method!r} of a module that varies is given a list or dict")
        whole = module is not None and has_containers and isinstance(self.programs.of(module, method), UnknownError)
        if module is not None and whole and shares_containers(module.module._get_method(method).inlined_graph):
            raise UnknownError(f"{module.path} changes a list or dict that it's given, and runs whole")
        return _computed(
            output,
            lambda values, run_method: run_method(values[names[0]], method, [values[name] for name in names[1:]]),
        )

    def call_function(self, node: Any) -> ProgramStep:
        """Translate a function where all of it is known; it runs whole where not."""
        inputs, output = list(node.inputs()), node.output().debugName()
        names = _names(inputs[1:])
        if inputs[0].node().s("name") == "get_fastpath_enabled":  # scripted it's always yes; here it's as it was set
            return _assigned(torch.backends.mha.get_fastpath_enabled, [], [output])
        graph = alone(node)
        inlined = graph.copy()
        torch._C._jit_pass_inline(inlined)
        try:
            program = _Translator(self.programs, SimpleNamespace(inlined_graph=inlined)).of(inlined)
        except UnknownError:
            if shares_containers(inlined):
                raise
            function = torch._C._create_function_from_graph("function", graph)
            return _assigned(function, names, [output])
        return _computed(output, lambda values, run_method: program.call([values[name] for name in names], run_method))

    def choice(self, node: Any) -> ProgramStep:
        condition = node.input().debugName()
        (yes, no), outputs = [self.block(block) for block in node.blocks()], _names(node.outputs())

        def step(values: Values, run_method: RunMethod) -> None:
            program = yes if values[condition] else no
            program.run(values, run_method)
            values.update(zip(outputs, [values[name] for name in program.outputs], strict=True))

        return step

    def loop(self, node: Any) -> ProgramStep:
        most, condition, *first = _names(node.inputs())
        body, outputs = self.block(next(iter(node.blocks()))), _names(node.outputs())

        def step(values: Values, run_method: RunMethod) -> None:
            count, goes_on = 0, values[condition]
            carried = [values[name] for name in first]
            while count < values[most] and goes_on:
                values.update(zip(body.inputs, [count, *carried], strict=True))
                body.run(values, run_method)
                goes_on, *carried = (values[name] for name in body.outputs)
                count += 1
            values.update(zip(outputs, carried, strict=True))

        return step

    def make_tuple(self, node: Any) -> ProgramStep:
        kind = node.output().type()
        names, outputs = _names(node.inputs()), _names(node.outputs())
        if kind.annotation_str.startswith("Tuple["):
            return _assigned(lambda *items: items, names, outputs)
        if is_container(kind):
            raise UnknownError(f"a {kind.annotation_str} holds a list or dict")
        return _assigned(torch._C._create_function_from_graph("named", alone(node)), names, outputs)

    def pick_module(self, node: Any) -> ProgramStep:
        """Translate the choice of a module out of a ModuleList by number, or out of a ModuleDict by name."""
        modules, key = _names(node.inputs())

        def pick(values: Values, run_method: RunMethod) -> object:
            container, index = values[modules], values[key]
            return container.child(index if isinstance(index, str) else container.children()[index])

        return _computed(node.output().debugName(), pick)


_STEPS: dict[str, Callable[[_Translator, Any], ProgramStep | None]] = {
    "prim::Constant": _Translator.constant,
    "prim::GetAttr": _Translator.get_attribute,
    "prim::SetAttr": _Translator.set_attribute,
    "prim::CallMethod": _Translator.call_method,
    "prim::CallFunction": _Translator.call_function,
    "prim::If": _Translator.choice,
    "prim::Loop": _Translator.loop,
    "prim::TupleConstruct": _Translator.make_tuple,
    "prim::ModuleContainerIndex": _Translator.pick_module,
}


def _computed(output: str, compute: Callable[[Values, RunMethod], object]) -> ProgramStep:
    """Return a step that computes one value."""

    def step(values: Values, run_method: RunMethod) -> None:
        values[output] = compute(values, run_method)

    return step


def _assigned(
    function: Callable[..., Any], names: Sequence[str], outputs: Sequence[str], unpacks: bool = False
) -> ProgramStep:
    """Return a step that calls a function, which gives several values for several outputs or where it `unpacks`."""
    if len(outputs) == 1 and not unpacks:
        return _computed(outputs[0], lambda values, run_method: function(*[values[name] for name in names]))

    def step(values: Values, run_method: RunMethod) -> None:
        results = function(*[values[name] for name in names])
        if outputs:
            values.update(zip(outputs, results, strict=True))

    return step


def _names(values: Iterable[Any]) -> list[str]:
    return [value.debugName() for value in values]
