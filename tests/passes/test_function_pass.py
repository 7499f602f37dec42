"""A plain function of a model is a pass: its parameters are options, what it changed is seen."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import PassError, UsageError
from onnxtile.passes.function_pass import pass_of_function
from onnxtile.passes.pipelines.pipeline import parse_pipeline, pipeline_text
from tests.commands import exact
from tests.support import parse


def rename(model: ir.Model, to: str = "f", times: int = 1, of: Any = None) -> None:
    """graph := a graph of another name."""
    model.graph.name = to * times


def says(model: ir.Model, what: str) -> Any:
    answers = {"yes": True, "no": False, "result": ir.passes.PassResult(model, modified=True), "same": model}
    return answers.get(what, what)


def collects(model: ir.Model, names: list[str] = []) -> None:  # functions may have such defaults
    names.append("x")


def model() -> ir.Model:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Neg (x) }'
    return ir.from_proto(parse(text))


def test_a_function_is_a_pass_with_options() -> None:
    text = f"{__name__}:rename{{to=ab times=2}}"
    (made,) = parse_pipeline(text)
    assert pipeline_text([made]) == text
    assert made == pass_of_function(rename)(to="ab", times=2)
    assert (type(made).__name__, type(made).__doc__) == ("rename", "graph := a graph of another name.")
    given = model()
    manager = onnxtile.PassManager([made, text])
    assert manager(given).modified
    assert given.graph.name == "abab"
    assert [(step.name, step.modified) for step in manager.steps] == [("rename", True), ("rename", False)]


@pytest.mark.parametrize(("what", "modified"), [("yes", True), ("no", False), ("result", True), ("same", False)])
def test_what_a_function_says_of_itself(what: str, modified: bool) -> None:
    assert onnxtile.PassManager(f"{__name__}:says{{what={what}}}")(model()).modified is modified


def test_a_function_that_gives_something_else_is_told() -> None:
    with pytest.raises(PassError, match="says gave str: change the model in place, and return whether it changed"):
        onnxtile.PassManager(f"{__name__}:says{{what=else}}")(model())


def test_functions_that_are_no_passes() -> None:
    def none() -> None: ...
    def many(model: ir.Model, **options: int) -> None: ...
    def taken(model: ir.Model, call: int) -> None: ...

    for function, words in {
        none: "takes 0 parameters, not 1 or more: a pass gives the first 1, and the others are options",
        many: "takes any number of options: a pass gives the first 1, and the others are options",
        taken: "has an option 'call', which passes have: give it another name",
    }.items():
        with pytest.raises(UsageError, match=exact(f"{function.__qualname__} {words}")):
            pass_of_function(function)
    assert pass_of_function(collects)() == pass_of_function(collects)()


def test_onnxscript_optimizes_and_rewrites_under_its_own_names() -> None:
    pytest.importorskip("onnxscript")
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { h = Identity (x)  y = Neg (h) }'
    given = ir.from_proto(parse(text))
    names = "repeat{onnxscript.optimizer:optimize{num_iterations=1},onnxscript.rewriter:rewrite}"
    made = parse_pipeline(names)
    assert pipeline_text(made) == names
    manager = onnxtile.PassManager(made)
    assert manager(given).modified
    assert [node.op_type for node in given.graph] == ["Neg"]
    assert [step.modified for step in manager.steps] == [True, False, False, False]
