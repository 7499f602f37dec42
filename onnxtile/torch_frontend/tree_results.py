"""Hold the modules of a network, with what they return, hold and compute; torch isn't needed to read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.profiling.results import Profile


@dataclass(frozen=True, kw_only=True)
class Branch(JsonRecord, members="path kind depth calls outputs params trainable own_params macs"):
    """A module. `depth`: 0 is the network itself. `outputs`: type and shape of what its first call returned, as text.

    `params`, `trainable`, `macs`: of it and all modules in it, each parameter once; `own_params`: of it alone.
    `calls`: how often it ran, 0 where it didn't. `last`: whether it's the last one in its module.
    """

    path: str
    kind: str
    depth: int
    last: bool
    calls: int
    outputs: tuple[str, ...]
    params: int
    trainable: int
    own_params: int
    macs: Amount

    @property
    def name(self) -> str:
        """Return what the module around it calls it."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True)
class TreeTotals(JsonRecord, members="* total_bytes"):
    """The network together; sizes in bytes, estimated as torchinfo 1.8 does for a step of training.

    `input_bytes`: what it was called with. `forward_backward_bytes`: twice, for the gradients, what every call of a
    module returned that has parameters and no modules in it (of several tensors the first). `params_bytes`: all
    parameters, no buffers. `total_bytes`: the three together. `layers`: calls of modules without modules
    in them; `activation_bytes`: what those of torch's own returned, and what was computed outside of them.
    """

    params: int
    trainable: int
    frozen: int
    buffers: int
    macs: Amount
    layers: int
    activation_bytes: Amount
    input_bytes: int
    forward_backward_bytes: int
    params_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.input_bytes + self.forward_backward_bytes + self.params_bytes


@dataclass(frozen=True)
class Tree(JsonRecord, members="schema view totals modules=branches"):
    """The modules, each before those in it, and all together. `profile`: the operators that they call."""

    schema: ClassVar[str] = "onnxtile.profile-tree/1"
    view: ClassVar[str] = "tree"
    branches: tuple[Branch, ...]
    totals: TreeTotals
    profile: Profile
