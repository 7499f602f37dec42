"""Work out what a model takes on an engine, by the nodes of its file in their order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import onnx_ir as ir

from onnxtile.engine.choice import choose
from onnxtile.engine.compute import local_bits
from onnxtile.engine.cost import Cost, cost, total_cycles, unit_of
from onnxtile.engine.description import Engine, SplitSize
from onnxtile.engine.limits import EngineLimits, product_of, sized
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Box, Schedule
from onnxtile.engine.scheduled import Scheduled
from onnxtile.engine.walk import walk
from onnxtile.engine.windows import with_window
from onnxtile.errors import UnsupportedError
from onnxtile.ir.metadata import OF, ORIGIN, SCHEDULE, TILE
from onnxtile.ir.symbolic.amounts import Amount, Unknown, product, text_of, total
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.operators.sizes import value_bytes
from onnxtile.passes.rewrites.quantized_products import as_multiplied
from onnxtile.profiling.engine_costs import SUMMED, EngineProfile, EngineTotals, Layer, Unit, sums_of
from onnxtile.profiling.results import NodeProfile

MOST_WALKED = 50_000
"""Calls of a product that are gone through for its peak bandwidth, where no file has them."""
NO_BANDWIDTH = Unknown("no memory bandwidth given: bytes only")
Row = tuple[ir.Node, NodeProfile]


@dataclass
class _Tiles:
    """The tiles of one scheduled product, in the order of the file."""

    first: Row
    contraction: Contraction
    scheduled: Scheduled
    boxes: dict[Box, None] = field(default_factory=dict)


def engine_profile(model: ir.Model, rows: Sequence[Row], limits: EngineLimits) -> EngineProfile:
    """Return what the nodes of a model take on an engine; `rows`: those of its profile, in the order of the file.

    A product is run by the schedule that its node's metadata has, its tiles in the order of the file; one without, as
    is best (`limits.minimize`). Other operators move their inputs and outputs.
    """
    found = _Layers(model, rows, limits)
    running, inside = found.rows, found.inside
    shown = tuple(layer for _, layer in found.layers())
    totals = EngineTotals(
        products=sum(layer.on == "engine" for layer in shown), **_activations(running, inside, limits.engine),
        **sums_of(shown),
    )  # fmt: skip
    lacking = limits.engine.memory.bandwidth is None and any(layer.on == "engine" for layer in shown)
    assumptions = (NO_BANDWIDTH.reason,) if lacking else ()
    return EngineProfile(limits.name, limits.minimize, shown, totals, assumptions)


def layers_of(model: ir.Model, rows: Sequence[Row], limits: EngineLimits) -> list[tuple[ir.Node, Layer]]:
    """Return the layers, each with the node that it is, or the first of its tiles; see `engine_profile`."""
    return _Layers(model, rows, limits).layers()


class _Layers:
    """Collects layers, and the tiles of products whose schedules the file has.

    `rows`: those of nodes that run. `inside`: tiles, and nodes that cut operands into them or put results together;
    what these move, tiles do.
    """

    def __init__(self, model: ir.Model, rows: Sequence[Row], limits: EngineLimits) -> None:
        self.rows = [(node, row) for node, row in rows if not row.stored]
        self._limits, self._engine = limits, limits.engine
        self._products: dict[ir.Node, list[Contraction]] = {}
        for contraction in as_multiplied(contractions(model), model, limits):
            self._products.setdefault(contraction.node, []).append(contraction)
        self._layers: list[tuple[ir.Node, Layer]] = []
        self._tiles: list[_Tiles] = []
        self._open: dict[tuple[str, ...], _Tiles] = {}
        self._of_tiles: set[ir.Node] = set()
        for node, row in self.rows:
            self._add(node, row)
        self.inside = self._inside()

    def layers(self) -> list[tuple[ir.Node, Layer]]:
        """Return all layers in the order of the file."""
        at = {node: number for number, (node, _) in enumerate(self.rows)}
        return sorted(self._finished(), key=lambda pair: at[pair[0]])

    def _add(self, node: ir.Node, row: NodeProfile) -> None:
        """Take the products of a node."""
        for contraction in self._products.get(node, ()):
            scheduled = self._scheduled(node, contraction)
            tile = node.metadata_props.get(TILE, "")
            box = _box(tile.partition(OF)[0])
            if scheduled is not None and box is not None:
                self._add_tile((node, row), contraction, scheduled, box)
            else:
                self._layers.append((node, self._layer(row, contraction, scheduled)))

    def _add_tile(self, row: Row, contraction: Contraction, scheduled: Scheduled, box: Box) -> None:
        """Take a tile; the tiles of a product are behind each other, but for what is between them."""
        notes = row[0].metadata_props
        key = (row[1].scope, *(notes.get(name, "") for name in (ORIGIN, SCHEDULE)), notes[TILE].partition(" ")[2])
        tiles = self._open.get(key)
        if tiles is None or box in tiles.boxes:
            tiles = self._open[key] = _Tiles(row, contraction, scheduled)
            self._tiles.append(tiles)
        tiles.boxes[box] = None
        self._of_tiles.add(row[0])

    def _scheduled(self, node: ir.Node, contraction: Contraction) -> Scheduled | None:
        """Return the schedule that a node's metadata has, if the engine can run it."""
        scheduled = Scheduled.parse(node.metadata_props.get(SCHEDULE, ""))
        if scheduled is None or self._limits.unmultiplied(contraction.types) is not None:
            return None
        runs = self._limits.runs(scheduled.schedule, sized(*scheduled.size, scheduled.batch, contraction.types))
        return scheduled if runs else None

    def _inside(self) -> set[ir.Node]:
        inside = set(self._of_tiles)
        for node, _ in self.rows:
            values = [value for value in node.inputs if value is not None]
            made = bool(values) and all(value.producer() in inside for value in values)
            if node.op_type in ("Add", "Sum", "Concat") and made and _of_one_origin(node, values):
                inside.add(node)
        for node, _ in reversed(self.rows):
            readers = {reader for value in node.outputs for reader in value.consumers()}
            of_tiles = node.op_type == "Split" or (node.op_type == "Slice" and _reads_alike(node, readers))
            if of_tiles and readers and readers <= inside:
                inside.add(node)
        return inside

    def _finished(self) -> Iterator[tuple[ir.Node, Layer]]:
        yield from self._layers
        for tiles in self._tiles:
            yield tiles.first[0], self._walked(tiles)
        for node, row in self.rows:
            if node not in self._products and node not in self.inside and row.bandwidth != 0:
                yield node, self._other(row)

    def _layer(self, row: NodeProfile, contraction: Contraction, scheduled: Scheduled | None) -> Layer:
        """Return a product that is one node."""
        layer = _described(row, contraction)
        if (words := self._unmultiplied(contraction)) is not None:
            cycles = Unknown(words)
            return replace(layer, on="host", other_bytes=row.bandwidth, other_cycles=cycles, reason=words)
        of_engine = product_of(contraction) if scheduled is None else sized(
            *scheduled.size, scheduled.batch, contraction.types
        )  # fmt: skip
        if isinstance(of_engine, str):
            unknown: dict[str, Any] = dict.fromkeys(SUMMED[:-2], Unknown(of_engine)) | {"macs": row.macs}
            return replace(layer, reason=of_engine, **unknown)
        if of_engine.empty:
            return layer
        if self._engine.conv.windows == "engine" and scheduled is None:
            of_engine = with_window(of_engine, contraction)
        if scheduled is not None:
            found, schedule = cost(of_engine, scheduled.schedule, self._engine), scheduled.schedule
        else:
            try:
                choice = choose(of_engine, self._engine, self._limits.minimize)
            except UnsupportedError as error:
                return replace(layer, reason=str(error), cycles=Unknown(str(error)))
            found, schedule = choice.cost, choice.schedule
        peak = _peak(of_engine, schedule, self._engine)
        times = row.times if scheduled is None or not isinstance(row.times, int) else _runs(row, found, of_engine)
        return self._costs(layer, of_engine, schedule, found, times, peak)

    def _unmultiplied(self, contraction: Contraction) -> str | None:
        if None in contraction.types:
            return None if contraction.reason else "the types of its operands aren't known"
        return self._limits.unmultiplied(contraction.types)

    def _walked(self, tiles: _Tiles) -> Layer:
        """Return a product of which the file has the tiles: what they move in the order in which they stand there."""
        row, scheduled, engine = tiles.first[1], tiles.scheduled, self._engine
        batch = tiles.contraction.size.batch
        of_engine = sized(
            *scheduled.size, batch if isinstance(batch, int) else scheduled.batch, tiles.contraction.types
        )
        unit, schedule = unit_of(of_engine, engine), scheduled.schedule
        walked = walk(tiles.boxes, of_engine, schedule, unit, engine)
        moved, compute = walked.total * of_engine.batch, walked.compute * of_engine.batch
        memory = None if engine.memory.bandwidth is None else moved / engine.memory.bandwidth
        bits = local_bits(of_engine, unit, schedule.tile) * of_engine.batch
        local = Fraction(0) if engine.local.bandwidth is None else bits / (8 * engine.local.bandwidth)
        cycles, bound = total_cycles(engine, compute, memory, local)
        found = replace(
            cost(of_engine, schedule, engine), calls=walked.calls * of_engine.batch, compute_cycles=compute,
            a_bytes=walked.a * of_engine.batch, b_bytes=walked.b * of_engine.batch, c_bytes=walked.c * of_engine.batch,
            partial_bytes=walked.partial * of_engine.batch, cycles=cycles, bound=bound,
            memory_cycles=None if memory is None else math.ceil(memory),
        )  # fmt: skip
        layer = replace(_described(row, tiles.contraction), name=row.origin or row.name, nodes=len(tiles.boxes))
        m, k, n = scheduled.size
        layer = replace(layer, m=m, k=k, n=n, batch=of_engine.batch)
        return self._costs(layer, of_engine, schedule, found, row.times, walked.peak)

    def _costs(
        self, layer: Layer, of_engine: Product, schedule: Schedule, found: Cost, times: Amount, peak: Fraction | None
    ) -> Layer:
        """Return a layer with its costs in all runs."""
        amounts: dict[str, Any] = {}
        for name in SUMMED[:-2]:
            value = getattr(found, name)
            amounts[name] = NO_BANDWIDTH if value is None else product([times, value])
        runs = times if isinstance(times, int) else 0
        lanes = Fraction(found.macs * runs, unit_of(of_engine, self._engine).macs)
        return replace(
            layer, tile=schedule.tile, schedule=schedule.text(), bound=found.bound, lanes_cycles=lanes, peak=peak,
            clock=self._engine.clock, reason=None if found.cycles is not None else NO_BANDWIDTH.reason, **amounts,
        )  # fmt: skip

    def _other(self, row: NodeProfile) -> Layer:
        """Return an operator that isn't a product: the vector unit or the host moves what goes in and out."""
        on, rate, words = self._place(row.op)
        moved = row.bandwidth
        cycles: Amount = Unknown(words)
        if isinstance(moved, Unknown):
            cycles, words = moved, moved.reason
        elif rate is not None and isinstance(moved, int):
            cycles = math.ceil(moved / rate)
        elif rate is not None:
            cycles, words = Unknown("what it moves is a formula; bind its sizes"), "what it moves is a formula"
        unknown = isinstance(cycles, Unknown)
        return Layer(
            name=row.name, op=row.op, scope=row.scope, module=row.module, origin=row.origin, on=on, times=row.times,
            other_bytes=moved, other_cycles=cycles, clock=self._engine.clock, reason=words if unknown else None,
        )  # fmt: skip

    def _place(self, op: str) -> tuple[Unit, Fraction | None, str]:
        """Return where an operator runs, the rate at which that moves bytes, and why it isn't known if it isn't."""
        operators, memory = self._engine.operators, self._engine.memory.bandwidth
        if operators.supported is None:
            on: Unit = "vector" if operators.vector is not None else "host" if operators.host is not None else "unknown"
            words = "no rate is given for other operators: operators.vector, or operators.host"
            return on, operators.vector or operators.host, words
        if op in operators.supported:
            words = "the vector unit's rate isn't given: operators.vector, or memory.bandwidth"
            return "vector", operators.vector or memory, words
        return "host", operators.host, "the host's rate isn't given: operators.host"


def _described(row: NodeProfile, contraction: Contraction) -> Layer:
    """Return a product's layer without its costs."""
    size = contraction.size
    types = tuple("?" if dtype is None else str(dtype.numpy()) for dtype in contraction.types)
    m, k, n, batch = (text_of(axis) for axis in (*size.axes, size.batch))
    return Layer(
        name=row.name, op=row.op, scope=row.scope, module=row.module, origin=row.origin, part=contraction.part,
        m=m, k=k, n=n, batch=batch, types=(types[0], types[1]), times=row.times,
    )  # fmt: skip


def _box(text: str) -> Box | None:
    """Return the box of a tile; None for anything else."""
    spans = [part[1:].split(":") for part in text.split(",")]
    if [part[:1] for part in text.split(",")] != list("mkn") or any(len(span) != 2 for span in spans):
        return None
    if not all(end.isascii() and end.isdigit() and len(end) < 20 for span in spans for end in span):
        return None
    m, k, n = ((int(start), int(stop)) for start, stop in spans)
    return m, k, n


def _of_one_origin(node: ir.Node, values: Sequence[ir.Value]) -> bool:
    origins = {producer.metadata_props.get(ORIGIN) for value in values if (producer := value.producer()) is not None}
    return origins == {node.metadata_props.get(ORIGIN)}


def _reads_alike(node: ir.Node, readers: Iterable[ir.Node]) -> bool:
    """Return whether a node was made for the product that all its readers were made for."""
    origin = node.metadata_props.get(ORIGIN)
    return origin is not None and all(reader.metadata_props.get(ORIGIN) == origin for reader in readers)


def _runs(row: NodeProfile, found: Cost, of_engine: Product) -> Amount:
    """Return how often a product runs whose node, in the body of a loop, computes one tile of each of the batch."""
    trips = found.calls // max(of_engine.batch, 1)
    in_loop = row.times if isinstance(row.times, int) else 0
    return in_loop // trips if trips and in_loop > 1 and in_loop % trips == 0 and row.scope else row.times


@lru_cache(maxsize=1024)
def _peak(of_engine: Product, schedule: Schedule, engine: Engine) -> Fraction | None:
    """Return the most bytes a cycle that a call asks for; None where there are too many to go through."""
    calls = math.prod(-(-size // tile) for size, tile in zip(of_engine.sizes, schedule.tile, strict=True))
    if calls > MOST_WALKED or of_engine.window is not None:
        return None
    return walk(schedule.calls(of_engine), of_engine, schedule, unit_of(of_engine, engine), engine).peak


def _activations(rows: Sequence[Row], inside: set[ir.Node], engine: Engine) -> dict[str, Any]:
    """Return the bytes of values that nodes give to others, and those that fit local memory, each by itself."""
    size = engine.local.size
    room = min(size.A, size.C) if isinstance(size, SplitSize) else size
    all_bytes: list[Amount] = []
    local: list[Amount] = []
    for node, row in rows:
        for value in node.outputs:
            readers = set(value.consumers())
            if not readers or (node in inside and readers <= inside):
                continue
            taken = value_bytes(value)
            all_bytes.append(product([row.times, taken]))
            if isinstance(taken, int) and taken <= room:
                local.append(product([row.times, taken]))
    return {"activation_bytes": total(all_bytes), "local_activation_bytes": total(local)}
