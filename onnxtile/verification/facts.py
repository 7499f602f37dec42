"""Types and shapes of a model's values, by scope and name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.dimensions import free_dimensions
from onnxtile.ir.graphs import scopes
from onnxtile.ir.io import load as source
from onnxtile.ir.io.checker import skeleton_of_proto
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.verification.forced_sizes import forced_sizes
from onnxtile.verification.graphs import graphs_of

Key = tuple[str, str]
"""Scope and name of a value."""


@dataclass(frozen=True)
class Fact:
    """A value's type, and its shape in elements."""

    dtype: ir.DataType
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Facts:
    """Hold what is known of a model's values; those whose rank or sizes aren't known are missing.

    `free`: sizes were taken that nobody gave. `lengths`: numbers of a region's inputs that say how long results are.
    """

    values: Mapping[Key, Fact]
    free: bool = False
    lengths: Mapping[str, int] = field(default_factory=dict)

    def find(self, scope: str, name: str) -> Fact | None:
        """Return what is known of the value that a graph sees by this name."""
        while (scope, name) not in self.values:
            if not scope:
                return None
            scope = scope.rpartition("/")[0]  # `node/attribute`, and a name may hold more of them
        return self.values[scope, name]


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without its large weights, and without what it says of the values inside it."""
    light = onnx.ModelProto()
    light.CopyFrom(skeleton_of_proto(model))
    graphs = [light.graph]
    while graphs:
        graph = graphs.pop()
        del graph.value_info[:]
        graphs += [inner for node in graph.node for attribute in node.attribute for inner in graphs_of(attribute)]
    return light


class Shapes:
    """Types and shapes of a bare model's values at any sizes of free dimensions: they're inferred once, as formulas.

    `free`: names of free dimensions. `forced`: those whose size a product leaves no choice about.
    """

    def __init__(self, model: onnx.ModelProto, bind: Mapping[str, int]) -> None:
        typed = inferred(model, bind)
        self.forced = forced_sizes(typed)
        self.free = [name for name in free_dimensions(typed) if name not in self.forced]
        self._model, self._bind, self._values = model, {**self.forced, **bind}, _values(typed)
        self._at: dict[tuple[tuple[str, int], ...], Facts] = {}

    def first(self, sizes: Mapping[str, int]) -> Facts | None:
        """Return what is known at these sizes, inferred for them; None where they don't go together."""
        try:
            return self._inferred(sizes)
        except ModelError:
            if self.free:
                return None
            raise

    def at(self, sizes: Mapping[str, int]) -> Facts:
        """Return what is known at these sizes by formulas; where a formula doesn't tell, it's inferred for them."""
        key = tuple(sizes.items())
        if key not in self._at:
            bound = {**self._bind, **sizes}
            self._at[key] = Facts(_Evaluated(self._values, bound, lambda: self._inferred(sizes).values), True)
        return self._at[key]

    def tried(self, choices: Iterable[dict[str, int]]) -> Iterator[tuple[dict[str, int], Facts]]:
        """Yield sizes with what is known at them."""
        return ((choice, self.at(choice)) for choice in choices)

    def _inferred(self, sizes: Mapping[str, int]) -> Facts:
        values = _values(inferred(self._model, {**self._bind, **sizes}))
        return Facts({key: fact for key, value in values.items() if (fact := _fact(value, {})) is not None},
                     bool(self.free))  # fmt: skip


class _Evaluated(Mapping[Key, Fact]):
    """Shapes whose formulas are evaluated when they're asked for."""

    def __init__(
        self, values: Mapping[Key, ir.Value], sizes: Mapping[str, int], infer: Callable[[], Mapping[Key, Fact]]
    ) -> None:
        self._values, self._sizes, self._infer = values, sizes, infer
        self._known: dict[Key, Fact | None] = {}

    def __getitem__(self, key: Key) -> Fact:
        if key not in self._known:
            fact = _fact(self._values[key], self._sizes)
            self._known[key] = self._concrete.get(key) if fact is None else fact
        fact = self._known[key]
        if fact is None:
            raise KeyError(key)
        return fact

    def __iter__(self) -> Iterator[Key]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @cached_property
    def _concrete(self) -> Mapping[Key, Fact]:
        try:
            return self._infer()
        except ModelError:
            return {}


def _values(model: ir.Model) -> dict[Key, ir.Value]:
    """The values of all graphs but those that share their scope's name: which of them a name means can't be told."""
    found: dict[Key, ir.Value] = {}
    names = Counter(scope.name for scope in scopes(model))
    for scope in scopes(model):
        if names[scope.name] == 1:
            constants = [] if isinstance(scope.graph, ir.Function) else list(scope.graph.initializers.values())
            values = (*scope.graph.inputs, *constants, *(value for node in scope.graph for value in node.outputs))
            found.update(((scope.name, str(value.name)), value) for value in values)
    return found


def inferred(model: onnx.ModelProto, bind: Mapping[str, int]) -> ir.Model:
    """Return the model with the shapes that inference finds."""
    typed = source.from_proto(skeleton_of_proto(model))
    PassManager([BindDims(bind), InferShapes()], check=False)(typed)
    return typed


def _fact(value: ir.Value, sizes: Mapping[str, int]) -> Fact | None:
    """Return what is known of a value at these sizes."""
    if value.shape is None or value.dtype is None or not isinstance(value.type, ir.TensorType):
        return None
    shape = tuple(size if isinstance(size, int) else _evaluated(size, sizes) for size in value.shape)
    known = tuple(size for size in shape if size is not None and size >= 0)
    return Fact(value.dtype, known) if len(known) == len(shape) else None


def _evaluated(dim: ir.SymbolicDim, sizes: Mapping[str, int]) -> int | None:
    if dim.value is None or not sizes:
        return None
    found = sizes[dim.value] if dim.value in sizes else dim.evaluate(dict(sizes))
    return found if isinstance(found, int) else None
