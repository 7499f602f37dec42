"""Explain a lowered region's constants by the original's, byte for byte; what isn't the original's is a difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.ir.dtypes import FLOATS
from onnxtile.ir.metadata import ORIGIN
from onnxtile.verification.coverage import Box as Boxes
from onnxtile.verification.derivations import Box, Cut, Derivation, Factor, Multiple, cuts, derive, grids, orders
from onnxtile.verification.graphs import name_of, names_inside, reads
from onnxtile.verification.opened import Opened, same_bits
from onnxtile.verification.pairing import Difference, Region
from onnxtile.verification.polynomial import MULTIPLYING

ALTERNATIVES = 16
"""Explanations that are kept: there's more than one where a weight is its own transpose, or the same all over."""
FEW = 8
"""Tiles that tell whether a way to cut them can be right at all."""
LEAST_AXES_OF_GRID = 4
"""All tiles of an operand one after the other: where they are, rows and columns."""
PRODUCTS = MULTIPLYING - {"ReduceSum"}
"""Operators that read integers as numbers, and as nothing else."""
ZERO_POINTS = 3
"""Their place among the inputs of MatMulNBits."""
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


@dataclass(frozen=True)
class Expected:
    """What the constants of a lowering may be, by the original's operator.

    `plain`: nothing but tiles, multiples of the original's, and its factors; anything else is a difference then.
    `any_order`: weights may have their axes in any order, some of them merged. `integers`: its numbers are integers,
    as lengths and axes are, too.
    """

    plain: bool = False
    any_order: bool = False
    integers: bool = False


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
    expected: Expected,
) -> Explained:
    """Explain the constants that only the lowered region has; `tiles` are those among them that tile products read."""
    # only of what we made is it known what it may hold
    ours = any(pair.key == ORIGIN for node in region.lowered.nodes for pair in node.metadata_props)
    work = _Work(region, original, lowered, replace(expected, plain=expected.plain and ours))
    operands: dict[tuple[str, int], dict[str, Tile]] = {}
    for name in region.lowered.constants:
        if name in region.original.constants:
            continue
        if name in tiles:
            operands.setdefault((name.rpartition("/")[0], tiles[name].place), {})[name] = tiles[name]
        else:
            work.other(name, factors)
    for each in operands.values():
        work.tiles(each)
    return work.explained


class _Work:
    def __init__(self, region: Region, original: Opened, lowered: Opened, expected: Expected) -> None:
        self._region, self._lowered, self._expected = region, lowered, expected
        self._plain, self._any_order = expected.plain, expected.any_order
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

    def other(self, name: str, factors: Mapping[str, float]) -> None:
        """Explain a constant that isn't a tile: a multiple of the original's, a factor, or all tiles of an operand."""
        shape = tuple(self._lowered_tensor(name).dims)
        small: list[Mapping[str, Derivation]] = [{name: each} for each in self._small(name, factors)]

        def ways(source: str) -> Iterator[dict[str, Cut]]:
            return ({name: cut} for cut in grids(shape, source, self._ours[source].shape, self._any_order))

        if len(shape) >= LEAST_AXES_OF_GRID:
            self._choose({name: Tile((), list(self._readers(name)))}, ways, small, in_one=True)
        elif small:
            self.explained.add(small)
        else:
            self._plainly(name)

    def _small(self, name: str, factors: Mapping[str, float]) -> list[Derivation]:
        """Ways in which a constant may be a multiple of one of the original's, or a factor; the likelier first."""
        tensor = self._lowered_tensor(name)
        array = self._lowered.array(tensor)
        shape = tuple(array.shape)
        if not self._is_number(name):
            return []
        candidates: list[Derivation] = []
        for source in self._sources(name):
            ours = self._ours[source]
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
        return list(islice(right, ALTERNATIVES))

    def _plainly(self, name: str) -> None:
        """Keep a constant that nothing explains, where it can't be a number of the product; tell it otherwise."""
        tensor = self._lowered_tensor(name)
        multiplied = len(tensor.dims) > 1 or not self._operators_reading(name).isdisjoint(PRODUCTS)
        is_number = ir.DataType(tensor.data_type) in FLOATS or (self._expected.integers and multiplied)
        if not is_number or not self._lowered.array(tensor).any() or (not self._plain and not tensor.dims):
            self.explained.kept.append(name)
        elif self._plain:
            words = f"constant {name!r} follows neither from a constant nor from an attribute of the original"
            self._differs(words, self._readers(name))
        else:
            self.explained.unexplained.append(name)

    def _is_number(self, name: str) -> bool:
        """Return whether a constant may be one of the product's numbers."""
        tensor, readers = self._lowered_tensor(name), self._operators_reading(name)
        if ir.DataType(tensor.data_type) in FLOATS:
            return True
        may_be = len(tensor.dims) > 1 or (readers and readers <= PRODUCTS | {"Add", "Mul"})
        return self._expected.integers and bool(may_be)

    def _is_zeros(self, name: str) -> bool:
        """Return whether all elements are zero, none of them -0."""
        array = self._lowered.array(self._lowered_tensor(name))
        return same_bits(array, np.zeros_like(array))

    def _operators_reading(self, name: str) -> set[str]:
        return {node.op_type for node in self._region.lowered.nodes if name in node.input}

    def _sources(self, name: str) -> list[str]:
        """The original's constants, first those after which the lowered one is called."""
        return sorted(self._ours, key=lambda source: not name.startswith(f"{source}/"))

    def _choose(
        self,
        tiles: Mapping[str, Tile],
        ways: Callable[[str], Iterator[dict[str, Cut]]],
        others: Sequence[Mapping[str, Derivation]] = (),
        in_one: bool = False,
    ) -> None:
        """Take the ways that give the tiles' bytes, then `others`; tell the tiles that differ where most don't.

        `in_one`: they're one constant, or it's another one, such as the zeros that a sum begins with.
        """
        right: list[Mapping[str, Derivation]] = []
        closest: tuple[int, str, list[str]] | None = None
        dtype = self._lowered.array(self._lowered_tensor(next(iter(tiles)))).dtype
        for source in [name for name in self._sources(next(iter(tiles))) if self._ours[name].dtype == dtype]:
            for way in ways(source):
                wrong = self._unlike(way, 1 if right else len(way) if closest is None else closest[0])
                if not wrong:
                    right.append(way)
                    if len(right) == ALTERNATIVES:
                        break
                elif closest is None or len(wrong) < closest[0]:
                    closest = (len(wrong), source, wrong)
        plain = self._plain or next(iter(tiles.values())).packed
        right = [*right, *others][:ALTERNATIVES]
        if right:
            self.explained.add(right)
        elif in_one and all(map(self._is_zeros, tiles)):
            self.explained.kept += tiles
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
                in_bits = packed and (place != ZERO_POINTS or constants[name].data_type == onnx.TensorProto.UINT8)
                own = _packed(node, box, place, in_bits) if packed and place else _plain(box, place)
                if own is not None:
                    own.readers.append(name_of(node))
                    found[name] = own
    return found


def _plain(box: Boxes, place: int) -> Tile | None:
    """A tile of A [..., M, K] or B [..., K, N]."""
    if place > 1:
        return None
    return Tile((box.k, box.n) if place else (box.m, box.k), [], place, (box.k,))


def _packed(node: onnx.NodeProto, box: Boxes, place: int, in_bits: bool) -> Tile | None:
    """A tile of MatMulNBits' B [N, blocks, bytes], its scales [N, blocks], or its zero points [N, bytes].

    Zero points that aren't `in_bits` are numbers [N, blocks].
    """
    attributes = {each.name: each.i for each in node.attribute}
    size, bits = attributes.get("block_size", 0), attributes.get("bits", 4)
    if box.k[1] is None or size < 1 or place > ZERO_POINTS:
        return None
    first, last = box.k[0] // size, -(-box.k[1] // size)
    if place == ZERO_POINTS and in_bits:
        if first * bits % 8 or last * bits % 8:
            return None  # its bits were moved
        first, last = first * bits // 8, last * bits // 8
    blocks: Box = (box.n, (first, last))
    return Tile((*blocks, (0, None)) if place == 1 else blocks, [], place, packed=True)
