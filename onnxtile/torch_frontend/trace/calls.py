"""Hold what is kept of a forward run: calls of operators and of modules, shapes and types in place of tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch

from onnxtile.torch_frontend.trace.skipping import reads_numbers


class NoSizesError(Exception):
    """Sizes are asked for that a tensor doesn't have; the words go on from the operator's name."""


class Unsized(Sequence[int]):
    """The shape of a tensor that isn't one block of numbers, but nested or sparse: reading it raises NoSizesError."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __getitem__(self, index: Any) -> Any:
        raise NoSizesError(f"works on a {self.kind} tensor, whose sizes don't tell how much that is")

    def __len__(self) -> int:
        return len(self[0])


class Value(NamedTuple):
    """A tensor that was read or made.

    `storage`: the number of the memory that it's in, which its views share. `sources`: names of the constants that it's
    computed from, where it's computed from nothing else. `shape`: Unsized where it isn't one block of numbers.
    """

    shape: Sequence[int]
    dtype: torch.dtype
    storage: int
    sources: tuple[str, ...] = ()

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(slots=True)
class Storage:
    """Memory that tensors are in, alive from the call of one number to that of another."""

    bytes: int
    first_call: int
    last_call: int
    constant: bool = False

    @property
    def was_read(self) -> bool:
        return self.last_call > self.first_call


ConstantKind = Literal["trainable", "frozen", "buffer"]


class Constant(NamedTuple):
    """A parameter, a buffer, or another tensor that was there before the run."""

    elements: int
    bytes: int
    kind: ConstantKind
    counts: bool
    """It's a weight where it feeds a call: parameters are, and floating-point numbers along axes."""


class Operator:
    """An operator of torch, such as aten.addmm.default."""

    __slots__ = ("changes", "defaults", "name", "overload", "positions", "reads")

    def __init__(self, func: torch._ops.OpOverload | torch._ops.HigherOrderOperator) -> None:
        schema = getattr(func, "_schema", None)
        namespace, _, name = func.name().partition(".")[0].rpartition("::")
        plain = name.endswith("_") and not name.startswith("__")
        self.name = f"{namespace or 'higher_order'}.{name.rstrip('_') if plain else name}"
        """Without the mark of operators that write their result in place."""
        self.overload = getattr(func, "_overloadname", "")
        self.changes = (schema is not None and bool(schema.is_mutable)) or name == "native_batch_norm"
        self.reads = schema is None or reads_numbers(func)
        arguments = schema.arguments if schema is not None else ()
        self.positions = {argument.name: position for position, argument in enumerate(arguments)}
        self.defaults = {
            argument.name: argument.default_value for argument in arguments if argument.has_default_value()
        }

    def has(self, name: str) -> bool:
        """Return whether it takes an argument of that name."""
        return name in self.positions


@dataclass(slots=True)
class ModuleCall:
    """A call of a module: `path` is its name in the network, '' the network itself; `kind` the name of its class.

    `leaf`: it has no modules in it. `layer`: it's one of torch's own that hasn't. `order`: calls of modules before it.
    """

    path: str
    kind: str
    parent: ModuleCall | None
    leaf: bool
    layer: bool
    order: int
    outputs: tuple[Value, ...] = ()


@dataclass(slots=True)
class Call:
    """A call of an operator, in the innermost module that was running. `arguments` has Values in place of tensors."""

    operator: Operator
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    module: ModuleCall

    def argument(self, name: str) -> Any:
        """Return the argument of that name. Raises KeyError where the operator has none."""
        position = self.operator.positions[name]
        if position < len(self.arguments):
            return self.arguments[position]
        return self.keywords[name] if name in self.keywords else self.operator.defaults[name]

    def named_arguments(self) -> dict[str, Any]:
        """Return the arguments that were given, by name."""
        return {**dict(zip(self.operator.positions, self.arguments, strict=False)), **self.keywords}

    def shape(self, name: str) -> Sequence[int]:
        """Return the shape of the tensor argument of that name."""
        value: Value = self.argument(name)
        return value.shape


@dataclass
class ModuleFacts:
    """A module of the network, called or not. `parameters`: names of its own ones, without those of modules in it."""

    path: str
    kind: str
    parameters: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)


@dataclass
class Recording:
    """One forward run of a network."""

    calls: list[Call]
    modules: dict[str, ModuleFacts]
    """All modules by path, in the order in which the network has them."""
    module_calls: list[ModuleCall]
    """In the order in which they began."""
    storages: list[Storage]
    constants: dict[str, Constant]
    names: dict[str, str]
    """The name in `constants` of each parameter, by its own: several may be one."""
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]

    def elements(self, kind: ConstantKind) -> int:
        """Return the elements of all constants of a kind."""
        return sum(constant.elements for constant in self.constants.values() if constant.kind == kind)

    def bytes_of(self, value: Value) -> int:
        """Return a value's bytes: its memory's where its shape doesn't say them or says more than there are."""
        memory = self.storages[value.storage].bytes
        if isinstance(value.shape, Unsized):
            return memory
        return min(value.bytes, memory) if memory else value.bytes
