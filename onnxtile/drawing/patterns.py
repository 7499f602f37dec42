"""Names of many tiles in few letters: the pattern that they follow, as those that lowering gives do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.attributes import node_name

_NUMBERED = re.compile(r"(?<![A-Za-z0-9])([mkn])(\d{1,9})(?![0-9])", re.ASCII)
Place = tuple[int, int, int]
"""A tile's place among the pieces of M, K and N."""


@dataclass(frozen=True)
class Pattern:
    """Names that follow from a tile's place: texts, with an axis (0 to 2 for M, K, N) between each and the next."""

    texts: tuple[str, ...]
    axes: tuple[int, ...] = ()

    def name(self, place: Place) -> str:
        """Return the name of the tile at this place.

        >>> Pattern(("fc/m", "_k", ""), (0, 1)).name((2, 3, 0))
        'fc/m2_k3'
        """
        numbers = [str(place[axis]) for axis in self.axes]
        return self.texts[0] + "".join(number + text for number, text in zip(numbers, self.texts[1:], strict=True))


@dataclass(frozen=True)
class Names:
    """Names of tile products and of their operands; None where they follow no pattern."""

    nodes: Pattern | None = None
    a: Pattern | None = None
    b: Pattern | None = None


NAMELESS = Names()


def names_of(nodes: Sequence[ir.Node], places: Sequence[Place]) -> Names:
    """Return the names of the nodes of a grid's tiles, and of what they read."""
    columns = (
        [node_name(node) for node in nodes],
        *([_input(node, index) for node in nodes] for index in (0, 1)),
    )
    return Names(*(_names(column, places) for column in columns))


def _input(node: ir.Node, index: int) -> str:
    value = node.inputs[index] if index < len(node.inputs) else None
    return "" if value is None else value.name or ""


def _names(names: Sequence[str], places: Sequence[Place]) -> Pattern | None:
    pattern = _pattern(names[-1], places[-1])
    same = all(pattern.name(place) == name for name, place in zip(names, places, strict=True))
    return pattern if same else None


def _pattern(name: str, place: Place) -> Pattern:
    """Return what one name may stand for: a pattern that gives it for its place."""
    texts, axes, at = [], [], 0
    for match in _NUMBERED.finditer(name, name.rfind("/") + 1):
        axis = "mkn".index(match[1])
        if int(match[2]) == place[axis]:
            texts.append(name[at : match.start(2)])
            axes.append(axis)
            at = match.end(2)
    return Pattern((*texts, name[at:]), tuple(axes))
