"""Follow which modules of a network are running."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from onnxtile.torch_frontend.trace.calls import ModuleCall, ModuleFacts, Value

_ATOMIC = ("MultiheadAttention",)
"""Modules that have others in them, but compute everything on their own."""


class ModuleWatcher:
    """Is told which modules run by whatever runs a network; every method does nothing unless it's overridden."""

    def enter(self, path: str, kind: str) -> None:
        """Note that a module begins to run."""

    def leave(self, outputs: object) -> None:
        """Note that the innermost module has returned: tensors, or lists, tuples and dicts with tensors in them."""

    def take(self, path: str, kind: str, output: object) -> None:
        """Take what a call of a module gives, where it has ended."""

    def skip(self, path: str, kind: str, reason: str) -> None:
        """Note that a module runs whole, so that nothing is told of those inside it."""


class ModuleStack(ModuleWatcher):
    """Keeps which modules are running, the innermost last, and all calls of modules so far."""

    def __init__(self, modules: Mapping[str, ModuleFacts], values: Callable[[object], tuple[Value, ...]]) -> None:
        """`values`: what is kept of the tensors in what a module returns."""
        self._values = values
        self._modules = modules
        self._traits: dict[tuple[str, str], tuple[bool, bool]] = {}
        self.calls: list[ModuleCall] = []
        self.now: ModuleCall | None = None
        self.unseen: list[str] = []
        """Classes of modules that ran in other threads, whose operators aren't seen."""

    def enter(self, path: str, kind: str) -> None:
        traits = self._traits.get((path, kind))
        if traits is None:
            facts = self._modules.get(path)
            leaf = facts is None or not facts.children or kind in _ATOMIC
            traits = self._traits[path, kind] = leaf, leaf and hasattr(torch.nn, kind)
        self.now = ModuleCall(path, kind, self.now, *traits, len(self.calls))
        self.calls.append(self.now)

    def leave(self, outputs: object) -> None:
        assert self.now is not None
        self.now.outputs = self._values(outputs)
        self.now = self.now.parent
