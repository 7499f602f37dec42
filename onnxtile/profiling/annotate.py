"""Write what each node costs into the model, where viewers show it, or take that out again; all else stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import onnx_ir as ir

from onnxtile.errors import UsageError
from onnxtile.ir.graphs import nodes_within
from onnxtile.ir.io.load import copy_of
from onnxtile.ir.metadata import OWNER, SIZES
from onnxtile.ir.printable import printable
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown, largest, total
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.inline import inline
from onnxtile.passes.manager import PassManager
from onnxtile.profiling.cost_walk import CostWalk
from onnxtile.profiling.engine_costs import EngineCosts, Layer, sums_of
from onnxtile.profiling.results import Costs, NodeProfile, Weights, group_of

if TYPE_CHECKING:
    from onnxtile.engine.limits import EngineLimits

_ALWAYS = ("macs", "flops", "params", "weight_bytes", "input_bytes", "output_bytes", "live_bytes")
"""Written even if it's 0; the others only if not."""
_AMOUNTS = (*(field.name for field in dataclasses.fields(Costs)), "flops", "bandwidth", "partial_sums", "live_bytes")
_ON_ENGINE = (
    "calls", "bytes", "extra_bytes", "compute_cycles", "memory_cycles", "local_cycles", "cycles", "other_bytes",
    "other_cycles", "bound", "utilization", "tile", "schedule",
)  # fmt: skip
KEYS = frozenset(
    f"onnxtile.{name}" for name in (*_AMOUNTS, "times", "engine", *(f"engine_{name}" for name in _ON_ENGINE))
)
"""Metadata keys of nodes, each named after what it holds: see `profiling.results` and `profiling.engine_costs`."""
Notes = Mapping[str, str]
Owner = TypeVar("Owner", bound=Hashable)


@dataclass(frozen=True)
class Annotate(ir.passes.InPlacePass):
    """metadata(node) := what the node costs (`onnxtile.macs`, ...); `clear=true` takes that out again.

    By the shapes that the model's values have: run infer-shapes before. The nodes of the main graph and of bodies in it
    get notes. A local function's body is shared by its calls, whose shapes may differ, so the call gets the sum of
    what is in it. Nothing else is touched, what `lower` writes neither.
    """

    clear: bool = False

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        if self.clear:
            return ir.passes.PassResult(model, modified=write(model, {}))
        own = set(nodes_within(model.graph))
        by_node = notes(model, lambda node: node if node in own else None)
        return ir.passes.PassResult(model, modified=write(model, by_node))


def annotate(
    model: ir.Model, bind: Mapping[str, int] | None = None, clear: bool = False, engine: EngineLimits | None = None
) -> bool:
    """Write notes into the nodes' metadata in place, or take them out; return whether that changed anything.

    They say what `profile` says: shapes are inferred in a copy, with `bind` as sizes of free dimensions, and local
    functions are inlined there; a call gets the sum of what was inlined for it. With `engine` they say what nodes take
    on it, too; of the tiles of one product the first says it for all. Raises UsageError, ModelError, UnsupportedError,
    having changed nothing.
    """
    if clear:
        if bind or engine is not None:
            what = "sizes say" if bind else "an engine says"
            raise UsageError(f"{what} what to write, and clear takes it out; leave one of them out")
        return write(model, {})
    measured = copy_of(model)
    for function in measured.functions.values():
        for node in nodes_within(function):
            node.metadata_props.pop(OWNER, None)
    for number, node in enumerate(nodes_within(measured.graph)):
        node.metadata_props[OWNER] = str(number)
    with _names_of_tensors_kept(model):
        PassManager([BindDims(bind)] if bind else [], check=False)(measured)
        inline(measured)
        by_number = notes(measured, lambda node: node.metadata_props.get(OWNER), engine)
    sizes = " ".join(f"{name}={size}" for name, size in (bind or {}).items())
    numbered = enumerate(nodes_within(model.graph))
    return write(model, {node: by_number.get(str(number)) or texts([], {}) for number, node in numbered}, sizes)


def notes(
    model: ir.Model, owner: Callable[[ir.Node], Owner | None], engine: EngineLimits | None = None
) -> dict[Owner, Notes]:
    """Return what to write for each owner of nodes; a node without one is within the call before it."""
    walk = CostWalk(model)
    rows: dict[Owner, list[tuple[ir.Node, NodeProfile]]] = {}
    current: list[tuple[ir.Node, NodeProfile]] = []
    for node, row in walk.rows():
        own = owner(node)
        current = current if own is None else rows.setdefault(own, [])
        current.append((node, row))
    on_engine = {} if engine is None else _layers(model, [pair for pairs in rows.values() for pair in pairs], engine)
    return {
        own: {
            **texts([row for _, row in pairs], walk.constants.used),
            **_engine_texts([layer for node, _ in pairs for layer in on_engine.get(node, ())], engine),
        }
        for own, pairs in rows.items()
    }


def _layers(
    model: ir.Model, rows: Sequence[tuple[ir.Node, NodeProfile]], engine: EngineLimits
) -> dict[ir.Node, list[Layer]]:
    from onnxtile.profiling.engine_profile import layers_of

    found: dict[ir.Node, list[Layer]] = {}
    for node, layer in layers_of(model, rows, engine):
        found.setdefault(node, []).append(layer)
    return found


def _engine_texts(layers: Sequence[Layer], engine: EngineLimits | None) -> Notes:
    """Return what a node's layers take on an engine, all together."""
    if engine is None or not layers:
        return {}
    together = layers[0] if len(layers) == 1 else EngineCosts(**sums_of(layers))
    amounts = {name: getattr(together, name, None) for name in _ON_ENGINE}
    texts = {f"engine_{name}": _text(amount) for name, amount in amounts.items() if amount not in (0, None, "")}
    return {f"onnxtile.{name}": text for name, text in ({"engine": engine.name} | texts).items()}


def texts(rows: Sequence[NodeProfile], constants: Mapping[str, Weights]) -> Notes:
    """Return the metadata of a node by its row, or by those of what is within a call."""
    amounts = {name: getattr(rows[0], name) for name in _AMOUNTS} if len(rows) == 1 else _sum(rows, constants)
    amounts = {name: amount for name, amount in amounts.items() if name in _ALWAYS or amount != 0}
    if rows and rows[0].times != 1:
        amounts["times"] = rows[0].times
    return {f"onnxtile.{name}": _text(amount) for name, amount in amounts.items()}


def _sum(rows: Sequence[NodeProfile], constants: Mapping[str, Weights]) -> dict[str, Amount]:
    """Return the amounts of rows together, a constant that several share once; of memory the most that is alive."""
    group = group_of("", rows, constants)
    partial_sums = total(row.partial_sums for row in rows if not row.stored)
    others = {"partial_sums": partial_sums, "live_bytes": largest(row.live_bytes for row in rows)}
    return {name: others[name] if name in others else getattr(group, name) for name in _AMOUNTS}


def _text(amount: Amount | float | str | tuple[int, ...]) -> str:
    """Return `12`, `12*batch`, `3..5`, `3..` without an upper end, or `unknown: reason`."""
    if isinstance(amount, Range):
        return f"{amount.min}..{'' if amount.max is None else amount.max}"
    if isinstance(amount, (float, tuple)):
        return f"{amount:.4f}" if isinstance(amount, float) else ",".join(map(str, amount))
    return printable(str(amount), 500) if isinstance(amount, Unknown) else str(amount)


def write(model: ir.Model, by_node: Mapping[ir.Node, Notes], sizes: str = "") -> bool:
    """Give nodes their notes, and all others none; return whether that changed anything."""
    changed = model.metadata_props.get(SIZES) != (sizes or None)
    model.metadata_props.pop(SIZES, None)
    if sizes:
        model.metadata_props[SIZES] = sizes
    graphs: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    for graph in graphs:
        for node in nodes_within(graph):
            wanted, held = by_node.get(node, {}), node.metadata_props
            if wanted == {key: value for key, value in held.items() if key in KEYS}:
                continue
            changed = True
            for key in KEYS & held.keys():
                del held[key]
            held.update(wanted)
    return changed


def has_unknown(node: ir.Node) -> bool:
    """Return whether the node's notes leave an amount open, or open above."""
    held = (text for key, text in node.metadata_props.items() if key in KEYS)
    return any(text.startswith("unknown: ") or text.endswith("..") for text in held)


@contextmanager
def _names_of_tensors_kept(model: ir.Model) -> Iterator[None]:
    """Keep names that a copy, which shares tensors, would change: onnx_ir names a tensor after its value."""
    graphs: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    attributes = (held for graph in graphs for node in nodes_within(graph) for held in node.attributes.values())
    tensors = [held.as_tensor() for held in attributes if held.type == ir.AttributeType.TENSOR and not held.is_ref()]
    names = [tensor.name if _is_named(tensor) else None for tensor in tensors]
    try:
        yield
    finally:
        for tensor, name in zip(tensors, names, strict=True):
            tensor.name = name


def _is_named(tensor: ir.TensorProtocol) -> bool:
    """Return whether a tensor has a name: an empty one may be in a file or not, and onnx_ir reads both alike."""
    return not isinstance(tensor, ir.serde.TensorProtoTensor) or tensor.raw.HasField("name")
