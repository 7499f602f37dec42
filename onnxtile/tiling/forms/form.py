"""The base of the forms: a way to write tiled products, over a sink."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxtile.tiling.legality import Ability
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import Operand, Side, TiledProduct


class Form(ABC):
    """A way to write tiled products. A form that keeps calls writes nothing: they stay as they are.

    `name`: by which it's chosen; `ability`: which products it can write (every opset, and no M that is known only at
    run time, where a form doesn't say); `pads`: ragged tiles are computed at full size.
    """

    name: ClassVar[str]
    ability: ClassVar[Ability] = Ability()
    keeps_calls: ClassVar[bool] = False
    pads: ClassVar[bool] = False

    @abstractmethod
    def constants(
        self, product: TiledProduct, side: Side, prefix: str, array: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the initializers, named `prefix/...`, of a constant operand cut ahead of time; some are views.

        `array`: the operand's numbers, not transposed any more. `write` reads them by these names.
        """

    @abstractmethod
    def write(self, sink: Sink, product: TiledProduct, a: Operand, b: Operand, output: str, prefix: str) -> None:
        """Add the nodes that compute `output` = A @ B; new names are `prefix/...`.

        An operand is a value of the model, or, where it's `precut`, the prefix of what `constants` made of it.
        """
