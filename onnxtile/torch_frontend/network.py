"""A network of torch with the inputs of one run: it's opened once, and recorded, captured, exported and compared."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import torch

from onnxtile.errors import UsageError

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
