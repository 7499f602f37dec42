"""Outputs are whole or not there: kills, failures, permissions."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.errors import ModelError, UsageError
from onnxtile.ir.io.files import new_folder, replacing
from tests.support import matmul, operators

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    model, output = tmp_path / "model.onnx", tmp_path / "out.onnx"
    onnx.save(matmul([4, 1024], [1024, 2048], [4, 2048]), model)
    old = matmul([4, 4], [4, 4], [4, 4])
    command = [sys.executable, "-m", "onnxtile", "lower", str(model), "--max", "16,16,16", "-o", str(output)]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    took, new = time.perf_counter() - begin, output.read_bytes()
    moments = random.Random(0)
    for _ in range(20 if LONG else 2):
        onnx.save(old, output)
        running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(took * moments.uniform(0.5, 1.0))
        running.send_signal(signal.SIGKILL)
        running.wait()
        found = output.read_bytes()
        assert found in (old.SerializeToString(), new)
        onnx.checker.check_model(onnx.load(output))


@pytest.mark.parametrize("flags", [[], ["--external-data"]])
def test_no_room_left_is_one_line_and_the_old_output_stays(tmp_path: Path, flags: list[str]) -> None:
    """A quota on the size of files stands for a full disk: the write itself fails, in the middle."""
    model, output = tmp_path / "model.onnx", tmp_path / "out.onnx"
    onnx.save(matmul([4, 1024], [1024, 1024], [4, 1024]), model)
    output.write_bytes(b"old")
    command = [
        sys.executable,
        "-m",
        "onnxtile",
        "lower",
        str(model),
        "--max",
        "64,64,64",
        "-o",
        str(output),
        "--force",
        *flags,
    ]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6)),
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "can't be written: file too large" in done.stderr
    assert output.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "out.onnx"]


def test_a_failure_inside_leaves_nothing(tmp_path: Path) -> None:
    def fails() -> None:
        with replacing(tmp_path / "out") as temporary:
            temporary.write_text("half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fails()
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    usual, kept = tmp_path / "usual", tmp_path / "kept"
    usual.write_text("")
    kept.write_text("")
    kept.chmod(0o600)
    for path in (kept, tmp_path / "new"):
        with replacing(path) as temporary:
            temporary.write_text("x")
    assert (tmp_path / "new").stat().st_mode == usual.stat().st_mode
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="can't be written: no such file or directory"),
        replacing(tmp_path / "no" / "x"),
    ):
        pass


def test_the_file_and_the_modelproto_hold_the_same(tmp_path: Path) -> None:
    """Streamed, or built in memory; initializers in typed fields, of 4 bits and of strings among them."""
    model = matmul([8, 8], [8, 8], [8, 8])
    for name, data_type, values in (
        ("floats", onnx.TensorProto.FLOAT, [1.0, 2.0]),
        ("nibbles", onnx.TensorProto.INT4, [1, -2, 3]),
        ("words", onnx.TensorProto.STRING, ["a", "b"]),
        ("bools", onnx.TensorProto.BOOL, [True, False]),
    ):
        model.graph.initializer.append(onnx.helper.make_tensor(name, data_type, [len(values)], values))
    documented = onnx.numpy_helper.from_array(np.arange(3.0), "documented")
    documented.doc_string = "three"
    documented.metadata_props.add(key="k", value="v")
    model.graph.initializer.append(documented)
    model.ir_version = 10
    onnx.save(model, tmp_path / "m.onnx")
    onnxtile.lower(tmp_path / "m.onnx", (4, 4, 4), output=tmp_path / "out.onnx")
    written = onnx.load(tmp_path / "out.onnx")
    assert written == onnxtile.lower(model, (4, 4, 4))
    kept = [tensor for tensor in written.graph.initializer if tensor.name in {t.name for t in model.graph.initializer}]
    assert kept == list(model.graph.initializer)[1:]
    assert operators(written).count("MatMul") == 8


@pytest.mark.parametrize("name", ["\0", "a\0/b.onnx", "\ud800.onnx"])
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    model, path = matmul([4, 4], [4, 4], [4, 4]), f"{tmp_path}/{name}"
    with pytest.raises(UsageError, match="can't be written"):
        onnxtile.lower(model, (2, 2, 2), output=path)
    with pytest.raises(UsageError, match="can't be written"):
        onnxtile.capture(model, name="*", output=f"{path}/")
    for read in (onnxtile.profile, onnxtile.check, onnxtile.lower):
        with pytest.raises(ModelError, match="give the path of an ONNX file"):
            read(path, *([] if read is onnxtile.profile else [(2, 2, 2)]))  # type: ignore[operator]


def test_no_file_is_called_as_standard_output_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for write in (lambda: onnxtile.lower(matmul([4, 4], [4, 4], [4, 4]), (2, 2, 2), output="-"), lambda: new("-")):
        with pytest.raises(UsageError, match="output -: this doesn't go to standard output; give the path of a file"):
            write()
    assert not any(tmp_path.iterdir())


def new(output: str) -> None:
    with new_folder(Path(output)):
        raise AssertionError
