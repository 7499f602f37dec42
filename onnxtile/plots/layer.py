"""A layer as pictures show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """What a node's products cost on an engine, together.

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
