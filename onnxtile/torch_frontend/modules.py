"""List the modules of a network, and the tensors that they hold."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from onnxtile.torch_frontend.trace.calls import ModuleFacts


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
