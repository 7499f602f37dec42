"""Passes by name, and by module and class."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.passes.pipelines.pipeline import parse_pipeline, pipeline_text


def test_pipelines_name_classes_by_their_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "bind-dims{b=4},tests.planted:DropsTheLastTile{max=4,*,4},tile-matmul{max=4,4,4 pad_tiles=true}"
    assert pipeline_text(parse_pipeline(text)) == text
    assert pipeline_text(parse_pipeline("onnx_ir.passes.common:IdentityEliminationPass")) == "IdentityEliminationPass"
    (tmp_path / "mine_here.py").write_text("from onnxtile.passes import InferShapes as Mine\nbroken = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    assert pipeline_text(parse_pipeline("mine_here:Mine")) == "infer-shapes"
    for wrong, words in {
        "mine_here:Other": "can't be imported: AttributeError: module 'mine_here' has no attribute 'Other'",
        "mine_here:broken": "1 isn't a class of onnx_ir passes",
        "not_there:Mine": "pass 'not_there:Mine' can't be imported: ModuleNotFoundError",
        "onnx_ir.passes:Sequential": "can't be made from text: Sequential must take at least one pass; make it in",
        "tests.planted:DropsTheLastTile": "needs max: write tests.planted:DropsTheLastTile{max=...}",
    }.items():
        with pytest.raises(UsageError, match=words):
            parse_pipeline(wrong)


@dataclasses.dataclass(frozen=True)
class Limited(ir.passes.InPlacePass):
    """Takes limits as a pass of the user's may."""

    max: onnxtile.Limits

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return ir.passes.PassResult(model, modified=False)


def test_limits_as_sizes_as_an_engine_and_as_given_to_all() -> None:
    sizes, engine, user = options(
        f"tile-matmul{{max=4,*,4}},tile-matmul{{max=engine:systolic-32}},{__name__}:Limited{{max=4,4,4}}"
    )
    assert sizes == onnxtile.Limits(4, None, 4)
    assert str(engine) == "systolic-32"
    assert user == onnxtile.Limits(4, 4, 4)
    assert pipeline_text(parse_pipeline("tile-matmul{max=engine:systolic-32}")) == "tile-matmul{max=engine:systolic-32}"
    given, own = options("decompose-gemm,tile-matmul{max=4,4,4}", engine)
    assert (given, own) == (engine, onnxtile.Limits(4, 4, 4))


def options(text: str, limits: Any = None) -> list[Any]:
    """Return the limits of the passes of a pipeline."""
    return [vars(pass_)["max"] for pass_ in parse_pipeline(text, limits)]
