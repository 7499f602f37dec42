"""Explain a lowered region's constants by the original's, byte for byte; what isn't the original's is a difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.provenance import ORIGIN
from onnxtile.verification.coverage import Box as Boxes
from onnxtile.verification.derivations import (
    Box,
    Cut,
    Derivation,
    Factor,
    Multiple,
    cuts,
    derive,
    grids,
    orders,
)
from onnxtile.verification.graphs import name_of, names_inside, reads
from onnxtile.verification.opened import Opened, same_bits
from onnxtile.verification.pairing import Difference, Region

ALTERNATIVES = 16
"""Explanations that are kept: there's more than one where a weight is its own transpose, or the same all over."""
FEW = 8
"""Tiles that tell whether a way to cut them can be right at all."""
FLOATS = frozenset((ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE))
Arrays = Mapping[str, np.ndarray]


@dataclass
class Explained:
    """Each constant that only the lowered region has, as it follows from the original's.

    `derived`: one way or more, the likelier first. `kept`: constants that are taken as they are, such as axes.
    `unexplained`: those that follow from the original's in a way that isn't known here.
    """

    derived: list[dict[str, Derivation]] = field(default_factory=lambda: [{}])
    kept: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def add(self, ways: list[Mapping[str, Derivation]]) -> None:
        """Each way so far goes with each of these."""
        self.derived = [{**old, **new} for new in ways for old in self.derived][:ALTERNATIVES]


@dataclass
class Tile:
    """A constant that a tile product reads as input `place`: start and stop along the last axes, and who reads it.

    `vector`: the box where the operand has one axis. `packed`: several numbers are in a byte.
    """

    box: Box
    readers: list[str]
    place: int = 0
    vector: Box = ()
    packed: bool = False

    def along(self, rank: int) -> Box:
        """The box of an operand of so many axes: a vector has K alone."""
        return self.box if rank > 1 else self.vector


def explain(
    region: Region,
    original: Opened,
    lowered: Opened,
    factors: Mapping[str, float],
    tiles: Mapping[str, Tile],
    plain: bool,
    any_order: bool,
) -> Explained:
    """Explain the constants that only the lowered region has; `tiles` are those among them that tile products read.

    `plain`: the original's node is one whose lowering makes no constants but tiles, multiples of the original's, and
    its factors; anything else is a difference then. `any_order`: weights may have their axes in any order.
    """
    # only of what we made is it known what it may hold
    ours = plain and any(pair.key == ORIGIN for node in region.lowered.nodes for pair in node.metadata_props)
    work = _Work(region, original, lowered, ours, any_order)
    operands: dict[tuple[str, int], dict[str, Tile]] = {}
    for name in region.lowered.constants:
        if name in region.original.constants:
            continue
        if name in tiles:
            operands.setdefault((name.rpartition("/")[0], tiles[name].place), {})[name] = tiles[name]
        elif name.endswith("/tiles"):
            work.grid(name)
        else:
            work.small(name, factors)
    for each in operands.values():
        work.tiles(each)
    return work.explained


class _Work:
    def __init__(self, region: Region, original: Opened, lowered: Opened, plain: bool, any_order: bool) -> None:
        self._region, self._lowered, self._plain, self._any_order = region, lowered, plain, any_order
        self._ours: Arrays = {name: original.array(each) for name, each in region.original.constants.items()}
        self.explained = Explained()

    def tiles(self, tiles: Mapping[str, Tile]) -> None:
        """Explain the tiles of one operand."""
        shapes = {name: tuple(self._lowered_tensor(name).dims) for name in tiles}
        if len({len(shape) for shape in shapes.values()}) > 1:
            self._wrong(tiles, "the operand's other tiles have another number of axes")
            return
        boxes = {name: tile.along(len(shapes[name])) for name, tile in tiles.items()}

        def ways(source: str) -> Iterator[dict[str, Cut]]:
            return cuts(boxes, shapes, source, self._ours[source].shape, self._any_order)

        self._choose(tiles, ways)

    def grid(self, name: str) -> None:
        """Explain a constant that holds all tiles of an operand."""
        shape = tuple(self._lowered_tensor(name).dims)

        def ways(source: str) -> Iterator[dict[str, Cut]]:
            return ({name: cut} for cut in grids(shape, source, self._ours[source].shape, self._any_order))

        self._choose({name: Tile((), list(self._readers(name)))}, ways)

    def small(self, name: str, factors: Mapping[str, float]) -> None:
        """Explain a constant that isn't a tile."""
        tensor = self._lowered_tensor(name)
        array = self._lowered.array(tensor)
        shape = tuple(array.shape)
        candidates: list[Derivation] = []
        for source, ours in self._ours.items():
            if ours.dtype == array.dtype and ours.size == array.size and array.size:
                candidates += [
                    Multiple(source, order, shape, factor)
                    for factor in (*sorted(factors, reverse=True), "")  # beta first: it's what constants are scaled by
                    for order in orders(ours.ndim, self._any_order)
                ]
        if array.size == 1:  # what it's called tells, where a bias of one number is the same as a factor
            told = [Factor(factor, shape, ir.DataType(tensor.data_type)) for factor in factors]
            candidates += [each for each in told if each.factor not in name]
            candidates[:0] = [each for each in told if each.factor in name]
        right = (each for each in candidates if same_bits(derive(each, self._ours, factors), array))
        found = list(islice(right, ALTERNATIVES))
        if found and isinstance(found[0], Factor):
            del found[1:]
        readers = {node.op_type for node in self._region.lowered.nodes if name in node.input}
        is_float = ir.DataType(tensor.data_type) in FLOATS
        if found and (is_float or (readers and readers <= {"Add", "Mul"})):  # integers are lengths and axes too
            self.explained.add([{name: each} for each in found])
        elif not is_float or not array.any() or (not self._plain and not shape):
            self.explained.kept.append(name)
        elif self._plain:
            words = f"constant {name!r} follows neither from a constant nor from an attribute of the original"
            self._differs(words, self._readers(name))
        else:
            self.explained.unexplained.append(name)

    def _choose(self, tiles: Mapping[str, Tile], ways: Callable[[str], Iterator[dict[str, Cut]]]) -> None:
        """Take the ways that give the tiles' bytes; tell the tiles that differ where most don't."""
        right: list[Mapping[str, Derivation]] = []
        closest: tuple[int, str, list[str]] | None = None
        dtype = self._lowered.array(self._lowered_tensor(next(iter(tiles)))).dtype
        for source in [name for name, array in self._ours.items() if array.dtype == dtype]:
            for way in ways(source):
                wrong = self._unlike(way, 1 if right else len(way) if closest is None else closest[0])
                if not wrong:
                    right.append(way)
                    if len(right) == ALTERNATIVES:
                        break
                elif closest is None or len(wrong) < closest[0]:
                    closest = (len(wrong), source, wrong)
        plain = self._plain or next(iter(tiles.values())).packed
        if right:
            self.explained.add(right)
        elif closest is not None and (plain or closest[0] < len(tiles) / 2):
            source = closest[1]
            self._wrong({name: tiles[name] for name in closest[2]}, f"it doesn't hold the elements of {source!r} there")
        elif plain:
            self._wrong(tiles, "its shape isn't that of its box in any constant of the original")
        else:
            self.explained.unexplained += tiles

    def _unlike(self, way: Mapping[str, Cut], most: int) -> list[str]:
        """The constants that aren't as they'd be cut in this way, `most` at most."""
        wrong, names = [], list(way)
        for name, cut in way.items():
            if not same_bits(cut.of(self._ours), self._lowered.array(self._lowered_tensor(name))):
                wrong.append(name)
                if len(wrong) >= most:
                    break
                if len(wrong) == FEW and name == names[FEW - 1]:
                    return names  # none of the first ones is right: it's another way
        return wrong

    def _wrong(self, tiles: Mapping[str, Tile], words: str) -> None:
        names = list(tiles)
        more = f" (and {len(names) - 1:,} others)" if len(names) > 1 else ""
        readers = tuple(dict.fromkeys(reader for tile in tiles.values() for reader in tile.readers))
        self._differs(f"tile {names[0]!r}{more}: {words}", readers)

    def _differs(self, reason: str, readers: tuple[str, ...]) -> None:
        region = self._region
        self.explained.differences.append(Difference(region.name, region.node.op_type, region.scope, reason, readers))

    def _readers(self, name: str) -> tuple[str, ...]:
        found = []
        for node in self._region.lowered.nodes:
            if name in reads(node):
                inner = list(names_inside(node))
                found += inner if name not in node.input else inner[:1]
        return tuple(found)

    def _lowered_tensor(self, name: str) -> onnx.TensorProto:
        return self._region.lowered.constants[name]


def tiles_of(region: Region) -> dict[str, Tile]:
    """The constants that tile products read, with the boxes that their first readers' metadata says."""
    found: dict[str, Tile] = {}
    constants = region.lowered.constants
    for node, box in region.boxes:
        packed = node.op_type == "MatMulNBits"
        for place, name in enumerate(node.input):
            if name in found:
                found[name].readers.append(name_of(node))
            elif name in constants:
                own = _packed(node, box, place) if packed and place else _plain(box, place)
                if own is not None:
                    own.readers.append(name_of(node))
                    found[name] = own
    return found


def _plain(box: Boxes, place: int) -> Tile | None:
    """A tile of A [..., M, K] or B [..., K, N]."""
    if place > 1:
        return None
    return Tile((box.k, box.n) if place else (box.m, box.k), [], place, (box.k,))


def _packed(node: onnx.NodeProto, box: Boxes, place: int) -> Tile | None:
    """A tile of MatMulNBits' B [N, blocks, bytes], its scales [N, blocks], or its zero points [N, bytes]."""
    attributes = {each.name: each.i for each in node.attribute}
    size, bits = attributes.get("block_size", 0), attributes.get("bits", 4)
    if box.k[1] is None or size < 1 or place > 3:
        return None
    first, last = box.k[0] // size, -(-box.k[1] // size)
    if place == 3:
        if first * bits % 8 or last * bits % 8:
            return None  # its bits were moved
        first, last = first * bits // 8, last * bits // 8
    blocks: Box = (box.n, (first, last))
    return Tile((*blocks, (0, None)) if place == 1 else blocks, [], place, packed=True)
