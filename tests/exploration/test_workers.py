from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from onnxtile.errors import OnnxtileError, UsageError
from onnxtile.exploration.workers import MOST_DEATHS, in_flight, in_this_process, workers


def square(number: int) -> int:
    return number * number


def ends_once(mark: str) -> str:
    """End the process that this runs in, the first time."""
    path = Path(mark)
    if path.suffix == ".mark" and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.stem


def test_one_after_the_other() -> None:
    assert list(in_this_process(square, range(4))) == [(0, 0), (1, 1), (2, 4), (3, 9)]
    with workers() as run:
        assert run is in_this_process


def test_a_worker_that_ends_is_replaced_and_its_job_done_again(tmp_path: Path) -> None:
    jobs = [str(tmp_path / name) for name in ("a", "b.mark", "c", "d", "e", "f", "g", "h")]
    with workers(2) as run:
        assert sorted(run(ends_once, jobs)) == list(enumerate("abcdefgh"))


@pytest.mark.parametrize("deaths", [MOST_DEATHS, MOST_DEATHS + 1])
def test_a_job_that_ends_its_workers_is_given_up_at_last(deaths: int) -> None:
    left = [deaths]

    def submit(function: Callable[[int], int], job: int) -> Future[int]:
        future: Future[int] = Future()
        if job == 3 and left[0]:
            left[0] -= 1
            future.set_exception(KeyError("a worker ended"))
        else:
            future.set_result(function(job))
        return future

    found = in_flight(square, [1, 2, 3], 2, submit, list, KeyError)
    if deaths == MOST_DEATHS:
        assert sorted(found) == [(0, 1), (1, 4), (2, 9)]
    else:
        with pytest.raises(OnnxtileError, match=f"workers ended {deaths} times over the same job"):
            list(found)


def test_what_is_no_number_of_workers() -> None:
    for count in (0, -1, True, 1.5):
        with pytest.raises(UsageError, match="give a whole number, 1 or more"):
            workers(count)  # type: ignore[arg-type]
