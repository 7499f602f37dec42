"""A choice as metadata of nodes keeps it: one line, which is read from files that anybody may have written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from onnxtile.engine.choice import Choice
from onnxtile.engine.schedule import AXES, Schedule
from onnxtile.errors import UsageError

_TEXT = re.compile(
    r"size=(?:(#)x)?(#),(#),(#) tile=(#),(#),(#) stays=([ABC]) loops=((?:[mkn]#,){4}[mkn]#) bytes=(\d{1,40})"
    r"(?: cycles=(\d{1,40}))?".replace("#", r"\d{1,19}"),
    re.ASCII,
)


@dataclass(frozen=True)
class Scheduled:
    """The size of a product, M, K, N and batch; how it runs; and the bytes and cycles that this was to take."""

    size: tuple[int, int, int]
    batch: int
    schedule: Schedule
    bytes: int
    cycles: int | None

    @classmethod
    def of(cls, choice: Choice) -> Scheduled:
        product, cost = choice.product, choice.cost
        return cls(product.sizes, product.batch, choice.schedule, cost.bytes, cost.cycles)

    def text(self) -> str:
        """Return it as the line that SCHEDULE in `ir/metadata.py` describes."""
        schedule = self.schedule
        steps = [schedule.block_of(axis) for axis in schedule.order[:2]]
        steps += [schedule.size_of(axis) for axis in schedule.order[2:]]
        loops = ",".join(f"{axis}{step}" for axis, step in zip(schedule.order, steps, strict=True))
        batch = f"{self.batch}x" if self.batch != 1 else ""
        cycles = "" if self.cycles is None else f" cycles={self.cycles}"
        return (
            f"size={batch}{_joined(self.size)} tile={_joined(schedule.tile)} stays={schedule.stays} loops={loops} "
            f"bytes={self.bytes}{cycles}"
        )

    @classmethod
    def parse(cls, text: str) -> Scheduled | None:
        """Return what `text` gave; None for anything else."""
        read = _TEXT.fullmatch(text)
        if read is None:
            return None
        batch, m, k, n, tile_m, tile_k, tile_n, stays, loops, moved, cycles = read.groups()
        order = "".join(loop[0] for loop in loops.split(","))
        steps = {loop[0]: int(loop[1:]) for loop in loops.split(",")[:2]}
        try:
            axes = AXES[stays]  # type: ignore[index]  # it's one of them
            block = (steps[axes[0]], steps[axes[1]])
            schedule = Schedule((int(tile_m), int(tile_k), int(tile_n)), stays, block, order)  # type: ignore[arg-type]
        except (KeyError, UsageError):
            return None
        whole = cls((int(m), int(k), int(n)), int(batch or 1), schedule, int(moved), int(cycles) if cycles else None)
        return whole if whole.text() == text else None


def _joined(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))
