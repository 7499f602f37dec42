"""A fault, the model with it, and the input that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.faults.cases import Case
from tests.faults.written import Edit, Written
from tests.support import run_onnxruntime, run_reference

Feeds = dict[str, np.ndarray]
SIZES = {"rows": 6, "turns": 3}
"""What an input that shows faults takes for a free dimension and for a number of turns."""
TABLE = 5000
"""Rows of the table that indices are for."""


@dataclass(frozen=True, eq=False)
class Fault:
    """A deliberate fault in a lowered model.

    `origin`: the nodes of the original model that are computed wrongly by it, any of which may be named. `hard`: why
    random inputs or a tolerance miss it. `shows`: an input that shows it, where normal numbers wouldn't.
    """

    title: str
    case: Case
    put: Edit
    origin: Sequence[str] = ("fc",)
    hard: str = ""
    shows: Callable[[Feeds], Feeds] = field(default=lambda feeds: feeds)

    def mutated(self) -> tuple[onnx.ModelProto, set[str]]:
        """The lowered model with the fault, and the names of the nodes that it touched."""
        model = onnx.ModelProto()
        model.CopyFrom(self.case.lowered)
        written = Written(model)
        touched = self.put(written)
        return model, written.names(touched)

    def witness(self) -> Feeds:
        """An input on which the faulty model is wrong beyond all rounding."""
        return self.shows(feeds(self.case.original, seed=7, **SIZES))


def failing(verdict: Any) -> list[Any]:
    """The regions of a verdict that aren't equivalent."""
    return [region for region in getattr(verdict, "regions", ()) if not region.equivalent]


def feeds(model: onnx.ModelProto, seed: int, rows: int = 1, turns: int = 1) -> Feeds:
    """Normal numbers for floats, bytes of the whole range; `rows`, `turns`: see SIZES."""
    rng = np.random.default_rng(seed)
    fed = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        shape = [dim.dim_value if dim.HasField("dim_value") else rows for dim in tensor.shape.dim]
        if value.name == "turns":
            fed[value.name] = np.array(turns)
        elif value.name == "ids":
            fed[value.name] = rng.integers(0, TABLE, shape)
        elif dtype.kind in "iu":
            fed[value.name] = rng.integers(*((0, 256) if dtype.itemsize == 1 else (-99, 100)), shape).astype(dtype)
        else:
            fed[value.name] = rng.standard_normal(shape).astype(dtype)
    return fed


def run(model: onnx.ModelProto, fed: Feeds) -> list[np.ndarray]:
    """Outputs in onnxruntime without optimizations, or of the reference evaluator for what onnxruntime lacks."""
    types = {value.type.tensor_type.elem_type for value in model.graph.input}
    if onnx.TensorProto.BFLOAT16 in types:
        return run_reference(model, fed)
    return run_onnxruntime(model, fed, optimize=False)


def distance(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """The largest difference over all outputs; infinite where shapes differ, or only one is finite."""
    worst = 0.0
    for one, other in zip(ours, theirs, strict=True):
        if one.shape != other.shape:
            return float("inf")
        p, q = one.astype(np.float64), other.astype(np.float64)
        finite = np.isfinite(p) & np.isfinite(q)
        if not np.array_equal(p[~finite], q[~finite], equal_nan=True):
            return float("inf")
        worst = max(worst, float(np.abs(p[finite] - q[finite]).max(initial=0)))
    return worst
