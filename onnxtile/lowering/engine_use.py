"""Count what products take of the engine: calls, multiply-accumulates with and without the padding of tiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.symbolic.amounts import (
    Amount,
    Range,
    Unknown,
    amount_of,
    difference,
    fill,
    pieces,
    product,
    ratio,
    total,
)
from onnxtile.operators.sizes import Size

Tile = tuple[int | None, int | None, int | None]
"""The size of the largest tile along M, K and N; None along an axis that is left whole."""
WHOLE: Tile = (None, None, None)
ANY = (1, 1, 1)
"""Multiples of M, K and N where calls may have any size."""


@dataclass(frozen=True)
class EngineUse(JsonRecord, members="calls macs padded_macs padding utilization"):
    """The use that products make of the engine, in one run of the graph that they're in.

    `calls`: products of tiles, each of a batch one. `macs`: multiply-accumulates that the model asks for;
    `padded_macs`: those that calls compute, with zeros that fill tiles, what the engine fills calls up with, and what
    else nobody asked for.
    """

    calls: Amount
    macs: Amount
    padded_macs: Amount

    @classmethod
    def of(cls, size: Size, tile: Tile = WHOLE, pads: bool = False, multiples: tuple[int, int, int] = ANY) -> EngineUse:
        """Return the use by one product, cut into tiles.

        `pads`: ragged tiles are filled up with zeros. `multiples`: those that the engine fills the sizes of a call up
        to; tiles that aren't whole axes are such multiples.
        """
        counts, filled = [amount_of("the batch", size.multiplied)], [amount_of("the batch", size.multiplied)]
        for name, dim, length, multiple in zip("MKN", size.axes, tile, multiples, strict=True):
            amount = amount_of(name, dim)
            if isinstance(amount, (Unknown, Range)):
                counts.append(1 if length is None else amount)
                filled.append(amount)
            else:
                counts.append(pieces(amount, length))
                filled.append(fill(fill(amount, length if pads else None), multiple))
        macs, padded = macs_of(size), product(filled)
        return cls(0 if padded == 0 else product(counts), macs, padded)

    @classmethod
    def of_all(cls, uses: Iterable[EngineUse]) -> EngineUse:
        """Return the use by several products together."""
        listed = list(uses)
        return cls(
            total(use.calls for use in listed), total(use.macs for use in listed),
            total(use.padded_macs for use in listed),
        )  # fmt: skip

    @property
    def padding(self) -> Amount:
        """Return the multiply-accumulates that nobody asked for."""
        return difference(self.padded_macs, self.macs)

    @property
    def utilization(self) -> float | None:
        """Return `macs` over `padded_macs`; None where that isn't a number, or nothing is multiplied."""
        return ratio(self.macs, self.padded_macs)


NO_USE = EngineUse(0, 0, 0)


def macs_of(size: Size) -> Amount:
    """Return the multiply-accumulates of a product: M * K * N * batch."""
    axes = zip(("M", "K", "N", "the batch"), (*size.axes, size.batch), strict=True)
    return product(amount_of(name, dim) for name, dim in axes)
