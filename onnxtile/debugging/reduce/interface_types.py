"""Find types and shapes of a model's values, for those that become inputs or outputs where the model is cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.errors import OnnxtileError
from onnxtile.ir.dimensions import bind_dimensions, free_dimensions
from onnxtile.ir.graphs import count_nodes
from onnxtile.ir.io.load import copy_of
from onnxtile.lowering.model_writer import UNROLLED, to_proto
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.verification.engines import ENGINES, first_that_runs
from onnxtile.verification.inputs import UNBOUND, feeds
from onnxtile.verification.sessions import EngineError

FROZEN = (ir.DataType.INT64, ir.DataType.INT32, ir.DataType.BOOL)
"""Types of shapes, axes and conditions: a cut that made inputs of those would feed them nonsense."""
MOST_FROZEN = 1024
"""Elements up to which such a value is taken for one of those."""


@dataclass(frozen=True)
class InterfaceTypes:
    """Types and shapes of values of the main graph by name, and the numbers of small whole ones in one run."""

    types: dict[str, tuple[ir.TypeProtocol | None, ir.Shape | None]]
    numbers: dict[str, np.ndarray]


def interface_types(model: ir.Model, seed: int) -> InterfaceTypes:
    """Return what shape inference knows, free dimensions keeping their names, and what a run tells of the rest."""
    typed = _inferred(model)
    free = free_dimensions(typed)
    bound = copy_of(typed)
    bind_dimensions(bound, dict.fromkeys(free, UNBOUND))
    bound = _inferred(bound)
    seen = _run(bound, seed)
    sized = {value.name: value.shape for node in bound.graph for value in node.outputs}
    types = {
        str(value.name): _described(value, sized[value.name], seen.get(str(value.name)), free)
        for node in typed.graph for value in node.outputs
    }  # fmt: skip
    whole = {name: array for name, array in seen.items() if ir.DataType.from_numpy(array.dtype) in FROZEN}
    return InterfaceTypes(types, {name: array for name, array in whole.items() if array.size <= MOST_FROZEN})


def _described(
    value: ir.Value, bound: ir.Shape | None, seen: np.ndarray | None, free: Sequence[str]
) -> tuple[ir.TypeProtocol | None, ir.Shape | None]:
    """Return type and shape of a value: free dimensions of the model by name, others by their size if it's known."""
    kind, sizes = value.type, None if bound is None else list(bound)
    if seen is not None:
        kind, sizes = kind or ir.TensorType(ir.DataType.from_numpy(seen.dtype)), list(seen.shape)
    if sizes is None or value.shape is None or len(value.shape) != len(sizes):
        return kind, value.shape if sizes is None else ir.Shape(sizes)
    named = (isinstance(dim, ir.SymbolicDim) and dim.value in free for dim in value.shape)
    return kind, ir.Shape([dim if keep else size for dim, size, keep in zip(value.shape, sizes, named, strict=True)])


def _inferred(model: ir.Model) -> ir.Model:
    """Return a copy with shapes; as declared where inference fails, which may be what is looked for."""
    copy = copy_of(model)
    try:
        PassManager([InferShapes()], check=False)(copy)
    except OnnxtileError:
        return copy_of(model)
    return copy


def _run(model: ir.Model, seed: int) -> dict[str, np.ndarray]:
    """Return values of unknown shape or type, and those that may be shapes, in one run; none if no engine runs it."""
    wanted = [value for node in model.graph for value in node.outputs if value.name and _is_open(value)]
    if not wanted:
        return {}
    for value in wanted:
        if not value.is_graph_output():
            model.graph.outputs.append(value)
    try:
        fed = feeds(model, "normal", np.random.default_rng(seed))
        proto = to_proto(model, UNROLLED, "split", keep_external=False)
    except OnnxtileError:
        return {}
    try:
        results = first_that_runs(count_nodes(model), [proto], lambda engine: ENGINES[engine](proto)(fed))
    except EngineError:
        return {}
    named = zip((str(value.name) for value in model.graph.outputs), results, strict=True)
    return {name: array for name, array in named if isinstance(array, np.ndarray) and array.dtype.kind in "biuf"}


def _is_open(value: ir.Value) -> bool:
    """Return whether a run is to tell more of the value than inference does."""
    if value.shape is None or value.type is None or not value.shape.is_static():
        return True
    return value.dtype in FROZEN and math.prod(value.shape.numpy()) <= MOST_FROZEN
