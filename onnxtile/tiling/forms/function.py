"""The function form: calls to model-local functions stay as they are, one node a product."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnxtile.tiling.legality import Ability
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import Operand, Side, TiledProduct


class Function:
    """C = call(A, B), and the function's body is the batched form. The file has IR version 8 at least."""

    name = "function"
    ability = Ability(9, symbolic_m=True)  # Constant knows floats only before, and so shapes can't be inferred
    keeps_calls = True
    pads = True

    def constants(
        self, product: TiledProduct, side: Side, prefix: str, array: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        """None: a function takes its operands whole."""
        yield from ()

    def spell(self, sink: Sink, product: TiledProduct, a: Operand, b: Operand, output: str, prefix: str) -> None:
        """Nothing: the call is there already, and stays."""
