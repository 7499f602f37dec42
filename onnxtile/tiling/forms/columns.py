"""The batched form of a C that's given transposed, column by column, as channels are before positions.

n-tiles come before m-tiles, so that one swap of two axes is left. Tiles of rows would be joined to rows first, and
then be transposed as a whole, element by element.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnxtile.ir.arrays import last_axes_swapped
from onnxtile.tiling.opset_compat import int64, take_first
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import TiledProduct, join


def columns_of_tiles(sink: Sink, product: TiledProduct, value: str, output: str, prefix: str) -> None:
    """Add the nodes that make [batch, N, M] of tiles [batch, n-tiles, m-tiles, rows, columns]."""
    (m, n), batch = (product.plan.m, product.plan.n), [0] * product.batch_axes
    width, tiles = n.tile or 1, [n.count or 1] if n.count != 1 else []
    rows, columns = (m.count or 1) * (m.tile or 1), (n.count or 1) * width
    ragged = {len(batch) + index: axis.size or 0 for index, axis in enumerate((n, m)) if axis.padding}
    padded = join(prefix, "padded") if ragged else output
    transposed = join(prefix, "tile_columns") if tiles else padded
    _reshape(sink, value, join(prefix, "tile_rows"), [*batch, *tiles, rows, width])
    perm = last_axes_swapped(len(batch) + len(tiles) + 2)
    sink.node("Transpose", [join(prefix, "tile_rows")], [transposed], {"perm": perm})
    if tiles:
        _reshape(sink, transposed, padded, [*batch, columns, rows])
    if ragged:
        take_first(sink, padded, output, ragged)


def _reshape(sink: Sink, value: str, output: str, shape: Sequence[int]) -> None:
    """Add a Reshape; 0 keeps the length of the axis, as of batch axes."""
    sink.node("Reshape", [value, int64(sink, f"{output}_shape", shape)], [output])
