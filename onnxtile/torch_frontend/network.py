"""A network of torch with the inputs of one run: it's opened once, and recorded, captured, exported and compared.

And its structure: modules, and the tensors that they hold.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import torch

from onnxtile.errors import UsageError
from onnxtile.torch_frontend.trace.calls import ModuleFacts

TorchModel: TypeAlias = "torch.nn.Module | torch.export.ExportedProgram"


@dataclass(frozen=True)
class Network:
    """A module, TorchScript or exported program, and the inputs of one run, by position and by name.

    `seed`: where the inputs are random, what they were made from.
    """

    model: TorchModel
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None

    @property
    def is_exported(self) -> bool:
        return isinstance(self.model, torch.export.ExportedProgram)

    @property
    def is_scripted(self) -> bool:
        return isinstance(self.model, torch.jit.ScriptModule)

    def module(self) -> torch.nn.Module:
        """Return the module to be called. Raises UsageError for what is no model of torch."""
        module = self.model.module() if isinstance(self.model, torch.export.ExportedProgram) else self.model
        if not isinstance(module, torch.nn.Module):
            raise UsageError(f"can't run a {type(module).__name__}: give a module of torch or an exported program")
        return module

    def in_order(self) -> Network:
        """Return it with its inputs in the order of forward's parameters, by position where that's possible.

        Models that torch exports take them in that order.
        """
        if not self.kwargs or self.is_exported or self.is_scripted:
            return self
        try:
            bound = inspect.signature(self.module().forward).bind(*self.args, **self.kwargs)
        except (TypeError, ValueError):  # running the model says what is wrong
            return self
        return replace(self, args=bound.args, kwargs=bound.kwargs)


@dataclass
class Structure:
    """Modules by path, once each; `labels`: their path and class by their identity; parameters and buffers by all names
    that they have.
    """

    modules: dict[str, ModuleFacts] = field(default_factory=dict)
    labels: dict[int, tuple[str, str]] = field(default_factory=dict)
    parameters: list[tuple[str, torch.Tensor]] = field(default_factory=list)
    buffers: list[tuple[str, torch.Tensor]] = field(default_factory=list)


def structure_of(module: torch.nn.Module) -> Structure:
    """Return the structure of a network; a module that it has under two names goes by the first."""
    structure = Structure()
    _walk(module, "", "", structure)
    return structure


def _walk(module: torch.nn.Module, path: str, prefix: str, structure: Structure) -> None:
    # the dictionaries themselves: the methods that go through them take much longer
    kind = kind_of(module)
    structure.labels[id(module)] = path, kind
    own = [(prefix + name, tensor) for name, tensor in module._parameters.items() if tensor is not None]
    inner = [(prefix + name, child) for name, child in module._modules.items() if child is not None]
    facts = ModuleFacts(path, kind, [name for name, _ in own], [name for name, _ in inner])
    structure.modules[path] = facts
    structure.parameters += own
    structure.buffers += [(prefix + name, tensor) for name, tensor in module._buffers.items() if tensor is not None]
    for name, child in inner:
        if id(child) not in structure.labels:
            _walk(child, name, f"{name}.", structure)


def kind_of(module: torch.nn.Module) -> str:
    """Return the name of a module's class; TorchScript modules remember that of the class that they come from."""
    return str(module.original_name) if isinstance(module, torch.jit.ScriptModule) else type(module).__name__
