"""An independent count of what a schedule moves: each call in turn, with what is in local memory at that time."""

from __future__ import annotations

import math
from collections import Counter

from onnxtile.engine.description import BITS, Engine
from onnxtile.engine.product import Product, Window
from onnxtile.engine.schedule import Schedule

Region = tuple[range, range]


def input_rows(window: Window, positions: range) -> set[tuple[int, int]]:
    """Image and input row of all that these windows touch."""
    length, extent = window.lengths[0], (window.kernel[0] - 1) * window.dilations[0] + 1
    found = set()
    for position in positions:
        image, inside = divmod(position, math.prod(window.outputs))
        start = inside // math.prod(window.outputs[1:]) * window.strides[0] - window.begin[0]
        found |= {(image, row) for row in range(max(start, 0), min(start + extent, length))}
    return found


def walk(product: Product, schedule: Schedule, engine: Engine) -> dict[str, int]:
    """Count bytes of A, B, C and partial sums (S) of one of the batch, its calls, and the most elements of a piece."""
    unit = engine.unit_for(*product.types)
    assert unit is not None
    bits = {"A": BITS[product.types[0]], "B": BITS[product.types[1]], "C": BITS[product.result]}
    size = {"m": product.m, "k": product.k, "n": product.n}
    tile = dict(zip("mkn", schedule.tile, strict=True))
    axes = {"A": "mk", "B": "kn", "C": "mn"}
    block = dict(zip(axes[schedule.stays], schedule.block, strict=True))
    total: Counter[str] = Counter()
    most = Counter({"A": 0, "B": 0, "C": 0})
    here: dict[str, Region] = {}
    done: Counter[Region] = Counter()  # elements of k that a piece of C has been added up over

    def move(region: Region, width: int) -> int:
        burst = engine.memory.burst
        return len(region[0]) * -(-len(region[1]) * width // (8 * burst)) * burst

    def move_input(region: Region) -> int:
        window = product.window
        assert window is not None
        rows = input_rows(window, region[0])
        if engine.conv.halo == "kept":
            rows -= input_rows(window, range(region[0].start))
        channels = {k // math.prod(window.kernel) for k in region[1]}
        elements = math.prod(window.lengths[1:])
        burst = engine.memory.burst if elements > 1 else 1
        return len(rows) * len(channels) * -(-elements * bits["A"] // (8 * burst)) * burst

    def leave() -> None:
        if "C" in here:
            finished = done[here["C"]] == product.k * len(here["C"][0]) * len(here["C"][1])
            total["C" if finished else "S"] += move(here["C"], bits["C"] if finished else BITS[unit.accumulate])

    def need(operand: str, region: Region) -> None:
        if here.get(operand) == region:
            return
        most[operand] = max(most[operand], len(region[0]) * len(region[1]))
        if operand == "C":
            leave()
            total["S"] += move(region, BITS[unit.accumulate]) if done[region] else 0
        else:
            windows = operand == "A" and product.window is not None and engine.conv.windows == "engine"
            total[operand] += move_input(region) if windows else move(region, bits[operand])
        here[operand] = region

    def cut(whole: range, step: int) -> list[range]:
        return [whole[start : start + step] for start in range(0, len(whole), step)]

    x, y, z, second, last = schedule.order
    strip = next(name for name, own in axes.items() if set(own) == {z, last})
    for outer in cut(range(size[x]), block[x]):
        for inner in cut(range(size[y]), block[y]):
            around = {x: outer, y: inner}
            for third in cut(range(size[z]), tile[z]):
                for one in cut(around[second], tile[second]):
                    for two in cut(around[last], tile[last]):
                        call = {z: third, second: one, last: two}
                        for name, (row, column) in axes.items():
                            at = (
                                around
                                if name == schedule.stays
                                else {**call, last: around[last]}
                                if name == strip
                                else call
                            )
                            need(name, (at[row], at[column]))
                        done[here["C"]] += len(call["m"]) * len(call["k"]) * len(call["n"])
                        total["calls"] += 1
    leave()
    return {
        **{name: total[name] for name in ("A", "B", "C", "S", "calls")},
        **{f"most {name}": most[name] for name in "ABC"},
    }
