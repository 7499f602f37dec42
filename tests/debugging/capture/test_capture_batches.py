"""As many values are computed in a run as the memory takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from tests.debugging.capture.test_output_files import F32, HEAD, chain
from tests.support import parse


def runs(model: onnx.ModelProto, memory: int, **inputs: np.ndarray) -> list[str]:
    """Return what is told of the runs."""
    told: list[str] = []

    def say(words: str, done: int = 0, total: int | None = None) -> None:
        told.append(words)

    onnxtile.capture(model, name="*", memory=memory, progress=say, inputs=inputs or None)
    return [words for words in told if words.startswith("run ")]


def test_as_many_runs_as_the_memory_takes() -> None:
    model = chain(list("abcdef"), length=100_000)  # 0.4 MB each
    assert runs(model, 256) == ["run 1 of 1"]
    assert runs(model, 1) == ["run 1 of 3", "run 2 of 3", "run 3 of 3"]
    assert len(runs(chain(list("abc"), length=600_000), 1)) == 3


def test_values_whose_shapes_only_a_run_tells_are_measured() -> None:
    """NonZero gives as many as there are: not a run for each value behind it."""
    model = parse(
        f"""{HEAD} g (float[n] x) => (int64[1,m] d) {{
            a = NonZero (x)  b = Add (a, a)  c = Neg (b)  d = Abs (c)  q = Cast <to = 16> (a)
            s = SequenceConstruct (a)  e = Neg (d) }}"""
    )
    x = np.ones(50_000, F32)
    assert len(runs(model, 256, x=x)) == 3  # a sequence has no shape: it's alone
    assert len(runs(model, 1, x=x)) == 4


SCRIPT = """
import sys
import onnxtile
def peak():  # getrusage's figure is the parent's where that was larger
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
for memory in (16, 2000):
    report = onnxtile.capture(sys.argv[1], name="*", output=f"{sys.argv[2]}/{memory}", memory=memory)
    assert sum(value.bytes for value in report.values) > 150e6
    print(peak() // 1000)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_memory_stays_within_what_is_asked_for(tmp_path: Path) -> None:
    onnx.save(chain([f"v{index}" for index in range(20)], length=2_000_000), tmp_path / "m.onnx")
    command = [sys.executable, "-c", SCRIPT, tmp_path / "m.onnx", tmp_path]
    some, all_of_them = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert some < all_of_them - 60
