"""A layer as pictures show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnxtile.engine.description import Engine
    from onnxtile.profiling.engine_costs import Layer as Costs


@dataclass(frozen=True)
class Layer:
    """Costs of a node's products on an engine, together.

    `cycles`: None where they aren't known; `peak`: multiply-accumulates a cycle of the array that runs it; `bound`: by
    what it's bounded: compute, memory, local or latency; None: not known.
    """

    name: str
    macs: int
    bytes: int
    least_bytes: int
    cycles: int | None = None
    peak: int = 1
    bound: str | None = None


def drawn(layers: Sequence[Costs], engine: Engine) -> list[Layer]:
    """Return the products of a profile that a picture can show: those whose amounts are numbers."""
    shown = []
    for layer in layers:
        unit = None if layer.types is None else engine.unit_for(*layer.types)
        moved, least, macs = layer.bytes, layer.least_bytes, layer.macs
        if unit is None or not (isinstance(moved, int) and isinstance(least, int) and isinstance(macs, int)):
            continue
        cycles = layer.cycles if isinstance(layer.cycles, int) else None
        name = " ".join(part for part in (layer.name, layer.part) if part)
        name = name if layer.op in name else f"{name} {layer.op}"
        shown.append(Layer(name, macs, moved, least, cycles, unit.macs, layer.bound))
    return shown
