"""Results of a profile, the same for every front end: the costs of nodes, of groups and of the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from typing_extensions import NotRequired, TypedDict

from onnxtile.ir.dimensions import InputSizes
from onnxtile.ir.json_encoding import JsonRecord, encode
from onnxtile.ir.notebook import Sheet, Tabular
from onnxtile.ir.printable import aligned, in_scope
from onnxtile.ir.symbolic.amounts import Amount, Unknown, amount_text, product, total
from onnxtile.ir.symbolic.rounded import count_text
from onnxtile.profiling.engine_costs import EngineProfile

COSTS = """macs flops elementwise transcendental comparison movement params buffers weight_bytes
    input_bytes output_bytes bandwidth"""
"""The amounts of a row, in order."""

CONVENTIONS = ("macs", "ptflops")


@dataclass(frozen=True, kw_only=True)
class Costs(JsonRecord, members=COSTS):
    """Costs of nodes: what they compute, hold and move in one run of the model. docs/profile.md gives each formula.

    `macs`: multiply-accumulates of products; `elementwise`, `transcendental`, `comparison`: other operations;
    `movement`: elements copied. `params`: elements of constants that feed it, `buffers` of them statistics that aren't
    learned; `weight_bytes`: what those and the parameters of their quantization take as they are stored.
    `input_bytes`, `output_bytes`: of all its inputs, constants too, and outputs; `bandwidth`: both together, an
    amount of bytes and not a rate.
    """

    macs: Amount = 0
    elementwise: Amount = 0
    transcendental: Amount = 0
    comparison: Amount = 0
    movement: Amount = 0
    params: Amount = 0
    buffers: Amount = 0
    weight_bytes: Amount = 0
    input_bytes: Amount = 0
    output_bytes: Amount = 0

    @property
    def flops(self) -> Amount:
        """Return the arithmetic operations: two a multiply-accumulate, and all others but moves."""
        return total([product([2, self.macs]), self.elementwise, self.transcendental, self.comparison])

    @property
    def bandwidth(self) -> Amount:
        """Return the bytes in and out."""
        return total([self.input_bytes, self.output_bytes])

    @property
    def intensity(self) -> float | None:
        """Return the arithmetic operations a byte moved; None where either isn't a number, or nothing is moved."""
        flops, moved = self.flops, self.bandwidth
        return flops / moved if isinstance(flops, int) and isinstance(moved, int) and moved else None


SUMMED = ("macs", "elementwise", "transcendental", "comparison", "movement", "input_bytes", "output_bytes")
"""Costs that add up, node by node; those of constants don't, as nodes share them."""


class _Details(TypedDict):
    inputs: NotRequired[list[str]]
    outputs: NotRequired[list[str]]
    attributes: NotRequired[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class NodeProfile(
    Costs,
    shapes=_Details,
    members=f"""name op domain scope module origin tile stored times {COSTS}
        live_bytes calls partial_sums intensity constants unknown""",
):
    """One node. Amounts are those of all its runs together; `times` is how often it runs.

    `scope`: '' in the main graph, else where its graph is. `module`: the part of the network it belongs to, by its
    exporter's metadata or its name. `origin`, `tile`: what a lowered model says of itself. `stored`: the node only
    holds a constant. `live_bytes`: values alive while it runs, without stored constants. `calls`: products of tiles
    that it computes, each of a batch one; `partial_sums`: those of its additions that add them up. `constants`: names
    of the stored constants that feed it. With details, `inputs` and `outputs`: name, type and shape of each value, as
    text; `attributes` by name, as text.
    """

    name: str
    op: str
    domain: str = ""
    scope: str = ""
    module: str = ""
    origin: str | None = None
    tile: str | None = None
    stored: bool = False
    times: Amount = 1
    live_bytes: Amount = 0
    calls: Amount = 0
    partial_sums: Amount = 0
    constants: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the row for scripts: `unknown` says why an amount is null. No details where there are none."""
        details = {"inputs": self.inputs, "outputs": self.outputs, "attributes": self.attributes}
        return super().to_json() | (encode(details) if self.inputs or self.outputs else {})

    @property
    def unknown(self) -> dict[str, str]:
        """Return why an amount isn't known, by field."""
        if Unknown not in map(type, vars(self).values()):
            return {}
        amounts = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: amount.reason for name, amount in amounts if isinstance(amount, Unknown)}


_UNKNOWN_TRAINING = Unknown("an ONNX model doesn't say which parameters are trained")


@dataclass(frozen=True, kw_only=True)
class Totals(
    Costs,
    members=f"""nodes {COSTS} trainable frozen activation_bytes
        peak_bandwidth peak_live_bytes peak_live_bytes_streamed""",
):
    """All nodes together; a constant that several nodes share is counted once, an If as its least and most.

    An amount that is unknown for some node is a range without an upper end: a lower bound. `activation_bytes`: outputs
    of all nodes but those that only hold constants; of a node's further outputs those that something reads.
    `peak_bandwidth`: the most that one run of a node moves. `peak_live_bytes`: the most memory at any time, all weights
    resident; `peak_live_bytes_streamed`: with the weights of the running node only. `nodes` counts rows. `trainable`,
    `frozen`: parameters that are trained, and that aren't.
    """

    nodes: int = 0
    trainable: Amount = _UNKNOWN_TRAINING
    frozen: Amount = _UNKNOWN_TRAINING
    activation_bytes: Amount = 0
    peak_bandwidth: Amount = 0
    peak_live_bytes: Amount = 0
    peak_live_bytes_streamed: Amount = 0


@dataclass(frozen=True, kw_only=True)
class Group(Costs, members=f"name nodes {COSTS}"):
    """Nodes that have something in common; a constant that several of them share is counted once."""

    name: str
    nodes: int


@dataclass(frozen=True)
class Weights:
    """Stored constants: numbers, statistics among them (`buffers`), and bytes."""

    params: Amount = 0
    buffers: Amount = 0
    bytes: Amount = 0


_SHOWN = {
    "MACs": "macs", "flops": "flops", "params": "params", "weight bytes": "weight_bytes", "bytes moved": "bandwidth",
    "alive": "live_bytes",
}  # fmt: skip
"""Columns in notebooks, and the amounts in them."""


@dataclass(frozen=True)
class Profile(Tabular, JsonRecord, members="schema convention totals symbols nodes"):
    """The costs of a model. `constants`: the stored ones, each whole. `symbols`: what those in formulas stand for.

    `convention`: macs, or ptflops. `engine`: what the model takes on an engine, where one was asked for. `inputs`: the
    sizes of its inputs, as they were bound.
    """

    schema: ClassVar[str] = "onnxtile.profile/1"
    nodes: tuple[NodeProfile, ...]
    totals: Totals
    constants: Mapping[str, Weights] = field(default_factory=dict)
    symbols: Mapping[str, str] = field(default_factory=dict)
    convention: str = "macs"
    engine: EngineProfile | None = None
    inputs: InputSizes = field(default_factory=dict)

    def __str__(self) -> str:
        totals = self.totals
        figures: dict[str, Amount] = {
            "nodes": totals.nodes, "MACs": totals.macs, "flops": totals.flops, "parameters": totals.params,
            "weight bytes": totals.weight_bytes, "bytes moved": totals.bandwidth, "peak memory": totals.peak_live_bytes,
        }  # fmt: skip
        return "\n".join(aligned([(name, amount_text(amount)) for name, amount in figures.items()], right=[1]))

    def sheet(self) -> Sheet:
        rows = [
            (
                f"{in_scope(node.scope, node.name)} {node.op}",
                *(count_text(getattr(node, name)) for name in _SHOWN.values()),
            )
            for node in self.nodes
        ]
        return Sheet(str(self).splitlines(), ("node", *_SHOWN), rows, range(1, 1 + len(_SHOWN)))

    def records(self) -> list[dict[str, Any]]:
        return [node.to_json() for node in self.nodes]

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | ({} if self.engine is None else {"engine": encode(self.engine)})

    def by(self, what: str, depth: int | None = None, nodes: Sequence[NodeProfile] | None = None) -> tuple[Group, ...]:
        """Return the nodes (None: all) in groups, in order of appearance: by `op`, `module` (the first `depth` names
        of its path), `origin` or `scope`. Branches of an If are added up, each from nothing to all of it.
        """
        groups: dict[str, list[NodeProfile]] = {}
        for node in self.nodes if nodes is None else nodes:
            name = getattr(node, what) or ""
            if what == "module" and depth is not None:
                mark = "/" if "/" in name else "."  # as exporters, or torch itself, write paths
                name = mark.join(name.split(mark)[:depth])
            groups.setdefault(name, []).append(node)
        return tuple(group_of(name, nodes, self.constants) for name, nodes in groups.items())


def group_of(name: str, nodes: Sequence[NodeProfile], constants: Mapping[str, Weights]) -> Group:
    """Return the nodes together; `constants`: the stored ones, by name."""
    running = [node for node in nodes if not node.stored]
    sums = {field: total(getattr(node, field) for node in running) for field in SUMMED}
    names = dict.fromkeys(constant for node in nodes for constant in node.constants)
    others = [node for node in nodes if isinstance(node.params, Unknown)]  # whose constants have no names
    weights = sum_weights(
        [*map(constants.__getitem__, names), *(Weights(row.params, row.buffers, row.weight_bytes) for row in others)]
    )
    return Group(
        name=name, nodes=len(nodes), params=weights.params, buffers=weights.buffers, weight_bytes=weights.bytes, **sums
    )


def sum_weights(weights: Sequence[Weights]) -> Weights:
    """Return the weights together."""
    if len(weights) == 1:
        return weights[0]
    return Weights(*(total(getattr(one, name) for one in weights) for name in ("params", "buffers", "bytes")))
