"""Where a node came from and what it computes, kept in node metadata."""

ORIGIN = "onnxtile.origin"
"""Metadata key: the node of the original model that this node was made for."""
PREFIX_META = "onnxtile.prefix"
"""Key in the `meta` (never written to a file) of nodes and values made in this process: the prefix they were given."""
TILE = "onnxtile.tile"
"""Metadata key: the box of a tile product, such as `m0:64,k64:128,n0:32`; `m0:` is an axis left whole.
In forms that compute many tiles by one node, the size of each: `m64,k64,n32`; `m` is an axis left whole.
Of a tile that was cut again: its box in that tile, and the tile's own, as in `m0:4,k0:4,n0:4 of m8:16,k0:8,n0:8`.
"""
OF = " of "
"""What stands between the boxes of a tile that was cut again."""


def box_text(tile: str) -> str:
    """A tile's own box, without that of the tile that it was cut from."""
    return tile.partition(OF)[0]
