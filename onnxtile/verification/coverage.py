"""The tile certificate: from the written graph alone, that the tiles of each product cover M x K x N once.

Each tile product says in its metadata which box it computes. The boxes of its operands follow from the lengths of
Splits, that of its result goes on through Add, Sum, Cast and Concat: additions join disjoint parts of K of the same
part of C, a Concat joins whole sums side by side. What leaves them has to be all of C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import onnx

from onnxtile.ir.metadata import TILE, box_text
from onnxtile.verification.graphs import name_of

Range = tuple[int, "int | None"]
"""Start and stop; None: the end, where only run time knows it."""
MOST_NAMED = 40
"""Nodes that are named where the graph doesn't tell which of them it is."""
LONGEST = 40
"""Of a range in metadata: what is longer is no size."""
Lengths = Callable[[str], "Sequence[int] | None"]
"""The numbers of a constant, by name; None: it isn't one."""


class Box(NamedTuple):
    m: Range
    k: Range
    n: Range


class Piece(NamedTuple):
    """A part of an operand: ranges along some of its axes."""

    ranges: tuple[tuple[int, Range], ...]


class Part(NamedTuple):
    """A part of C: the sum of the products over `k`."""

    product: str
    m: Range
    n: Range
    k: tuple[Range, ...]
    value: str


@dataclass
class Coverage:
    """`products` tile products cover products of `extents`, M, K and N by name (None: known at run time).

    `shown`: nodes that are right. `faults`: words, and nodes.
    """

    products: int = 0
    extents: dict[str, list[int | None]] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    faults: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


def cover(
    nodes: Sequence[onnx.NodeProto],
    boxes: Sequence[tuple[onnx.NodeProto, Box]],
    outputs: Sequence[str],
    lengths: Lengths,
    tiles: Mapping[str, tuple[Range, ...]],
) -> Coverage:
    """Follow the tiles of all products among the nodes, which are in order; `boxes` are those of the tile products.

    `tiles`: the boxes of constant tiles, rows and columns, by name.
    """
    return _Walk(nodes, boxes, lengths, tiles).run(outputs) if boxes else Coverage()


class _Walk:
    def __init__(
        self,
        nodes: Sequence[onnx.NodeProto],
        boxes: Sequence[tuple[onnx.NodeProto, Box]],
        lengths: Lengths,
        tiles: Mapping[str, tuple[Range, ...]],
    ) -> None:
        self._nodes, self._lengths, self._tiles = nodes, lengths, tiles
        self._pieces: dict[str, Piece] = {}
        self._parts: dict[str, Part] = {}
        self._ends: dict[str, list[int | None]] = {}
        self._boxes: dict[int, tuple[str, str, Box]] = {}
        ranges: dict[str, tuple[set[Range], set[Range], set[Range]]] = {}
        for node, box in boxes:
            name = name_of(node)
            product = name.rpartition("/")[0]  # what the names of one product's tiles begin with
            self._boxes[id(node)] = (name, product, box)
            for seen, range_ in zip(ranges.setdefault(product, (set(), set(), set())), box, strict=True):
                seen.add(range_)
        for product, axes in ranges.items():
            stops = [[stop for _, stop in axis] for axis in axes]
            self._ends[product] = [None if None in axis else max(filter(None, axis), default=0) for axis in stops]
        self.found = Coverage(len(boxes), self._ends)

    @cached_property
    def _makers(self) -> dict[str, onnx.NodeProto]:
        return {name: node for node in self._nodes for name in node.output}

    def run(self, outputs: Sequence[str]) -> Coverage:
        boxes, parts = self._boxes, self._parts
        for node in self._nodes:
            inputs = list(node.input)
            tile = boxes.get(id(node))
            if tile is not None and len(inputs) > 1:
                self._multiply(node.output[0], inputs, *tile)
                continue
            known = [parts[name] for name in inputs if name in parts]
            if known:
                self._join(node, inputs, known)
            if node.op_type == "Split":  # perhaps of what another product gave
                self._split(node)
        for name in outputs:
            if name in parts:
                self._close(parts[name])
        return self.found

    def _multiply(self, value: str, inputs: list[str], name: str, product: str, box: Box) -> None:
        tiles, pieces, shown = self._tiles, self._pieces, True
        m, k, n = box
        for operand, claimed in zip(inputs, ((m, k), (k, n)), strict=False):
            if operand in tiles:
                own = tiles[operand]  # that of packed numbers has three axes: its bytes were looked at
                right = own == claimed or (own == (k,) if len(own) == 1 else len(own) > 2)
            elif operand in pieces:
                right = _is_piece(pieces[operand], claimed, self._ends[product], claimed[1] is k)
            else:  # it isn't cut: it's whole, or what is to be multiplied is told elsewhere
                right, shown = True, False
            if not right:
                words = f"{name!r} says that it multiplies {_words(box)}, but {operand!r} is another box"
                self._fault(words, name, *self._makers_of([operand]))
        self._parts[value] = Part(product, m, n, (k,), value)
        if shown and all(each in tiles or each in pieces for each in inputs[2:] if each):
            self.found.shown.add(name)

    def _split(self, node: onnx.NodeProto) -> None:
        attributes = {each.name: each for each in node.attribute}
        axis = attributes["axis"].i if "axis" in attributes else 0
        sizes = self._lengths(node.input[1]) if len(node.input) > 1 else None
        if sizes is None and "split" in attributes:
            sizes = attributes["split"].ints
        if sizes is None or len(sizes) != len(node.output) or axis < 0:
            return
        before = self._pieces.get(node.input[0], Piece(()))
        start = next((range_[0] for at, range_ in before.ranges if at == axis), 0)
        others = tuple(each for each in before.ranges if each[0] != axis)
        for size, output in zip(sizes, node.output, strict=True):
            self._pieces[output] = Piece(tuple(sorted((*others, (axis, (start, start + size))))))
            start += size
        if node.input[0] in self._pieces:  # whether the first one cuts what it should isn't told here
            self.found.shown.add(name_of(node))

    def _join(self, node: onnx.NodeProto, inputs: list[str], known: list[Part]) -> None:
        """Follow parts of C through a node that reads some."""
        name, op_type = name_of(node), node.op_type
        if len(known) == len(inputs) and op_type in ("Add", "Sum", "Cast", "Identity"):
            self._parts[node.output[0]] = self._add(known, name, node.output[0])
            if op_type in ("Add", "Sum"):
                self.found.shown.add(name)
        elif len(known) == len(inputs) and op_type == "Concat":
            for part in known:
                self._whole_sum(part, name)
            joined = _side_by_side(known, node.output[0])
            if joined is None:
                self._fault(f"{name!r} puts parts side by side that don't go on from each other", name)
                joined = known[0]._replace(value=node.output[0])
            self._parts[node.output[0]] = joined
        else:
            odd = [read for read in inputs if read not in self._parts and op_type in ("Add", "Sum", "Concat")]
            for part in known:
                self._close(part, name, odd)

    def _add(self, parts: list[Part], name: str, value: str) -> Part:
        first, other = parts[0], parts[-1]
        if len(parts) == 2 and first[:3] == other[:3] and len(other.k) == 1 and first.k[-1][1] == other.k[0][0]:
            joined = (*first.k[:-1], (first.k[-1][0], other.k[0][1]))  # as most do
            return Part(first.product, first.m, first.n, joined, value)
        if any((part.product, part.m, part.n) != (first.product, first.m, first.n) for part in parts):
            self._fault(f"{name!r} adds parts of different places", name)
            return first._replace(value=value)
        ranges = sorted((range_ for part in parts for range_ in part.k), key=lambda each: each[0])
        merged = [ranges[0]]
        for start, stop in ranges[1:]:
            last_start, last = merged[-1]
            if last is None or start < last:
                self._fault(f"{name!r} adds k {start}:{_end(stop)} twice", name)
                continue
            if start == last:
                merged[-1] = (last_start, stop)
            else:
                merged.append((start, stop))
        return first._replace(k=tuple(merged), value=value)

    def _whole_sum(self, part: Part, reader: str, others: Sequence[str] = ()) -> None:
        """Faults where a part isn't summed up over all of K. `others`: values that it's put together with."""
        end = self._ends[part.product][1]
        if part.k != ((0, end),):
            summed = ", ".join(f"{start}:{_end(stop)}" for start, stop in part.k)
            place = f"m{part.m[0]}:{_end(part.m[1])},n{part.n[0]}:{_end(part.n[1])}"
            words = f"{part.value!r}, C's part {place}, sums up k {summed} of 0:{_end(end)}"
            self._fault(words, *self._made_by(part.value), reader, *self._makers_of(others))

    def _close(self, part: Part, reader: str = "", others: Sequence[str] = ()) -> None:
        """What leaves the sums has to be all of C."""
        self._whole_sum(part, reader, others)
        m_end, _, n_end = self._ends[part.product]
        if (part.m, part.n) != ((0, m_end), (0, n_end)):
            place = f"m{part.m[0]}:{_end(part.m[1])},n{part.n[0]}:{_end(part.n[1])}"
            words = f"{part.value!r} is C's part {place} only, of {_end(m_end)} x {_end(n_end)}"
            self._fault(words, reader, *self._makers_of([part.value, *others]))

    def _makers_of(self, values: Sequence[str]) -> list[str]:
        return [name_of(self._makers[value]) for value in values if value in self._makers]

    def _fault(self, words: str, *nodes: str) -> None:
        self.found.faults.append((words, tuple(filter(None, nodes))))

    def _made_by(self, value: str) -> list[str]:
        """The nodes that make a part of C, the last first, up to the products."""
        found: dict[str, None] = {}
        waiting = [value]
        while waiting and len(found) < MOST_NAMED:
            name = waiting.pop(0)
            if name in self._parts and name_of(self._makers[name]) not in found:
                found[name_of(self._makers[name])] = None
                waiting += self._makers[name].input
        return list(found)


def box_of(node: onnx.NodeProto) -> Box | None:
    """The box that a tile product says it computes; None for other nodes, and for products of all tiles at once."""
    for pair in node.metadata_props:
        if pair.key == TILE:
            parts = [_range(part) for part in box_text(pair.value).split(",")]
            return Box(*parts) if len(parts) == 3 and None not in parts else None  # type: ignore[arg-type]  # none is
    return None


@lru_cache(maxsize=1 << 16)
def _range(text: str) -> Range | None:
    """`k64:128`, or `m0:` for an axis left whole."""
    start, colon, stop = text[1:].partition(":")
    numbers = start.isdecimal() and (stop.isdecimal() or not stop) and len(text) <= LONGEST
    return (int(start), int(stop) if stop else None) if colon and numbers else None


def _is_piece(piece: Piece, box: tuple[Range, Range], ends: list[int | None], k_last: bool) -> bool:
    """Whether the ranges that are known of a piece are those of the box, in the order of its axes."""
    ranges = piece.ranges
    if len(ranges) == 2:
        return ranges[0][1] == box[0] and ranges[1][1] == box[1]
    first, second = ends[:2] if k_last else ends[1:]
    whole = ((0, first), (0, second))
    if len(ranges) != 1:
        return not ranges and box == whole
    known = ranges[0][1]
    return (known == box[0] and box[1] == whole[1]) or (known == box[1] and box[0] == whole[0])


def _side_by_side(parts: list[Part], value: str) -> Part | None:
    """The parts joined along n, or along m; None where they don't go on from each other."""
    first, last = parts[0], parts[-1]
    if len({(part.product, part.m) for part in parts}) == 1 and _go_on(part.n for part in parts):
        return first._replace(value=value, n=(first.n[0], last.n[1]))
    if len({(part.product, part.n) for part in parts}) == 1 and _go_on(part.m for part in parts):
        return first._replace(value=value, m=(first.m[0], last.m[1]))
    return None


def _go_on(ranges: Iterator[Range]) -> bool:
    last: int | None = -1
    for start, stop in ranges:
        if last not in (-1, start):
            return False
        last = stop
    return True


def _end(stop: int | None) -> str:
    return "" if stop is None else str(stop)


def _words(box: Box) -> str:
    return ",".join(f"{letter}{start}:{_end(stop)}" for letter, (start, stop) in zip("mkn", box, strict=True))
