"""Runs that are killed, and two at once: what dead ones leave is removed by the next, what living ones make isn't."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.ir.io.data_files import data_file, remove_old_data
from onnxtile.ir.io.files import check_output, new_folder, replacing
from tests.commands import status
from tests.support import matmul

WRITER = """
import sys, time
from pathlib import Path
from onnxtile.ir.io.data_files import data_file
from onnxtile.ir.io.files import new_folder, replacing
kind, output = sys.argv[1], Path(sys.argv[2])
making = {
    "file": lambda: replacing(output), "folder": lambda: new_folder(output),
    "data": lambda: data_file(output, lambda file: file.write(b"1234")),
}[kind]
with making() as path:
    if kind == "file":
        path.write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture(name="writer")
def _writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of writing `out`."""
    command = [sys.executable, "-c", WRITER, request.param, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running
        running.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("writer", ["file", "folder"], indirect=True)
def test_what_a_dead_run_was_making_is_removed_and_what_a_living_one_makes_is_not(
    writer: subprocess.Popen[str], tmp_path: Path
) -> None:
    (partial,) = names(tmp_path)
    others = [".out.x.abcdefgh.partial", ".outx.abcdefgh.partial", ".out.abcdefgh.partial.x"]
    for other in others:
        (tmp_path / other).write_text("not ours")
    with replacing(tmp_path / "out") as path:
        path.write_text("whole")
    assert names(tmp_path) == sorted([partial, "out", *others])
    writer.kill()
    writer.wait()
    with replacing(tmp_path / "out") as path:
        path.write_text("whole")
    assert names(tmp_path) == sorted(["out", *others])


@pytest.mark.parametrize("writer", ["data"], indirect=True)
def test_data_of_a_living_run_stays_and_of_a_dead_one_goes(writer: subprocess.Popen[str], tmp_path: Path) -> None:
    (data,) = names(tmp_path)
    remove_old_data(tmp_path / "out", kept="")
    assert names(tmp_path) == [data]
    with data_file(tmp_path / "out", lambda file: file.write(b"1234")) as same:
        assert same == data
        writer.kill()
        writer.wait()
        remove_old_data(tmp_path / "out", kept="")
        assert names(tmp_path) == [data]
    remove_old_data(tmp_path / "out", kept="")
    assert names(tmp_path) == []


LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def test_kills_at_random_moments_leave_nothing_behind_the_next_run(tmp_path: Path) -> None:
    model, output = tmp_path / "model.onnx", tmp_path / "out.onnx"
    onnx.save(matmul([4, 256], [256, 512], [4, 512]), model)
    command = [sys.executable, "-m", "onnxtile", "lower", model, "--max", "8,8,8", "-o", output, "--external-data"]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    took, moments = time.perf_counter() - begin, random.Random(1)
    whole = names(tmp_path)
    for _ in range(20 if LONG else 2):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            time.sleep(took * moments.uniform(0.6, 1.0))
            running.send_signal(signal.SIGKILL)
    assert status(*command[3:]) == 0
    assert names(tmp_path) == whole
    assert onnxtile.check(output, (8, 8, 8)).ok


def test_two_runs_at_once_leave_a_whole_model(tmp_path: Path) -> None:
    outputs = []
    for at in range(2):
        onnx.save(matmul([4, 64 + at], [64 + at, 64], [4, 64]), tmp_path / f"model{at}.onnx")
        outputs.append(["lower", tmp_path / f"model{at}.onnx", "--max", "8,8,8", "-o", tmp_path / "out.onnx"])
    runs = [
        subprocess.Popen([sys.executable, "-m", "onnxtile", *call, "--external-data"], stderr=subprocess.DEVNULL)
        for call in outputs
    ]
    assert [run.wait() for run in runs] == [0, 0]
    assert onnxtile.check(tmp_path / "out.onnx", (8, 8, 8)).ok
    assert not [name for name in names(tmp_path) if "partial" in name]


def test_a_name_that_is_not_utf_8_is_an_output_like_any_other(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    onnx.save(matmul([4, 64], [64, 64], [4, 64]), model)
    output = tmp_path / "o\udcff.onnx"
    try:
        output.touch()
    except OSError:
        pytest.skip("the file system takes UTF-8 alone")
    for flags in ([], ["--external-data"], ["--external-data", "--report", tmp_path / "r\udcff.json"]):
        assert status("lower", model, "--max", "8,8,8", "-o", output, *flags) == 0
        assert status("verify", model, output) == 0
    assert next(name for name in names(tmp_path) if name.endswith(".data")).startswith("o\ufffd.onnx.")
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize("size", [200, 241])
def test_a_long_name_of_an_output_is_fine(size: int, tmp_path: Path) -> None:
    with replacing(tmp_path / ("n" * size)) as path:
        path.write_text("x")
    assert names(tmp_path) == ["n" * size]


@pytest.mark.parametrize("place", ["loop", "n" * 300, "file/x", "none/x", "pipe"])
def test_places_where_nothing_can_be_written_are_said(place: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    before = names(tmp_path)
    with pytest.raises(UsageError, match="output"):
        check_output(tmp_path / place, tmp_path / "loop")
    if place != "pipe":
        with pytest.raises(UsageError, match="output"), replacing(tmp_path / place) as path:
            path.write_text("x")
        with pytest.raises(UsageError, match="output"), new_folder(tmp_path / place):
            pass
    assert names(tmp_path) == before


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero"])
def test_inputs_that_never_end_are_refused(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, pipe = tmp_path / "m.onnx", tmp_path / "pipe"
    onnx.save(matmul([4, 4], [4, 4], [4, 4]), model)
    os.mkfifo(pipe)
    odd = pipe if kind == "pipe" else Path(kind)
    for call in (
        ("check", odd, "--max", "8,8,8"), ("profile", odd), ("profile", odd, "--summary"), ("annotate", odd),
        ("lower", odd, "--max", "8,8,8", "-o", tmp_path / "o"), ("capture", odd, "--name", "*"), ("verify", model, odd),
        ("capture", model, "--name", "*", "--input", odd), ("verify", "--recheck", odd),
        ("profile", model, "--against", odd), ("run", odd, "--passes", "infer-shapes", "-o", tmp_path / "o"),
        ("reduce", odd, "--passes", "infer-shapes"),
    ):  # fmt: skip
        capsys.readouterr()
        assert status(*call) == 2, call
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "isn't a regular file" in said


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"PK\x05\x06" + bytes(18), b"x" * 100])
def test_damaged_inputs_are_refused(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, given = tmp_path / "m.onnx", tmp_path / "given.npz"
    onnx.save(matmul([4, 4], [4, 4], [4, 4]), model)
    given.write_bytes(content)
    assert status("capture", model, "--name", "*", "--input", given) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "internal" not in said
