"""Passes that run again until nothing changes: each run is watched, and a failure is repeated from where it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.debugging.instruments import DumpAfter, Instrument, Turn
from onnxtile.errors import OnnxtileError, PassError, UsageError
from onnxtile.passes import InferShapes
from onnxtile.passes.pipelines.pipeline import pipeline_text
from onnxtile.passes.repeat import MOST_ROUNDS, Repeat, one_by_one
from tests.support import parse


@dataclass(frozen=True)
class Shortens(ir.passes.InPlacePass):
    """Takes the first of the nodes away, which is wrong where `wrong` are left."""

    fails_at: int = 0

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        nodes = list(model.graph)
        if len(nodes) == self.fails_at:
            raise ValueError("no more")
        if len(nodes) > 1:
            nodes[0].outputs[0].replace_all_uses_with(nodes[0].inputs[0])
            model.graph.remove(nodes[0], safe=True)
        return ir.passes.PassResult(model, modified=len(nodes) > 1)


def chain(length: int) -> ir.Model:
    body = "".join(f"v{at + 1} = Neg (v{at}) " for at in range(length))
    text = f'<ir_version: 8, opset_import: ["" : 17]> g (float[2] v0) => (float[2] v{length}) {{ {body} }}'
    return ir.from_proto(parse(text))


class Turns(Instrument):
    """Keeps the turns."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, str]] = []

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        self.seen.append((turn.index, turn.remaining.replace(f"{__name__}:", "")))


def test_rounds_end_where_nothing_changes() -> None:
    for passes in (Repeat((Shortens(),)), Repeat((InferShapes(), Shortens()), times=9)):
        manager, model = onnxtile.PassManager([passes]), chain(4)
        assert manager(model).modified
        assert [step.modified for step in manager.steps if step.name == "Shortens"] == [True, True, True, False]
        assert len(model.graph) == 1
        alone = chain(4)
        assert passes(alone).modified and len(alone.graph) == 1
        assert not passes(alone).modified


def test_rounds_end_at_their_number() -> None:
    turns, model = Turns(), chain(5)
    onnxtile.PassManager([Repeat((Shortens(),), times=2), InferShapes()], instruments=[turns])(model)
    assert len(model.graph) == 3
    assert turns.seen == [
        (0, "Shortens,repeat{times=1 Shortens},infer-shapes"), (1, "Shortens,infer-shapes"), (2, "infer-shapes"),
    ]  # fmt: skip
    alone = chain(5)
    assert Repeat((Shortens(),), times=2)(alone).modified and len(alone.graph) == 3


def test_passes_that_go_on_changing_are_given_up_after_most_rounds() -> None:
    assert onnxtile.PassManager([Repeat((Shortens(),))])(chain(MOST_ROUNDS)).modified
    for run in (onnxtile.PassManager([Repeat((Shortens(),))]), Repeat((Shortens(),))):
        with pytest.raises(PassError, match="still change the model after 100 rounds; say repeat{times=NUMBER ...}"):
            run(chain(MOST_ROUNDS + 1))


def test_a_pass_that_fails_in_a_later_round_is_named() -> None:
    with pytest.raises(PassError, match="pass Shortens failed: ValueError: no more"):
        onnxtile.PassManager([Repeat((InferShapes(), Shortens(fails_at=2)))])(chain(4))


def test_reduce_finds_the_run_that_is_wrong() -> None:
    found = onnxtile.reduce(chain(4), [Repeat((InferShapes(), Shortens()), times=3)])
    assert found is not None
    assert found.guilty == f"{__name__}:Shortens"
    assert len(found.nodes) == 2


def test_a_model_is_dumped_after_each_round(tmp_path: Path) -> None:
    dump = DumpAfter("Shortens", tmp_path)
    onnxtile.PassManager([Repeat((InferShapes(), Shortens()))], instruments=[dump])(chain(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["02-Shortens.onnx", "04-Shortens.onnx"]


def test_repeat_is_refused_without_passes_and_without_rounds() -> None:
    for wrong in (lambda: Repeat(()), lambda: Repeat((InferShapes(),), times=0)):
        with pytest.raises(UsageError, match="^repeat holds no passes|^times is 0"):
            wrong()
    inner = Repeat((InferShapes(), Repeat((Shortens(),))))
    assert list(one_by_one([inner, InferShapes()])) == [InferShapes(), Shortens(), InferShapes()]
    assert pipeline_text([inner]) == f"repeat{{infer-shapes,repeat{{{__name__}:Shortens}}}}"
    assert issubclass(PassError, OnnxtileError) and inner.in_place and inner.changes_input
