"""Calls of local functions are counted before they are inlined, and refused where they never end."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest
from onnx import helper

import onnxtile
from onnxtile.errors import ModelError
from onnxtile.ir.functions import check_calls
from tests.commands import status
from tests.ir.test_bounds import function, model_of, nested
from tests.support import matmul, parse


def test_calls_of_functions_are_counted_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(nested(5, 10), path)
    for call in (
        ("check", path, "--max", "4,4,4"), ("lower", path, "--max", "4,4,4", "-o", tmp_path / "o"), ("profile", path),
        ("annotate", path), ("capture", path, "--name", "*"), ("verify", path, path),
        ("run", path, "--passes", "infer-shapes", "-o", tmp_path / "o"),
    ):  # fmt: skip
        capsys.readouterr()
        assert status(*call) == 2
        said = capsys.readouterr().err
        assert "calls of local functions come to 100,000 nodes, more than 50,000; --allow inlined-nodes=NUMBER" in said
        assert said.count("\n") == 1
    onnx.save(nested(90, 10), path)
    assert status("profile", path) == 2
    assert "10^18 and more nodes" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["m.onnx"]


def test_bounds_of_calls_move(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(nested(2, 10), path)
    check = ("check", path, "--max", "4,4,4")
    assert status(*check, "--allow", "inlined-nodes=100") == 0
    assert status("--allow=inlined-nodes=100", *check) == 0
    assert status(*check, "--allow", "inlined-nodes=99") == 2
    assert status(*check, "--allow", "call-depth=2") == 0
    assert status(*check, "--allow", "call-depth=1") == 2


def test_functions_in_a_circle_are_refused() -> None:
    functions = [
        function(name, [helper.make_node(other, ["p"], ["r"], domain="l")], "r")
        for name, other in (("f0", "f1"), ("f1", "f2"), ("f2", "f1"))
    ]
    circle = model_of([helper.make_node("f0", ["x"], ["y"], domain="l")], [4, 8], functions)
    with pytest.raises(ModelError, match="call each other in a circle: 'f2' calls 'f1'"):
        onnxtile.check(circle, (4, 4, 4))


CALLS = """<ir_version: 10, opset_import: ["" : 18, "l" : 1]>
g (float[2,3] x) => (float[2,3] y) {{ {} }}
<domain: "l", opset_import: ["" : 18]> f (p, q) => (r) {{ r = Add (p, q) }}"""


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("y = l.f (x, x, x)", "f 'y' has 3 inputs, and the local function that it calls 2"),
        ("y, z = l.f (x, x)", "f 'y' has 2 outputs, and the local function that it calls 1"),
    ],
)
def test_calls_with_too_many_arguments_are_refused(call: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        check_calls(onnx.parser.parse_model(CALLS.format(call)))


def test_calls_that_leave_arguments_out_are_taken() -> None:
    check_calls(parse(CALLS.format("y = l.f (x, x)")))
    check_calls(ir.from_proto(parse(CALLS.format("y = l.f (x)"))))


def test_a_tiled_product_without_its_function_is_refused_by_the_name_of_its_call() -> None:
    lowered = onnxtile.lower(matmul([8, 8], [8, 8], [8, 8]), (4, 4, 4), form="function")
    in_memory = ir.from_proto(lowered)
    del lowered.functions[:]
    in_memory.functions.clear()
    for model in (lowered, in_memory):
        with pytest.raises(ModelError, match="'product' calls a function of the domain onnxtile that isn't in the mo"):
            check_calls(model)
