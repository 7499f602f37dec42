"""Work out what a model takes on an engine, by the nodes of its file in their order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import onnx_ir as ir

from onnxtile.engine.compute import local_bits
from onnxtile.engine.cost import Cost, cost, total_cycles, unit_of
from onnxtile.engine.limits import EngineLimits, product_of, sized
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Box
from onnxtile.engine.scheduled import Scheduled
from onnxtile.engine.walk import walk
from onnxtile.engine.windows import with_window
from onnxtile.ir.metadata import OF, ORIGIN, SCHEDULE, TILE
from onnxtile.ir.symbolic.amounts import Amount, text_of
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.operators.sizes import value_bytes
from onnxtile.passes.rewrites.quantized_products import as_multiplied
from onnxtile.profiling.engine_costs import EngineProfile, Layer
from onnxtile.profiling.engine_layers import OnEngine, activation_bytes, peak_of, profile_of_layers
from onnxtile.profiling.results import NodeProfile

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
    activations = activation_bytes(_given(found.rows, found.inside), limits.engine)
    return profile_of_layers(limits, (layer for _, layer in found.layers()), activations)


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
        self._limits, self._engine, self._on_engine = limits, limits.engine, OnEngine(limits)
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
                yield node, self._on_engine.other(row)

    def _layer(self, row: NodeProfile, contraction: Contraction, scheduled: Scheduled | None) -> Layer:
        """Return a product that is one node."""
        layer = _described(row, contraction)
        if (words := self._unmultiplied(contraction)) is not None:
            return self._on_engine.unmultiplied(layer, row, words)
        of_engine = product_of(contraction) if scheduled is None else sized(
            *scheduled.size, scheduled.batch, contraction.types
        )  # fmt: skip
        if isinstance(of_engine, str):
            return self._on_engine.unsized(layer, row, of_engine)
        if of_engine.empty:
            return layer
        if scheduled is None:
            windows = self._engine.conv.windows == "engine"
            of_engine = with_window(of_engine, contraction) if windows else of_engine
            return self._on_engine.best(layer, of_engine, row.times)
        found, schedule = cost(of_engine, scheduled.schedule, self._engine), scheduled.schedule
        peak = peak_of(of_engine, schedule, self._engine)
        times = _runs(row, found, of_engine) if isinstance(row.times, int) else row.times
        return self._on_engine.costs(layer, of_engine, schedule, found, times, peak)

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
        return self._on_engine.costs(layer, of_engine, schedule, found, row.times, walked.peak)


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


def _given(rows: Sequence[Row], inside: set[ir.Node]) -> Iterator[tuple[Amount, Amount]]:
    """Yield of each value that a node gives to others how often that is, and its bytes."""
    for node, row in rows:
        for value in node.outputs:
            readers = set(value.consumers())
            if readers and not (node in inside and readers <= inside):
                yield row.times, value_bytes(value)
