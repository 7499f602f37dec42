"""Costs of a product under a schedule: calls, bytes, cycles, and what bounds it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from onnxtile.engine.compute import compute_cycles, local_bits, padded_macs
from onnxtile.engine.description import Engine, ProductUnit
from onnxtile.engine.operands import Operands
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Schedule
from onnxtile.engine.traffic import traffic
from onnxtile.errors import UnsupportedError

Bound = Literal["compute", "memory", "local", "latency"]


@dataclass(frozen=True)
class Cost:
    """The cost of a product, its whole batch, under a schedule. All amounts are exact; cycles are rounded up once."""

    calls: int
    macs: int
    padded_macs: int
    """With a call's sizes rounded up to the unit's multiples."""
    a_bytes: int
    b_bytes: int
    c_bytes: int
    partial_bytes: int
    """Of partial sums that leave local memory and come back."""
    least_bytes: int
    """Each operand once: what any schedule moves."""
    local_bytes: int
    """The local memory that is taken."""
    compute_cycles: int
    memory_cycles: int | None
    """None: the engine's memory bandwidth isn't known."""
    local_cycles: int
    """0 where local memory has no limit."""
    cycles: int | None
    bound: Bound | None
    """The part that takes longest; None where cycles aren't known, and where there is nothing to do."""
    utilization: float | None
    """MACs of the product over those that the array could do in these cycles."""

    @property
    def bytes(self) -> int:
        """Bytes from and to memory."""
        return self.a_bytes + self.b_bytes + self.c_bytes + self.partial_bytes

    @property
    def extra_bytes(self) -> int:
        """Bytes beyond the least possible."""
        return self.bytes - self.least_bytes


def unit_of(product: Product, engine: Engine) -> ProductUnit:
    """Return the unit that multiplies the product's types. Raises UnsupportedError where the engine has none."""
    unit = engine.unit_for(*product.types)
    if unit is None:
        has = ", ".join(" by ".join(unit.types) for unit in engine.product)
        raise UnsupportedError(f"engine {engine.name} doesn't multiply {' by '.join(product.types)}: it has {has}")
    return unit


def cost(product: Product, schedule: Schedule, engine: Engine) -> Cost:
    """Return what the product costs under the schedule. Raises UnsupportedError where the engine has no unit for it."""
    unit = unit_of(product, engine)
    moved = traffic(product, schedule, unit, engine)
    batch = product.batch if product.m and product.n else 0
    calls = math.prod(-(-length // size) for length, size in zip(product.sizes, schedule.tile, strict=True)) * batch
    compute = compute_cycles(product, unit, schedule.tile) * batch
    memory = None if engine.memory.bandwidth is None else moved.total * batch / engine.memory.bandwidth
    local = Fraction(0)
    if engine.local.bandwidth is not None:
        local = local_bits(product, unit, schedule.tile) * batch / (8 * engine.local.bandwidth)
    cycles, bound = total_cycles(engine, compute, memory, local) if batch else (0, None)
    lanes = math.prod((unit.array.M, unit.array.K, unit.array.N))
    return Cost(
        calls=calls,
        macs=product.macs,
        padded_macs=padded_macs(product, unit, schedule.tile) * batch,
        a_bytes=moved.a * batch,
        b_bytes=moved.b * batch,
        c_bytes=moved.c * batch,
        partial_bytes=moved.partial * batch,
        least_bytes=Operands(product, unit, engine).least() * batch,
        local_bytes=-(-sum(moved.local.values()) // 8) if calls else 0,
        compute_cycles=compute,
        memory_cycles=None if memory is None else math.ceil(memory),
        local_cycles=math.ceil(local),
        cycles=cycles,
        bound=bound,
        utilization=product.macs / (lanes * cycles) if cycles else None,
    )


def total_cycles(
    engine: Engine, compute: int, memory: Fraction | None, local: Fraction
) -> tuple[int | None, Bound | None]:
    """Return the cycles of a product, and what bounds them; None where the memory's bandwidth isn't known.

    With two buffers transfers overlap the calls, and the longest counts; with one they come after one another.
    """
    if memory is None:
        return None, None
    array = max(Fraction(compute), local)
    together = max(array, memory) if engine.local.buffers == 2 else array + memory
    parts: dict[Bound, Fraction] = {
        "compute": Fraction(compute), "memory": memory, "local": local, "latency": Fraction(engine.memory.latency),
    }  # fmt: skip
    return math.ceil(together) + engine.memory.latency, max(parts, key=lambda name: parts[name])
