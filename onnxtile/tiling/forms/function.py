"""The function form: calls to model-local functions stay as they are, one node a product."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.legality import Ability
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import Operand, Side, TiledProduct


class Function(Form):
    """C = call(A, B), and the function's body is the batched form. The file has IR version 8 at least."""

    name = "function"
    ability = Ability(9, symbolic_m=True)  # Constant knows floats only before, and so shapes can't be inferred
    keeps_calls = True
    pads = True

    def constants(
        self, product: TiledProduct, side: Side, prefix: str, array: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        yield from ()

    def write(self, sink: Sink, product: TiledProduct, a: Operand, b: Operand, output: str, prefix: str) -> None:
        """Write nothing: the call stays."""
