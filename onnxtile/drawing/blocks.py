"""Blocks that a picture of a model consists of: a block for each product, and one for the nodes between products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate

import onnx_ir as ir

from onnxtile.drawing.tiles import TileGrid
from onnxtile.ir.graphs import values_read
from onnxtile.ir.printable import several
from onnxtile.operators.contractions import Contraction

MOST_BLOCKS = 240
"""Blocks of a picture; of more products the smallest are drawn among the nodes beside them."""
MOST_PASSED = 50_000
"""Levels that the edges of a picture lead past, all together: each is a bend to be placed. The longest aren't drawn."""


@dataclass(frozen=True)
class Unit:
    """Nodes that are drawn as one wherever they lie: a node, or those that were made for one; with its products."""

    name: str
    nodes: tuple[ir.Node, ...]
    products: tuple[Contraction, ...] = ()
    grids: tuple[TileGrid, ...] = ()

    @property
    def holds_products(self) -> bool:
        return bool(self.products or self.grids)

    @property
    def weight(self) -> int:
        """Return by what the largest are found: multiply-accumulates, or 0 where they aren't known."""
        sides: list[Sequence[object]] = [(*product.size.axes, product.size.batch) for product in self.products]
        return sum(map(_multiplied, sides or [grid.size for grid in self.grids]))


def _multiplied(sides: Sequence[object]) -> int:
    result = 1
    for side in sides:
        result *= side if isinstance(side, int) else 0
    return result


@dataclass(frozen=True)
class Block:
    """A product's unit, or the units between products, and constants that it reads.

    `level`: how many blocks it's behind the inputs; `is_product`: it's drawn with its tiles. `inputs`, `outputs`: names
    of those of the model.
    """

    level: int
    units: tuple[Unit, ...]
    is_product: bool
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def operators(self) -> Counter[str]:
        """Return how often each operator is in it."""
        return Counter(node.op_type for unit in self.units for node in unit.nodes)


@dataclass(frozen=True)
class Outline:
    """Blocks with the edges between them, by number; `left_out`: what isn't drawn, in words."""

    blocks: tuple[Block, ...]
    edges: tuple[tuple[int, int], ...]
    left_out: tuple[str, ...] = ()


def outline(units: Sequence[Unit], graph: ir.Graph, carries_sizes: Callable[[ir.Value], bool]) -> Outline:
    """Return the blocks of a graph. `units`: all its nodes, in the order in which their results are there.

    What is made of constants alone is drawn where it's first read. Values that `carries_sizes` have no edges.
    """
    reads, sizes, constant = _reads(units, graph, carries_sizes)
    groups, apart, joined = _few_enough(units, reads, constant)
    words = [f"{several(sizes, 'edge')} that only carry sizes"] if sizes else []
    if joined:
        words.append(
            f"which of {several(joined, 'part')} between products hang together: those of a level are one block"
        )
    if len(groups) > MOST_BLOCKS:
        rest = [number for group in groups[MOST_BLOCKS - 1 :] for number in group]
        words.append(f"how the last {several(len(groups) - MOST_BLOCKS + 1, 'block')} hang together, drawn as one")
        groups = [*groups[: MOST_BLOCKS - 1], rest]
        apart -= set(rest)
    small = sum(1 for unit in units if unit.holds_products) - len(apart)
    if small:
        words.append(f"the tiles of {several(small, 'smaller product')}")
    block_of = {number: block for block, group in enumerate(groups) for number in group}
    for number in reversed(range(len(units))):  # readers are behind what they read
        for read in reads[number]:
            if read in constant and number in block_of:
                block_of[read] = block_of[number]
    for number in constant:
        if number not in block_of:
            block_of[number] = 0  # nobody reads it
    members: list[list[int]] = [[] for _ in range(max(block_of.values(), default=-1) + 1)]
    for number in sorted(block_of, key=lambda number: (number in constant, number)):
        members[block_of[number]].append(number)
    edges = sorted({
        (block_of[read], block_of[number]) for number in block_of for read in reads[number] if read not in constant
    })  # fmt: skip
    edges = [edge for edge in edges if edge[0] < edge[1]]
    levels = [0] * len(members)
    for before, behind in edges:
        levels[behind] = max(levels[behind], levels[before] + 1)
    drawn = _short_enough(edges, levels)
    if len(drawn) < len(edges):
        words.append(f"{several(len(edges) - len(drawn), 'edge')} past the most levels")
    blocks = [
        _block(level, [units[number] for number in group], group[0] in apart, graph)
        for level, group in zip(levels, members, strict=True)
    ]
    return Outline(tuple(blocks), tuple(drawn), tuple(words))


def _short_enough(edges: Sequence[tuple[int, int]], levels: Sequence[int]) -> list[tuple[int, int]]:
    """Return the edges, or as many of the shortest as lead past few enough levels."""
    passed = {edge: levels[edge[1]] - levels[edge[0]] - 1 for edge in edges}
    lengths = accumulate(sorted(passed.values()))
    few = sum(1 for length in lengths if length <= MOST_PASSED)
    return sorted(sorted(edges, key=lambda edge: (passed[edge], edge))[:few])


def _reads(
    units: Sequence[Unit], graph: ir.Graph, carries_sizes: Callable[[ir.Value], bool]
) -> tuple[list[list[int]], int, set[int]]:
    """Return which earlier units each one reads, how many edges carry sizes, and which units are constant."""
    made = {value: number for number, unit in enumerate(units) for node in unit.nodes for value in node.outputs}
    given = {value for value in graph.inputs if not value.is_initializer()}
    reads: list[list[int]] = []
    constant: set[int] = set()
    sizes = 0
    for number, unit in enumerate(units):
        values = dict.fromkeys(value for node in unit.nodes for value in values_read(node))
        makers = {made[value]: value for value in values if value in made and made[value] < number}
        if not unit.holds_products and not any(value in given for value in values) and makers.keys() <= constant:
            constant.add(number)
        kept = [maker for maker, value in makers.items() if maker in constant or not carries_sizes(value)]
        sizes += len(makers) - len(kept)
        reads.append(kept)
    return reads, sizes, constant


def _few_enough(
    units: Sequence[Unit], reads: Sequence[Sequence[int]], constant: Collection[int]
) -> tuple[list[list[int]], set[int], int]:
    """Return the units of each block, and those on their own: as many of the largest as make few enough blocks.

    Where the others hang together in too many parts, those of a step are one block; the number says of how many.
    """
    products = sorted(
        (number for number, unit in enumerate(units) if unit.holds_products), key=lambda one: (-units[one].weight, one)
    )
    most = min(len(products), MOST_BLOCKS)
    while True:
        apart = set(products[:most])
        groups = _joined(reads, apart, constant)
        if len(groups) <= MOST_BLOCKS or most == 0:
            return groups, apart, 0
        by_step = _joined(reads, apart, constant, by_step=True)
        if len(by_step) <= MOST_BLOCKS:
            return by_step, apart, len(groups) - len(apart)
        most = most * 2 // 3


def _joined(
    reads: Sequence[Sequence[int]], apart: Collection[int], constant: Collection[int], by_step: bool = False
) -> list[list[int]]:
    """Return the units of each block, by their steps and their order.

    A unit of `apart` is one on its own, a step behind what it reads. Others have the step that they're at in common,
    and hang together, or with `by_step` needn't.
    """
    leader = list(range(len(reads)))
    steps: list[int] = []

    def find(one: int) -> int:
        while leader[one] != one:
            leader[one] = one = leader[leader[one]]
        return one

    for number, all_read in enumerate(reads):
        read = [one for one in all_read if one not in constant]
        step = max((steps[one] + (one in apart) for one in read), default=0)
        steps.append(step + (number in apart))
        for one in read if number not in apart else ():
            if one not in apart and steps[one] == step:
                leader[find(number)] = find(one)
    groups: dict[int, list[int]] = {}
    for number in range(len(reads)):
        if number not in constant:
            step_of_others = by_step and number not in apart
            groups.setdefault(-1 - steps[number] if step_of_others else find(number), []).append(number)
    return sorted(groups.values(), key=lambda group: (steps[group[0]], group[0]))


def _block(level: int, units: Sequence[Unit], is_product: bool, graph: ir.Graph) -> Block:
    given = {value for value in graph.inputs if not value.is_initializer()}
    read = dict.fromkeys(value for unit in units for node in unit.nodes for value in values_read(node))
    outputs = [value for unit in units for node in unit.nodes for value in node.outputs if value.is_graph_output()]
    return Block(
        level, tuple(units), is_product, tuple(value.name or "" for value in read if value in given),
        tuple(value.name or "" for value in outputs),
    )  # fmt: skip
