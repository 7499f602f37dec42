"""Where a node came from and what it computes, kept in node metadata."""

ORIGIN = "onnxtile.origin"
"""Metadata key: the node of the original model that this node was made for."""
PREFIX_META = "onnxtile.prefix"
"""Key in the `meta` (never written to a file) of nodes and values made in this process: the prefix they were given."""
TILE = "onnxtile.tile"
"""Metadata key: the box of a tile product, such as `m0:64,k64:128,n0:32`; `m0:` is an axis left whole.
In forms that compute many tiles by one node, the size of each: `m64,k64,n32`; `m` is an axis left whole.
"""


def tile_lengths(tile: str) -> tuple[int | None, ...]:
    """The lengths of a tile along its axes, in either spelling; None: left whole, or nothing that can be read.

    >>> tile_lengths("m0:64,k64:128,n0:"), tile_lengths("m1,k64,n64")
    ((64, 64, None), (1, 64, 64))
    """
    return tuple(_length(axis[1:]) for axis in tile.split(","))


def _length(text: str) -> int | None:
    start, colon, stop = text.rpartition(":")
    if not stop.isdecimal() or (colon and not start.isdecimal()) or len(text) > 40:
        return None
    return int(stop) - int(start or 0)
