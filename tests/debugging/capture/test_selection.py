"""Test which values are captured, by operator and by name, and what is said where nothing fits."""

from __future__ import annotations

from typing import Any

import pytest

import onnxtile
from onnxtile.errors import UsageError
from tests.debugging.capture.test_capture import HEAD
from tests.support import matmul, parse

CHOICE = parse(
    f"""{HEAD} g (float[2] x, bool c) => (float[2] y) {{
        [conv_1] a = Relu (x)  [conv_2] b = Abs (a)  d = Relu (b)  [set_0] e = Neg (d)
        [if] y = If (c) <then_branch = g1 () => (float[2] s) {{ [deep] s = Sin (e) }},
                         else_branch = g2 () => (float[2] t) {{ t = Cos (e) }}> }}"""
)
for node, name in zip(CHOICE.graph.node, ("conv.1", "conv.2", "", "set[0]"), strict=False):
    node.name = name


@pytest.mark.parametrize(
    ("op", "name", "values"),
    [
        ("Relu", None, ["a", "d"]),
        (["Relu", "Abs"], None, ["a", "b", "d"]),
        (None, "conv.*", ["a", "b"]),
        (None, "d", ["d"]),
        (None, "set[0]", ["e"]),
        (None, ["conv.2", "conv.1"], ["a", "b"]),
        ("Relu", "conv.*", ["a"]),
        (None, "*", ["a", "b", "d", "e", "y"]),
        ("ai.onnx::Neg", None, ["e"]),
        (None, "if", ["y"]),
    ],
)
def test_what_is_chosen(op: Any, name: Any, values: list[str]) -> None:
    assert list(onnxtile.capture(CHOICE, op=op, name=name)) == values


NOTHING: dict[str, dict[str, Any]] = {
    "say which nodes: by operator (--op Conv), by name (--name 'features.*'), or --name '*'": {},
    "op is [3]: give a text, or several": {"op": [3]},
    "name is '': give a text, or several": {"name": ""},
    "seed is -1: give a whole number, 0 or more": {"name": "*", "seed": -1},
    "memory is 0: give a whole number, 1 or more": {"name": "*", "memory": 0},
    "bind is 3: give sizes by name, such as {'batch': 1}": {"name": "*", "bind": 3},
    "no node is a 'Rely': the model has Relu, ...": {"op": "Rely"},
    "no node is called 'conv1': it has conv.1, conv.2, ...": {"name": "conv1"},
    "no node is a 'relu': the model has Relu, ...; no node is called 'zzz': it has conv.1, conv.2, d, ...": {
        "op": "relu",
        "name": "zzz",
    },
    "no node called 'conv.1' is a Abs: leave --op or --name out": {"op": "Abs", "name": "conv.1"},
    "nothing can be captured: Sin 'deep' is in if/then_branch, where values are there only while it runs": {
        "name": "deep"
    },
    (
        "nothing can be captured: Sin 'deep' is in if/then_branch, where values are there only while it runs, "
        "and so on for 1 more"
    ): {"op": ["Sin", "Cos"]},
    "output is 3: give a path": {"name": "*", "output": 3},
    "output x.txt is neither FILE.npz nor a folder; a folder's path ends in /": {"name": "*", "output": "x.txt"},
}


@pytest.mark.parametrize("words", NOTHING)
def test_calls_that_are_refused(words: str) -> None:
    with pytest.raises(UsageError) as raised:
        onnxtile.capture(CHOICE, **NOTHING[words])
    assert str(raised.value) == words


def test_what_fits_nothing_is_told_beside_what_does() -> None:
    report = onnxtile.capture(CHOICE, op=["Relu", "Conv"], name="*").report
    assert report.unmatched == ("no node is a 'Conv': the model has Cos, ...",)


def test_a_loop_s_nodes_stand_for_nothing_but_their_origin() -> None:
    """A lowered product is in a body of a body; asked for by its original's name, its value is there."""
    lowered = onnxtile.lower(matmul([8, 8], [8, 8], [8, 8]), (4, 4, 4), form="loop")
    assert list(onnxtile.capture(lowered, name="product")) == ["Y"]
    with pytest.raises(
        UsageError, match=r"nothing can be captured: MatMul 'product/partial' is in product/B_after/body"
    ):
        onnxtile.capture(lowered, op="MatMul")
