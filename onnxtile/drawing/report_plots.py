"""The plots of a report, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from onnxtile.drawing.facts import Facts
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.plots.bars import Bar, draw_bars
from onnxtile.plots.drawing import figure, svg
from onnxtile.plots.layer import Layer, drawn
from onnxtile.plots.memory import draw_memory
from onnxtile.plots.roofline import draw_roofline
from onnxtile.profiling.results import Profile

if TYPE_CHECKING:
    from onnxtile.engine.description import Engine
    from onnxtile.profiling.engine_costs import EngineProfile
    from onnxtile.profiling.engine_costs import Layer as Costs


def plots(facts: Facts) -> list[tuple[str, str]]:
    """Return what each plot shows, and the plot. Raises UsageError where matplotlib isn't installed."""
    made = []
    for title, unit, bars in (
        ("MACs by layer", "", _of_layers(facts, "macs")),
        ("Bytes moved by layer", "B", _of_layers(facts, "bandwidth")),
    ):
        if bars:
            parts = ("original", "beyond the original's" if unit else "padding", "gone")
            made.append((title, _bars(title, unit, bars, parts)))
    if cycles := _cycles(facts):
        made.append(("Cycles by layer", _bars("Cycles by layer", "", cycles, ("original", "more", "gone"))))
    shares = _shares(facts)
    if shares:
        title = "Utilization by layer, %"
        made.append((title, _bars(title, "", shares, ("now", "gained", "lost"))))
    alive = [(title, _alive(one)) for title, one in _models(facts)]
    if any(sizes for _, sizes in alive):  # of free dimensions there is nothing to draw
        with figure(7.5, 3.6) as (picture, (axes,)):
            draw_memory(axes, alive)
            made.append(("Memory over the run", svg(picture, {}, "memory")))
    engine, costs = facts.engine, (facts.after or facts.before).engine
    if engine is not None and costs is not None and engine.memory.bandwidth is not None:
        with figure(7.5, 5) as (picture, (axes,)):
            titles = draw_roofline(axes, _layers(costs, engine), float(engine.memory.bandwidth))
            made.append((f"Roofline of {facts.after_title or facts.title}", svg(picture, titles, "roofline")))
    return made


def _layers(costs: EngineProfile, engine: Engine) -> list[Layer]:
    """Return what an engine takes for each node of the original: tiles that are layers by themselves, together."""
    groups: dict[str, list[Costs]] = {}
    for layer in costs.layers:
        groups.setdefault(layer.origin or layer.name, []).append(layer)
    layers = []
    for name, group in groups.items():
        parts = drawn(group, engine)
        if len(parts) < 2:
            layers += parts
            continue
        cycles = [part.cycles for part in parts if part.cycles is not None]
        bounds = {part.bound for part in parts}
        macs, moved, least = (sum(getattr(part, field) for part in parts) for field in ("macs", "bytes", "least_bytes"))
        taken = sum(cycles) if len(cycles) == len(parts) else None
        bound = bounds.pop() if len(bounds) == 1 else None
        layers.append(Layer(name, macs, moved, least, taken, max(part.peak for part in parts), bound))
    return layers


def _bars(title: str, unit: str, bars: Sequence[Bar], parts: tuple[str, str, str]) -> str:
    with figure(7.5, max(2.2, 1.3 + 0.2 * min(len(bars), 40))) as (picture, (axes,)):
        return svg(picture, draw_bars(axes, title, bars, unit, parts), title.split()[0].lower())


def _models(facts: Facts) -> list[tuple[str, Profile]]:
    after = [] if facts.after is None else [(facts.after_title, facts.after)]
    return [(facts.title, facts.before), *after]


def _of_layers(facts: Facts, field: Literal["macs", "bandwidth"]) -> list[Bar]:
    """Return the amounts of each layer that are numbers, before and after where there is a lowered model."""
    if facts.comparison is None:
        return _of_nodes(facts.before, field)
    return _numbers((one.name, *getattr(one, field)) for one in facts.comparison.layers)


def _cycles(facts: Facts) -> list[Bar]:
    """Return the cycles of each layer's products on the engine, before and after."""
    if facts.on_engine is not None:
        return _numbers((one.name, *one.cycles) for one in facts.on_engine.changes)
    groups = facts.before.engine.by("name") if facts.before.engine is not None else ()
    return _numbers((group.name, group.cycles, group.cycles) for group in groups if group.cycles != 0)


def _numbers(pairs: Iterable[tuple[str, Amount, Amount]]) -> list[Bar]:
    return [
        (name, before, after) for name, before, after in pairs if isinstance(before, int) and isinstance(after, int)
    ]


def _of_nodes(profile: Profile, field: str) -> list[Bar]:
    found = [(node.name, getattr(node, field)) for node in profile.nodes if not node.stored]
    return [(name, number, number) for name, number in found if isinstance(number, int) and number]


def _shares(facts: Facts) -> list[Bar]:
    """Return each product's utilization on the engine, in per cent, before and after."""
    groups = [
        {group.name: 100 * group.utilization for group in one.engine.by("origin" if number else "name")
         if group.name and group.utilization is not None}
        for number, (_, one) in enumerate(_models(facts)) if one.engine is not None
    ]  # fmt: skip
    if not groups:
        return []
    return [(name, share, groups[-1].get(name, share)) for name, share in groups[0].items() if share]


def _alive(profile: Profile) -> list[int]:
    """Return the bytes alive while each node runs; where that isn't a number, none for that node."""
    return [node.live_bytes for node in profile.nodes if isinstance(node.live_bytes, int)]
