"""The base of the forms: a way to write tiled products, over a sink."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxtile.tiling.legality import Ability
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import Operand, Side, TiledProduct


class Form:
    """A way to write tiled products. A form that keeps calls writes nothing: they stay as they are.

    `pads`: ragged tiles are computed at full size.
    """

    name: ClassVar[str]
    ability: ClassVar[Ability]
    keeps_calls: ClassVar[bool] = False
    pads: ClassVar[bool] = False

    def constants(
        self, product: TiledProduct, side: Side, prefix: str, array: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the initializers, named `prefix/...`, of a constant operand cut ahead of time; some are views."""
        yield from ()

    def write(self, sink: Sink, product: TiledProduct, a: Operand, b: Operand, output: str, prefix: str) -> None:
        """Add the nodes that compute `output` = A @ B; new names are `prefix/...`."""
