"""Passes by name, and by module and class."""

from __future__ import annotations

import dataclasses
import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.ir import plugins
from onnxtile.passes.pipelines.pipeline import parse_pipeline, pipeline_text
from onnxtile.passes.registry import ENTRY_POINTS, pass_name


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


def test_what_is_wrong_with_a_pass_of_a_plugin_is_told_with_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint(name, f"{__name__}:{name}", ENTRY_POINTS) for name in ("NUMBER", "takes_nothing")]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    for name, words in {
        "NUMBER": "3 isn't a class of onnx_ir passes, nor a function of a model",
        "takes_nothing": "takes_nothing takes",
    }.items():
        with pytest.raises(UsageError, match=re.escape(f"plugin {name!r} (onnxtile.passes) is broken: {words}")):
            parse_pipeline(name)


def test_a_pass_of_a_plugin_goes_by_the_name_of_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pass_name(Limited(onnxtile.Limits(4, 4, 4))) == "Limited"
    points = [EntryPoint("within-limits", f"{__name__}:Limited", ENTRY_POINTS)]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    (made,) = parse_pipeline("within-limits{max=4,4,4}")
    assert (pass_name(made), pipeline_text([made])) == ("within-limits", "within-limits{max=4,4,4}")


NUMBER = 3


def takes_nothing() -> None:
    """Take no model."""


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
