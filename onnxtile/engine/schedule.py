"""Describe how a product runs: the tile of a call, what stays in local memory, and the order of the loops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from onnxtile.engine.description import Operand
from onnxtile.engine.product import Product
from onnxtile.errors import UsageError
from onnxtile.ir.dimensions import LARGEST

AXES: dict[Operand, tuple[str, str]] = {"A": ("m", "k"), "B": ("k", "n"), "C": ("m", "n")}
"""The axes of each operand: its rows, and what lies side by side in a row."""
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Start and stop of m, k and n."""
_TEXT = re.compile(r"tile=(\d+),(\d+),(\d+) stays=([ABC]) block=(\d+)x(\d+) order=([mkn]{5})", re.ASCII)


@dataclass(frozen=True)
class Schedule:
    """Five loops: two over blocks of what stays, one over tiles of the third axis, two over a block's tiles.

    `tile` is M, K, N of a call, and `block` the size of `stays` along its axes in the order of `AXES`, in whole tiles;
    at the end of an axis both are smaller. `order` names the axis of each loop, the outermost first: in `mnknm` C
    stays, and for each block of it and each k its tiles are gone through, m innermost. The operand of the third axis
    and the innermost one is kept as a strip, as long as the block, while the other operand's tiles change.

    Raises UsageError for what isn't such an order.
    """

    tile: tuple[int, int, int]
    stays: Operand
    block: tuple[int, int]
    order: str

    def __post_init__(self) -> None:
        own = AXES.get(self.stays, ())
        if not (
            len(self.order) == 5
            and own
            and set(self.order[:2]) == set(self.order[3:]) == set(own)
            and set(self.order[:3]) == set("mkn")
        ):
            raise UsageError(f"order {self.order!r} isn't one where {self.stays!r} stays: such as mnknm for C")
        if not all(1 <= size <= LARGEST for size in (*self.tile, *self.block)):
            raise UsageError(f"tile {self.tile} and block {self.block} need sizes from 1 to {LARGEST}")

    @property
    def strip(self) -> Operand:
        """The operand of which a strip is kept while the other one's tiles change."""
        return next(name for name, axes in AXES.items() if set(axes) == {self.order[2], self.order[4]})

    def size_of(self, axis: str) -> int:
        """Return the size of a tile along `m`, `k` or `n`."""
        return self.tile["mkn".index(axis)]

    def block_of(self, axis: str) -> int:
        """Return the size of the block along an axis of the operand that stays."""
        return self.block[AXES[self.stays].index(axis)]

    def text(self) -> str:
        """Return it as one line, which `parse` reads.

        >>> Schedule((64, 32, 64), "C", (256, 128), "mnknm").text()
        'tile=64,32,64 stays=C block=256x128 order=mnknm'
        """
        tile = ",".join(map(str, self.tile))
        return f"tile={tile} stays={self.stays} block={self.block[0]}x{self.block[1]} order={self.order}"

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Read what `text` gave. Raises UsageError."""
        read = _TEXT.fullmatch(text)
        if not read or any(len(number) > 19 for number in read.groups()):
            raise UsageError(
                f"schedule {text[:200]!r} isn't one such as {Schedule((8, 8, 8), 'C', (8, 8), 'mnknm').text()!r}"
            )
        m, k, n, stays, first, second, order = read.groups()
        operand: Operand = "A" if stays == "A" else "B" if stays == "B" else "C"
        return cls((int(m), int(k), int(n)), operand, (int(first), int(second)), order)

    def calls(self, product: Product) -> Iterator[Box]:
        """Give the tiles of one product of the batch in the order in which they run."""
        size = dict(zip("mkn", product.sizes, strict=True))
        x, y, z, second, last = tuple(self.order)
        for outer in _cut(0, size[x], self.block_of(x)):
            for inner in _cut(0, size[y], self.block_of(y)):
                block = {x: outer, y: inner}
                for third in _cut(0, size[z], self.size_of(z)):
                    for one in _cut(*block[second], self.size_of(second)):
                        for two in _cut(*block[last], self.size_of(last)):
                            at = {z: third, second: one, last: two}
                            yield at["m"], at["k"], at["n"]


def _cut(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    for begin in range(start, stop, size):
        yield begin, min(begin + size, stop)
