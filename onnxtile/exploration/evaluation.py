"""Costs of a model's products on an engine, all together: the work of a sweep, which any process can do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onnxtile.engine.choice import Minimize, choose
from onnxtile.engine.cost import Cost
from onnxtile.engine.description import Engine
from onnxtile.engine.product import Product
from onnxtile.errors import UnsupportedError
from onnxtile.exploration.rows import Figures

Counted = tuple[tuple[int, int], ...]
"""A model's products: the place of each among all distinct ones, and how often it has it."""


@dataclass(frozen=True)
class Job:
    """Some engines, times all distinct products of all models."""

    engines: tuple[Engine, ...]
    products: tuple[Product, ...]
    models: tuple[Counted, ...]
    minimize: Minimize


def evaluate(job: Job) -> list[list[Figures | str]]:
    """Return for each engine what each model costs, or why it can't be told."""
    return [_on_engine(engine, job) for engine in job.engines]


def _on_engine(engine: Engine, job: Job) -> list[Figures | str]:
    costs: list[Cost | str] = []
    for product in job.products:
        try:
            costs.append(choose(product, engine, job.minimize).cost)
        except UnsupportedError as error:
            costs.append(str(error))
    return [total_of([(costs[place], count) for place, count in model]) for model in job.models]


def total_of(costs: Sequence[tuple[Cost | str, int]]) -> Figures | str:
    """Return costs, each so many times, together; the first reason where one can't be told."""
    for cost, _ in costs:
        if isinstance(cost, str):
            return cost
    known = [(cost, count) for cost, count in costs if isinstance(cost, Cost)]

    def total(amounts: Iterable[int | None]) -> int | None:
        numbers = list(amounts)
        return sum(number or 0 for number in numbers) if None not in numbers else None

    def amounts(field: str) -> Iterable[int | None]:
        return (None if getattr(cost, field) is None else getattr(cost, field) * count for cost, count in known)

    moved = ("a_bytes", "b_bytes", "c_bytes", "partial_bytes")
    return Figures(
        cycles=total(amounts("cycles")),
        compute_cycles=total(amounts("compute_cycles")),
        memory_cycles=total(amounts("memory_cycles")),
        local_cycles=total(amounts("local_cycles")),
        bytes=sum(sum(getattr(cost, field) for field in moved) * count for cost, count in known),
        **{
            field: sum(getattr(cost, field) * count for cost, count in known)
            for field in ("least_bytes", "partial_bytes", "calls", "macs", "padded_macs")
        },
    )
