"""Processes that work through jobs side by side: this one, others of this machine, or those of a Dask cluster."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

from onnxtile.errors import OnnxtileError, UsageError

Job = TypeVar("Job")
Result = TypeVar("Result")
AHEAD = 3
"""Jobs for each worker that are handed out at a time: one that it works on, and what comes next."""
MOST_DEATHS = 5
"""Workers that may end while a job is theirs; then it's the job that ends them."""


class Run(Protocol):
    """Calls a function with each job, wherever that is; yields results as they come, with the jobs' numbers.

    `function` is a module's: other processes import it.
    """

    def __call__(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[tuple[int, Result]]: ...


def workers(count: int | None = None, on: str | None = None) -> AbstractContextManager[Run]:
    """Give what runs jobs: in this process, in `count` others, or `on` a cluster.

    `on`: `dask://HOST:PORT`, the address of a scheduler, or `dask` for a cluster on this machine, of `count` workers.
    Raises UsageError, also where the cluster isn't reached.
    """
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise UsageError(f"workers is {count!r}: give a whole number, 1 or more")
    if on is None:
        return nullcontext(in_this_process) if count is None else processes(count)
    from onnxtile.exploration.dask_cluster import cluster

    return cluster(on, count)


def in_this_process(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[tuple[int, Result]]:
    """Work through jobs one after the other."""
    for number, job in enumerate(jobs):
        yield number, function(job)


@contextmanager
def processes(count: int) -> Iterator[Run]:
    """Give what runs jobs in so many processes of this machine; one that ends is replaced, its jobs are done again."""
    from loky import ProcessPoolExecutor

    pools: list[Executor] = [ProcessPoolExecutor(count, timeout=60)]

    def submit(function: Callable[[Any], Any], job: Any) -> Future[Any]:
        try:
            return pools[-1].submit(function, job)
        except BrokenProcessPool:
            pools.append(ProcessPoolExecutor(count, timeout=60))
            return pools[-1].submit(function, job)

    def next_done(futures: Iterable[Future[Any]]) -> Iterable[Future[Any]]:
        return wait(futures, return_when=FIRST_COMPLETED).done

    def run(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[tuple[int, Result]]:
        return in_flight(function, jobs, count * AHEAD, submit, next_done, BrokenProcessPool)

    try:
        yield run
    finally:
        for pool in pools:
            pool.shutdown(kill_workers=True)  # type: ignore[call-arg]  # loky's


def in_flight(
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    most: int,
    submit: Callable[[Callable[[Job], Result], Job], Future[Result]],
    next_done: Callable[[Iterable[Future[Result]]], Iterable[Future[Result]]],
    died: type[Exception],
) -> Iterator[tuple[int, Result]]:
    """Hand out `most` jobs at a time, and those again whose worker `died`; yield what comes back.

    Raises OnnxtileError where workers end again and again over the same job.
    """
    waiting = iter(enumerate(jobs))
    flying: dict[Future[Result], tuple[int, Job]] = {}
    deaths: dict[int, int] = {}
    try:
        while True:
            for number, job in itertools.islice(waiting, most - len(flying)):
                flying[submit(function, job)] = number, job
            if not flying:
                return
            for future in list(next_done(flying)):
                number, job = flying.pop(future)
                try:
                    result = future.result()
                except died as error:
                    deaths[number] = deaths.get(number, 0) + 1
                    if deaths[number] > MOST_DEATHS:
                        words = f"workers ended {deaths[number]} times over the same job; memory may have run out"
                        raise OnnxtileError(f"{words}: take fewer of them") from error
                    flying[submit(function, job)] = number, job
                else:
                    yield number, result
    finally:
        for future in flying:
            future.cancel()
