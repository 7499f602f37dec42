"""Run what's left for the regions: equal ones once, the rest in processes of their own where that pays."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from typing import NamedTuple

from onnxtile.errors import UnsupportedError
from onnxtile.ir.io.progress import Progress
from onnxtile.verification.canonical import key_of
from onnxtile.verification.regions import Outcome, Task, run

MOST_RENAMED = 5_000
"""Nodes up to which regions are looked at for being equal; larger ones take longer to compare than is gained."""
WORTH_A_PROCESS = 2e9
"""Work, in about a nanosecond each, from which processes of their own pay: they take a second to start."""
A_NODE = 1e5
A_TERM = 1.0


class Found(NamedTuple):
    """What came of a task; `same_as`: the earlier task that it's equal to."""

    outcome: Outcome
    same_as: int | None = None


def run_all(tasks: Sequence[Task], cases: int | None, seed: int, workers: int | None, say: Progress) -> list[Found]:
    """What comes of each task. `workers`: processes, as many as cores by default."""
    first: dict[str, int] = {}
    same_as: list[int | None] = [None] * len(tasks)
    for index, task in enumerate(tasks):
        if task.proof is not None and task.proof.nodes <= MOST_RENAMED:
            earlier = first.setdefault(key_of(task.proof), index)
            same_as[index] = None if earlier == index else earlier
    waiting = {index: task for index, task in enumerate(tasks) if same_as[index] is None}
    outcomes: dict[int, Outcome] = {}
    for index, outcome in _run(waiting, cases, seed, workers):
        outcomes[index] = outcome
        say(f"prove regions, {len(outcomes)} of {len(waiting)}", len(outcomes), len(waiting))
    return [Found(outcomes[index if twin is None else twin], twin) for index, twin in enumerate(same_as)]


def _run(waiting: dict[int, Task], cases: int | None, seed: int, workers: int | None) -> Iterator[tuple[int, Outcome]]:
    most = min(workers or os.cpu_count() or 1, len(waiting))
    work = sorted((_work(task) for task in waiting.values()), reverse=True)
    if most < 2 or (workers is None and sum(work[1:]) < WORTH_A_PROCESS):
        yield from ((index, run(task, cases, seed)) for index, task in waiting.items())
        return
    from loky import ProcessPoolExecutor
    from loky.process_executor import TerminatedWorkerError

    with ProcessPoolExecutor(most) as pool:
        order = sorted(waiting, key=lambda index: _work(waiting[index]), reverse=True)
        running = {pool.submit(run, waiting[index], cases, seed): index for index in order}
        for done in as_completed(running):
            try:
                yield running[done], done.result()
            except TerminatedWorkerError as error:
                words = "a process that proves regions was ended, perhaps for want of memory; try --workers 1"
                raise UnsupportedError(words) from error


def _work(task: Task) -> float:
    """About how many nanoseconds a task takes."""
    if task.proof is None:
        return 0.0 if task.models is None else float(sum(map(len, task.models)))
    elements = [math.prod(operand.shape) for operand in task.proof.operands]
    return task.proof.nodes * A_NODE + A_TERM * sum(elements) * 10
