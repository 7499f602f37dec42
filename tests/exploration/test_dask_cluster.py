from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from onnxtile.errors import UsageError
from onnxtile.exploration import dask_cluster
from onnxtile.exploration.workers import workers
from tests.exploration.test_workers import ends_once


@pytest.mark.filterwarnings("ignore")  # Dask's own, of sockets and tasks, when a worker is killed
def test_jobs_are_done_by_a_cluster_one_of_whose_workers_is_killed(tmp_path: Path) -> None:
    jobs = [str(tmp_path / name) for name in ("a", "b.mark", "c", "d", "e", "f", "g", "h")]
    with workers(2, "dask") as run:
        assert sorted(run(ends_once, jobs)) == list(enumerate("abcdefgh"))
        ((_, there),) = run(own_process, [None])
    assert there != os.getpid()


def own_process(_: object) -> int:
    return os.getpid()


def test_addresses_that_are_none() -> None:
    for address in ("dask://host", "tcp://host:1", "dask://a/b:1", "", "dask://host:123456"):
        with pytest.raises(UsageError, match="write dask://HOST:PORT"), workers(on=address):
            pass
    with pytest.raises(UsageError, match="leave one of them out"), workers(2, "dask://host:1"):
        pass


@pytest.mark.filterwarnings("ignore")
def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "PATIENCE", 0.2)
    with pytest.raises(UsageError, match="no scheduler answers there"), workers(on="dask://127.0.0.1:1"):
        pass


def test_dask_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'onnxtile\[sweep\]'"), workers(on="dask"):
        pass
