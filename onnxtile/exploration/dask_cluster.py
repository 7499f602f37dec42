"""Jobs on a cluster of Dask: one whose scheduler runs somewhere, or one of this machine."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from onnxtile.errors import OnnxtileError, UsageError
from onnxtile.exploration.workers import AHEAD, Job, Result, Run, in_flight

PATIENCE = 20
"""Seconds that a scheduler has to answer, and then a worker to be there."""
_ADDRESS = re.compile(r"dask://([^/\s]+:\d{1,5})/?", re.ASCII)


@contextmanager
def cluster(on: str, count: int | None = None) -> Iterator[Run]:
    """Give what runs jobs on `dask://HOST:PORT`, or, for `dask`, on a cluster of this machine with `count` workers.

    Jobs of workers that end are done again by others. Raises UsageError where the cluster isn't there.
    """
    address = _ADDRESS.fullmatch(on)
    if address is None and on != "dask":
        raise UsageError(f"--on {on}: write dask://HOST:PORT, the scheduler's address, or dask for a cluster here")
    if address is not None and count is not None:
        raise UsageError("--workers are those of this machine; the cluster of --on has its own: leave one of them out")
    try:
        import distributed
    except ImportError as error:
        raise UsageError("--on takes Dask, which isn't installed: pip install 'onnxtile[sweep]'") from error
    with ExitStack() as stack:
        if address is None:
            local = distributed.LocalCluster(
                n_workers=count, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
            )
            stack.enter_context(local)
            client = stack.enter_context(distributed.Client(local, set_as_default=False))
        else:
            client = stack.enter_context(_client(distributed, address[1], on))
        _check_workers(client, on)
        yield _run_of(distributed, client, on)


def _client(distributed: Any, address: str, on: str) -> Any:
    try:
        return distributed.Client(f"tcp://{address}", timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(f"--on {on}: no scheduler answers there; start one with `dask scheduler`") from error


def _check_workers(client: Any, on: str) -> None:
    """Raise UsageError where there is no worker, or one has another onnxtile, or none."""
    from onnxtile import __version__

    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise UsageError(f"--on {on}: the scheduler has no worker; start some with `dask worker`") from error
    answers = client.run(version_here, on_error="return")
    for worker, version in answers.items():
        if version != __version__:
            words = f"has onnxtile {version}" if isinstance(version, str) else f"can't import onnxtile ({version})"
            raise UsageError(f"--on {on}: worker {worker} {words}; install {__version__} there, as here")


def version_here() -> str:
    """Return the version of onnxtile in the process that runs this."""
    from onnxtile import __version__

    return __version__


def _run_of(distributed: Any, client: Any, on: str) -> Run:
    def submit(function: Callable[[Any], Any], job: Any) -> Any:
        return client.submit(function, job, pure=False)

    def next_done(futures: Iterable[Any]) -> Iterable[Any]:
        with client.as_current():
            return distributed.wait(list(futures), return_when="FIRST_COMPLETED").done  # type: ignore[no-any-return]

    def run(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[tuple[int, Result]]:
        threads = sum(client.nthreads().values())
        try:
            yield from in_flight(function, jobs, max(threads, 1) * AHEAD, submit, next_done, distributed.KilledWorker)
        except (distributed.CancelledError, distributed.comm.CommClosedError) as error:
            raise OnnxtileError(f"--on {on}: the scheduler is gone; start it, and run this again") from error

    return run
