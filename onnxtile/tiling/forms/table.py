"""The forms in which a tile plan is written as ONNX, and what each offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from onnxtile.errors import wrong_name
from onnxtile.tiling.forms.batched import Batched
from onnxtile.tiling.forms.function import Function
from onnxtile.tiling.forms.loop import Loop
from onnxtile.tiling.forms.unrolled import Unrolled
from onnxtile.tiling.legality import Ability
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import Operand, Side, TiledProduct


class Form(Protocol):
    """A way to spell tiled products out."""

    @property
    def name(self) -> str: ...

    @property
    def ability(self) -> Ability: ...

    @property
    def keeps_calls(self) -> bool:
        """Calls to tiled products aren't spelled out at all."""

    @property
    def pads(self) -> bool:
        """Ragged tiles are computed at full size."""

    def constants(
        self, product: TiledProduct, side: Side, prefix: str, array: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the initializers, named `prefix/...`, of a constant operand cut ahead of time; some are views."""

    def spell(self, sink: Sink, product: TiledProduct, a: Operand, b: Operand, output: str, prefix: str) -> None:
        """Add the nodes that compute `output` = A @ B; new names are `prefix/...`."""


FORMS: dict[str, Form] = {form.name: form for form in (Unrolled(), Batched(), Loop(), Function())}


def form_of(name: str, max_fan_in: int | None = None, max_fan_out: int | None = None) -> Form:
    """Return the form of that name; UsageError for an unknown one.

    `max_fan_in`, `max_fan_out`: see Unrolled; the others have no node with more than three inputs or outputs.
    """
    if not isinstance(name, str) or name not in FORMS:
        raise wrong_name(f"form {name!r} is unknown", name, FORMS)
    return Unrolled(max_fan_in, max_fan_out) if name == Unrolled.name else FORMS[name]
