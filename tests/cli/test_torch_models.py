"""Test what commands share for models of torch: whose options they are, and where results go."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxtile.cli.isolation import IsolationError
from onnxtile.cli.torch_models import isolate_engine, isolate_file, outcome, refuse
from onnxtile.errors import UsageError


@pytest.mark.parametrize(
    ("model", "result"),
    [
        ("a/net.onnx", "a/net.tiled.onnx"), ("a/net.pt", "a/net.tiled.onnx"), ("net.v2.pt2", "net.v2.tiled.onnx"),
        ("nets:build", "nets.tiled.onnx"), ("pack.nets:build", "pack.nets.tiled.onnx"),
    ],
)  # fmt: skip
def test_where_a_result_goes(model: str, result: str) -> None:
    assert outcome(Path(model), "tiled.onnx") == Path(result)


def test_options_of_the_other_kind_are_refused() -> None:
    refuse(Path("net.onnx"), bind=None, device="", by=0)
    with pytest.raises(UsageError, match="--keep-exported is for models of torch, and net.onnx is one of ONNX"):
        refuse(Path("net.onnx"), bind=None, keep_exported="out")
    with pytest.raises(UsageError, match="--bind is for models of ONNX, and net.pt is one of torch"):
        refuse(Path("net.pt"), bind=["a=1"])


@pytest.mark.parametrize(
    ("model", "timeout", "isolated"),
    [("net.pt", None, True), ("net.pt2", 5.0, True), ("nets:build", None, False), ("nets:build", 5.0, True),
     ("net.onnx", 5.0, False)],
)  # fmt: skip
def test_a_stranger_s_file_is_read_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, model: str, timeout: float | None, isolated: bool
) -> None:
    asked = []
    monkeypatch.setattr("onnxtile.cli.torch_models.isolate", lambda what, seconds: asked.append((what, seconds)))
    isolate_file(Path(model), timeout)
    assert asked == ([(f"{model}: torch", timeout)] if isolated else [])


def test_an_engine_runs_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(what: str, seconds: float | None) -> None:
        raise IsolationError(what, seconds or 0, "--timeout")

    monkeypatch.setattr("onnxtile.cli.torch_models.isolate", refused)
    with pytest.raises(IsolationError) as asked:
        isolate_engine(Path("a.onnx"), Path("b.onnx"), timeout=3)
    assert "a.onnx, b.onnx: onnxruntime" in str(vars(asked.value))
