"""Types and shapes of a model's values, and its products, by scope and name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.dimensions import free_dimensions
from onnxtile.ir.graphs import scopes
from onnxtile.ir.io import load as source
from onnxtile.ir.io.checker import skeleton_of_proto
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.verification.forced_sizes import forced_sizes

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

    `products`: the products whose first output a value is. `free`: sizes were taken that nobody gave. `forced`:
    those of free dimensions that have no other choice.
    """

    values: Mapping[Key, Fact]
    products: Mapping[Key, list[Contraction]]
    free: bool = False
    forced: Mapping[str, int] = field(default_factory=dict)

    def find(self, scope: str, name: str) -> Fact | None:
        """Return what is known of the value that a graph sees by this name."""
        while (scope, name) not in self.values:
            if not scope:
                return None
            scope = scope.rpartition("/")[0]  # `node/attribute`, and a name may hold more of them
        return self.values[scope, name]


def facts_of(model: onnx.ModelProto, bind: Mapping[str, int], size_of: Callable[[int], int]) -> Facts:
    """Infer shapes, with free dimensions as `bind` says; the rest are sized by their place among them."""
    typed = inferred(model, bind)
    forced = forced_sizes(typed)
    rest = {name: size_of(place) for place, name in enumerate(free_dimensions(typed))}
    for sizes in (
        (rest | forced, dict.fromkeys(rest, size_of(0)) | forced) if rest else ()
    ):  # different ones tell, unless they depend on each other
        try:
            sized = inferred(model, {**bind, **sizes})
            list(contractions(sized))  # it tells of operands that contradict
        except ModelError:
            continue  # those that aren't bound stay unknown
        typed = sized
        break
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
    products: dict[Key, list[Contraction]] = {}
    for found in contractions(typed):
        products.setdefault((found.scope, str(found.node.outputs[0].name)), []).append(found)
    return Facts(values, products, bool(rest), forced)


def inferred(model: onnx.ModelProto, bind: Mapping[str, int]) -> ir.Model:
    """Return the model without its large weights, with the shapes that inference finds."""
    typed = source.from_proto(skeleton_of_proto(model))
    PassManager([BindDims(bind), InferShapes()], check=False)(typed)
    return typed


def _fact(value: ir.Value) -> Fact | None:
    if value.shape is None or value.dtype is None or not isinstance(value.type, ir.TensorType):
        return None
    sizes = [size for size in value.shape if isinstance(size, int) and size >= 0]
    return Fact(value.dtype, tuple(sizes)) if len(sizes) == len(value.shape) else None
