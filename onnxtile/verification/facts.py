"""Types and shapes of a model's values, by scope and name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

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
    """What is known of a model's values; those whose rank or sizes aren't known are missing.

    `free`: sizes were taken that nobody gave.
    """

    values: Mapping[Key, Fact]
    free: bool = False

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


def free_sizes(model: onnx.ModelProto, bind: Mapping[str, int]) -> tuple[list[str], dict[str, int]]:
    """Return the free dimensions of a bare model, and those whose size a product leaves no choice about."""
    typed = inferred(model, bind)
    forced = forced_sizes(typed)
    return [name for name in free_dimensions(typed) if name not in forced], forced


def facts_of(model: onnx.ModelProto, sizes: Mapping[str, int], free: bool) -> Facts | None:
    """Infer shapes of a bare model at these sizes; None where they don't go together. `free`: some are made up."""
    try:
        typed = inferred(model, sizes)
    except ModelError:
        if free:
            return None
        raise
    values: dict[Key, Fact] = {}
    names = Counter(scope.name for scope in scopes(typed))
    for scope in scopes(typed):
        if names[scope.name] > 1:
            continue  # which of them a name means can't be told
        inputs = list(scope.graph.inputs)
        constants = [] if isinstance(scope.graph, ir.Function) else list(scope.graph.initializers.values())
        for value in (*inputs, *constants, *(value for node in scope.graph for value in node.outputs)):
            fact = _fact(value)
            if fact is not None:
                values[scope.name, str(value.name)] = fact
    return Facts(values, free)


def inferred(model: onnx.ModelProto, bind: Mapping[str, int]) -> ir.Model:
    """Return the model with the shapes that inference finds."""
    typed = source.from_proto(skeleton_of_proto(model))
    PassManager([BindDims(bind), InferShapes()], check=False)(typed)
    return typed


def _fact(value: ir.Value) -> Fact | None:
    if value.shape is None or value.dtype is None or not isinstance(value.type, ir.TensorType):
        return None
    sizes = [size for size in value.shape if isinstance(size, int) and size >= 0]
    return Fact(value.dtype, tuple(sizes)) if len(sizes) == len(value.shape) else None
