"""The loops over the tiles of a product: the order in which an engine runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from onnxtile.tiling.plan import Axis, TilePlan

_FIELD = re.compile(r"(?:^| )loops=((?:[mkn][0-9]{1,19},){2,15}[mkn][0-9]{1,19})(?: |$)", re.ASCII)


@dataclass(frozen=True)
class Loops:
    """Loops from the outermost on: each goes through an axis, or a piece that a loop around it has cut, by a step.

    >>> [tile for tile in Loops.of("loops=n4,k2,m2,n2").tiles(TilePlan(Axis(2, 2), Axis(4, 2), Axis(6, 2)))]
    [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 0, 2), (0, 1, 2)]
    """

    steps: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, schedule: str) -> Loops | None:
        """Return the loops of a schedule as metadata has it; None where it has none that can be read."""
        found = _FIELD.search(schedule)
        steps = [] if found is None else [(loop[0], int(loop[1:])) for loop in found[1].split(",")]
        return cls(tuple(steps)) if {axis for axis, step in steps if step} == set("mkn") else None

    @classmethod
    def order(cls, plan: TilePlan) -> Iterator[tuple[int, int, int]]:
        """Yield the indices of a plan's tiles in the order of its schedule, or of m, n, k where it has none."""
        loops = cls.of(plan.schedule)
        if loops is not None:
            return loops.tiles(plan)
        m, k, n = (range(axis.count or 1) for axis in (plan.m, plan.k, plan.n))
        return ((i, j, h) for i in m for h in n for j in k)

    def tiles(self, plan: TilePlan) -> Iterator[tuple[int, int, int]]:
        """Yield the indices of the tiles along M, K and N in the order in which they run, each once.

        A plan whose tiles aren't those of the innermost loops is gone through in the order of m, n, k.
        """
        axes = {"m": plan.m, "k": plan.k, "n": plan.n}
        innermost = dict(self.steps)
        if not all(map(self._meets, axes, axes.values())):
            yield from self.order(replace(plan, schedule=""))
            return
        yield from self._within({name: (0, axis.size or 0) for name, axis in axes.items()}, 0, innermost)

    def _meets(self, name: str, axis: Axis) -> bool:
        """Return whether the loops over an axis cut it into its tiles: each piece into whole ones of the next."""
        size = axis.size or 0
        steps = [min(step, size) for letter, step in self.steps if letter == name]
        pairs = pairwise(steps)
        return steps[-1] == axis.tile and all(outer == size or outer % inner == 0 for outer, inner in pairs)

    def _within(
        self, box: dict[str, tuple[int, int]], depth: int, tile: dict[str, int]
    ) -> Iterator[tuple[int, int, int]]:
        if depth == len(self.steps):
            yield box["m"][0] // tile["m"], box["k"][0] // tile["k"], box["n"][0] // tile["n"]
            return
        axis, step = self.steps[depth]
        start, stop = box[axis]
        for begin in range(start, stop, step):
            yield from self._within(box | {axis: (begin, min(begin + step, stop))}, depth + 1, tile)

    def __str__(self) -> str:
        return ",".join(f"{axis}{step}" for axis, step in self.steps)
