"""`onnxtile lower`: its exit status, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

import onnxtile
from tests.commands import Cli, one_line
from tests.support import matmul, operators


def test_lower_dumps_and_times_its_passes(cli: Cli, planted: Path) -> None:
    out, dumps = planted.with_name("out.onnx"), planted.with_name("dumps")
    call = ["lower", planted, "--max", "4,4,4", "-o", out, "--time-passes", "--dump-after"]
    status, printed, _ = cli(*call, "tile-matmul", dumps)
    assert status == 0
    names = [line.split()[0] for line in printed.splitlines() if line.strip()]
    assert names[-2] == "tile-matmul"
    idle = printed.splitlines()[-1]
    assert all(name in idle for name in ("decompose-quantized", "decompose-convolution", "decompose-recurrent"))
    (dump,) = dumps.iterdir()
    assert dump.name.endswith("-tile-matmul.onnx")
    assert onnxtile.verify(planted, dump).equivalent
    document = json.loads(cli(*call, "all", dumps, "--json")[1])
    assert document["passes"][0]["name"] == "infer-shapes"
    assert len(list(dumps.iterdir())) == len(document["passes"])
    out.unlink()
    status, _, err = cli(*call, "fold", dumps)
    assert (status, out.exists()) == (2, False)
    assert "no pass 'fold' in the pipeline to dump after: it has bind-dims, infer-shapes" in err


def test_the_main_job(cli: Cli, model: Path) -> None:
    assert cli("check", model, "--max", "4,4,4")[0] == 1
    status, out, err = cli("lower", model, "--max", "4,4,4", "--verify")
    assert (status, err) == (0, "")
    assert "1 product at 4,4,4: 1 tiled" in out
    assert "equivalent" in out
    lowered = model.with_name("model.tiled.onnx")
    assert operators(onnx.load(lowered)).count("MatMul") == 8
    assert cli("check", lowered, "--max", "4,4,4")[0] == 0
    assert cli("verify", model, lowered)[0] == 0
    assert sorted(path.name for path in model.parent.iterdir()) == ["model.onnx", "model.tiled.onnx"]


def test_what_is_left_over_the_limits_makes_status_1(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "dynamic.onnx"
    onnx.save(matmul(["batch", 8], [8, 8], ["batch", 8]), path)
    status, out, _ = cli("lower", path, "--max", "4,4,4")
    assert status == 1
    assert "M is 'batch'; bind it with --bind batch=INT" in out
    assert cli("lower", path, "--max", "4,4,4", "--bind", "batch=8", "--verify")[0] == 0
    assert cli("lower", path, "--max", "*,4,4", "--verify")[0] == 0
    assert cli("lower", path, "--max", "4,4,4", "--form", "batched", "--verify", "--bind", "batch=6")[0] == 0


def test_a_result_that_is_not_equivalent_is_not_written(cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxtile.tiling.forms.unrolled import Unrolled

    def forgets_the_last_tile(self, sink, product, a, b, output, prefix):  # type: ignore[no-untyped-def]
        sink.node("Neg", [a.name], [output])

    monkeypatch.setattr(Unrolled, "write", forgets_the_last_tile)
    status, out, _ = cli("lower", model, "--max", "8,8,4", "--verify")
    assert status == 1
    assert "NOT equivalent" in out
    assert "nothing was written" in out
    assert sorted(path.name for path in model.parent.iterdir()) == ["model.onnx"]


def test_a_write_that_fails_leaves_the_old_output(
    cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "out.onnx"
    output.write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    one_line(
        cli("lower", model, "--max", "4,4,4", "-o", output, "--force"), "can't be written: no space left on device"
    )
    assert output.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "out.onnx"]
