"""The modules of a network, and the tensors that they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch

from onnxtile.torch_frontend.trace.calls import ModuleFacts


@dataclass
class Structure:
    """Modules by path, each once; `known`: path and kind of each by its identity; parameters and buffers by all names
    that they have.
    """

    modules: dict[str, ModuleFacts] = field(default_factory=dict)
    known: dict[int, tuple[str, str]] = field(default_factory=dict)
    parameters: list[tuple[str, torch.Tensor]] = field(default_factory=list)
    buffers: list[tuple[str, torch.Tensor]] = field(default_factory=list)


def structure_of(module: torch.nn.Module) -> Structure:
    """One walk through a network; a module that is in two places counts where it's found first."""
    found = Structure()
    _walk(module, "", "", found)
    return found


def _walk(module: torch.nn.Module, path: str, prefix: str, found: Structure) -> None:
    # the dictionaries themselves: the methods that go through them take much longer
    kind = kind_of(module)
    found.known[id(module)] = path, kind
    own = [(prefix + name, tensor) for name, tensor in module._parameters.items() if tensor is not None]
    inner = [(prefix + name, each) for name, each in module._modules.items() if each is not None]
    children = [name for name, _ in inner]
    found.modules[path] = ModuleFacts(path, kind, [name for name, _ in own], children)
    found.parameters += own
    found.buffers += [(prefix + name, tensor) for name, tensor in module._buffers.items() if tensor is not None]
    for name, each in inner:
        if id(each) not in found.known:
            _walk(each, name, f"{name}.", found)


def kind_of(module: torch.nn.Module) -> str:
    """The name of a module's class; TorchScript modules remember that of the class that they come from."""
    return str(module.original_name) if isinstance(module, torch.jit.ScriptModule) else type(module).__name__


def tensors_in(found: object) -> Iterator[torch.Tensor]:
    """The tensors in lists, tuples and dicts, in order."""
    if isinstance(found, torch.Tensor):
        yield found
    elif isinstance(found, (list, tuple)):
        for each in found:
            yield from tensors_in(each)
    elif isinstance(found, Mapping):
        for each in found.values():
            yield from tensors_in(each)
