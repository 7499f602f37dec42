"""The products of a model that an engine schedules, equal ones together; of those that are left out, the reason."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

import onnx_ir as ir

from onnxtile.engine.description import Engine
from onnxtile.engine.limits import EngineLimits, product_of
from onnxtile.engine.product import Product
from onnxtile.errors import UsageError
from onnxtile.ir.dimensions import free_dimensions, still_free
from onnxtile.ir.io.interop import AnyModel, to_ir
from onnxtile.ir.io.lazy import skim
from onnxtile.ir.symbolic.amounts import Amount, total
from onnxtile.operators.contractions import contractions
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.inline import inline
from onnxtile.passes.manager import PassManager
from onnxtile.passes.rewrites.quantized_products import as_multiplied
from onnxtile.profiling.cost_walk import CostWalk


@dataclass(frozen=True)
class ModelProducts:
    """A model's distinct products, each with how often one run computes it.

    `left_out`: how many nodes' products aren't counted, by the reason, on any engine of a sweep. `free`: dimensions
    that the model left open, bound or not.
    """

    name: str
    counts: tuple[tuple[Product, int], ...]
    left_out: Mapping[str, int]
    free: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Return a hash of all that costs depend on."""
        content = [[astuple(product), count] for product, count in self.counts]
        return hashlib.sha256(json.dumps([content, dict(self.left_out)]).encode()).hexdigest()


def products_of(model: AnyModel, name: str, engine: Engine, bind: Mapping[str, int] | None = None) -> ModelProducts:
    """Return the products of a model whose types the engine multiplies; its weights aren't read.

    `bind`: sizes of free dimensions; names that the model doesn't have are for others. Products in bodies count once a
    trip. Raises UsageError where none is left, ModelError, UnsupportedError.
    """
    loaded = skim(Path(model)) if isinstance(model, (str, os.PathLike)) else to_ir(model)
    own = still_free(loaded, bind or {})
    free = tuple(dict.fromkeys([*own, *free_dimensions(loaded)]))
    PassManager([BindDims(own)] if own else [], check=False)(loaded)
    inline(loaded)
    times = _times(loaded)
    counts: Counter[Product] = Counter()
    left_out: Counter[str] = Counter()
    for contraction in as_multiplied(contractions(loaded), loaded, EngineLimits(engine)):
        runs = times[id(contraction.node)]
        product = product_of(contraction)
        if isinstance(product, str):
            left_out[product] += 1
        elif not isinstance(runs, int):
            left_out[f"how often it runs isn't known: {runs}"] += 1
        elif engine.unit_for(*product.types) is None:
            left_out[f"engine {engine.name} doesn't multiply {' by '.join(product.types)}"] += 1
        elif runs and not product.empty:
            counts[product] += runs
    if not counts:
        raise UsageError(f"{name}: {_nothing(left_out, free_dimensions(loaded))}")
    order = sorted(counts.items(), key=lambda pair: str(astuple(pair[0])))
    return ModelProducts(name, tuple(order), dict(sorted(left_out.items())), free)


def _times(model: ir.Model) -> dict[int, Amount]:
    """Return how often each node runs in one run of the model."""
    runs: dict[int, list[Amount]] = {}
    for node, row in CostWalk(model).rows():
        runs.setdefault(id(node), []).append(row.times)
    return {node: total(amounts) for node, amounts in runs.items()}


def _nothing(left_out: Mapping[str, int], free: list[str]) -> str:
    if not left_out:
        return "there is no matrix product in it"
    cure = f"; fix its free dimensions: {' '.join(f'--bind {name}=INT' for name in free)}" if free else ""
    return f"no product is left to be scheduled: {next(iter(left_out))}{cure}"
