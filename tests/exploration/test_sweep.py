from __future__ import annotations

import multiprocessing
import signal
import time
from pathlib import Path

import onnx
import pytest

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.exploration.sweep import sweep
from tests.exploration.models import ENGINE, chain, free, loop

VARY = {"product.array": ["8x8", "32x32"], "local.size": "1KiB:64KiB:x8"}


def test_rows_are_the_same_wherever_they_are_computed(tmp_path: Path) -> None:
    tables = []
    for number, count in enumerate((None, 2)):
        path = tmp_path / f"{number}.csv"
        found = sweep([chain(), loop()], ENGINE, VARY, output=path, workers=count)
        tables.append(path.read_bytes())
        assert found.models == ("chain", "loop")
        assert [row.values["local.size"] for row in found.rows[:4]] == ["1 KiB", "1 KiB", "8 KiB", "8 KiB"]
        assert found.left_out == {"engine systolic-32 doesn't multiply float64 by float64": 1}
    assert tables[0] == tables[1]


def test_a_sweep_that_is_killed_twice_and_resumed_gives_the_same_table(tmp_path: Path) -> None:
    onnx.save(chain(8), tmp_path / "chain.onnx")
    vary = ["product.fill=0:9:+1", "product.call=0:40:+2"]
    path = tmp_path / "rows.csv"
    for count in (20, 60):
        child = multiprocessing.get_context("fork").Process(
            target=sweep, args=(tmp_path / "chain.onnx", ENGINE, vary), kwargs={"output": path}
        )
        child.start()
        while child.is_alive() and (not path.exists() or path.read_bytes().count(b"\n") < count):
            time.sleep(0.005)
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL, "it had ended before it could be killed"
        assert count <= path.read_bytes().count(b"\n") < 10 * 21
    resumed = sweep(tmp_path / "chain.onnx", ENGINE, vary, output=path)
    whole = sweep(tmp_path / "chain.onnx", ENGINE, vary, output=tmp_path / "whole.csv")
    assert resumed.rows == whole.rows
    assert path.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_combination_that_is_no_engine_has_a_row_with_the_reason() -> None:
    found = sweep(chain(), ENGINE, ["product.max=*x*x*,60x60x60", "product.multiple=8x8"])
    good, bad = found.rows
    assert good.figures is not None and not good.reason
    assert bad.figures is None and "no multiple of" in bad.reason
    assert len(found.points) == 1


def test_a_small_memory_is_a_reason_and_sizes_are_bound() -> None:
    found = sweep(free(), ENGINE, ["local.size=32KiB,64KiB"], bind={"batch": 5})
    assert [row.figures and row.figures.macs for row in found.rows] == [5 * 64 * 64] * 2
    both = sweep([chain(), free()], ENGINE, ["local.size=32KiB"], bind={"batch": 5})
    assert [row.figures and row.figures.macs for row in both.rows[1:]] == [5 * 64 * 64]
    with pytest.raises(UsageError, match="no model has a free dimension 'bach': take one of batch; did you mean"):
        sweep([chain(), free()], ENGINE, ["local.size=32KiB"], bind={"batch": 5, "bach": 5})


def test_an_engine_in_memory_varies_too() -> None:
    engine = onnxtile.Engine.load(ENGINE)
    assert sweep(chain(), engine, VARY).rows == sweep(chain(), ENGINE, VARY).rows


def test_calls_that_are_wrong(tmp_path: Path) -> None:
    for vary, words in (
        (["product.held=Q,R"], "none of the variations is an engine; of the first: product 1: held is"),
        ({"local.size": ["1KiB", "1KiB"]}, "--vary local.size: 1 KiB is there twice"),
    ):
        with pytest.raises(UsageError, match=words):
            sweep(chain(), ENGINE, vary)
    with pytest.raises(UsageError, match="no models are given"):
        sweep([], ENGINE, VARY)
    with pytest.raises(UsageError, match=r"minimize is 'time': take one of cycles, bytes, calls"):
        sweep(chain(), ENGINE, VARY, minimize="time")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"a sweep writes .csv or .parquet"):
        sweep(chain(), ENGINE, VARY, output=tmp_path / "rows.txt")


def test_a_row_is_what_profile_says_of_the_engine() -> None:
    (row,) = sweep(chain(), ENGINE, ["local.buffers=2"]).rows
    found = onnxtile.profile(chain(), engine=ENGINE).engine
    assert row.figures is not None and found is not None
    totals = found.totals
    assert (row.figures.cycles, row.figures.bytes) == (totals.cycles, totals.bytes)
    assert (row.figures.calls, row.figures.macs, row.seconds) == (totals.calls, totals.macs, totals.seconds)
    assert row.products == totals.products
