"""Which modules are running."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from onnxtile.torch_frontend.trace.calls import ModuleCall, ModuleFacts, Value

_ATOMIC = ("MultiheadAttention",)
"""Modules that have others in them, but compute everything on their own."""


class ModuleStack:
    """Which modules are running, the innermost last, and all calls of modules so far."""

    def __init__(self, modules: Mapping[str, ModuleFacts], values: Callable[[object], tuple[Value, ...]]) -> None:
        """`values`: what is kept of the tensors in what a module returns."""
        self._values = values
        self._modules = modules
        self._known: dict[tuple[str, str], tuple[bool, bool]] = {}
        self.calls: list[ModuleCall] = []
        self.now: ModuleCall | None = None
        self.unseen: list[str] = []
        """Kinds of modules that ran in other threads, whose operators aren't seen."""

    def enter(self, path: str, kind: str) -> None:
        """A module begins to run."""
        known = self._known.get((path, kind))
        if known is None:
            facts = self._modules.get(path)
            leaf = facts is None or not facts.children or kind in _ATOMIC
            known = self._known[path, kind] = leaf, leaf and hasattr(torch.nn, kind)
        self.now = ModuleCall(path, kind, self.now, *known, len(self.calls))
        self.calls.append(self.now)

    def leave(self, outputs: object) -> None:
        """The innermost module has returned `outputs`: tensors, or lists, tuples and dicts with tensors in them."""
        assert self.now is not None
        self.now.outputs = self._values(outputs)
        self.now = self.now.parent
