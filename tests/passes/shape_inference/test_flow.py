"""Loops and branches: only what holds in each turn, and in both branches, is a size."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.passes.infer_shapes import InferShapes
from tests.passes.shape_inference.test_infer import HEAD, found
from tests.support import parse

LOOP = """g (float[1,9] x, int64 n) => (float[a,9] y, float[b,1,9] z) {{
    go = Constant <value: tensor = bool {{1}}> ()
    y, z = Loop (n, go, x) <body = b (int64 i, bool c, float{said} s) => (bool d, float t, float u) {{
        d = {condition}
        {turn}
        u = MatMul (s, w)
    }}>
}}"""


@pytest.mark.parametrize("said", ["", "[1,9]"])
@pytest.mark.parametrize(
    ("turn", "inside", "outside"),
    [
        ("t = Neg (s)", "[1,9]", "[1,9]"),
        ("t = Concat <axis=0> (s, s)", "[None,9]", "[None,9]"),
        ("t = Squeeze (s)", "None", "None"),
        ("e = Identity (s) t = Concat <axis=0> (e, e)", "[None,9]", "[None,9]"),
    ],
)
def test_what_a_loop_carries_keeps_what_each_turn_keeps(said: str, turn: str, inside: str, outside: str) -> None:
    text = LOOP.format(said=said, turn=turn, condition="Identity (c)")
    model = ir.from_proto(parse(f"{HEAD} {text}", w=np.ones((9, 9), np.float32)))
    InferShapes()(model)
    loop = next(node for node in model.graph if node.op_type == "Loop")
    assert str(loop.attributes["body"].as_graph().inputs[2].shape) == inside
    assert str(loop.outputs[0].shape) == outside


@pytest.mark.parametrize(("condition", "turns"), [("Identity (c)", "4"), ("Less (i, four)", "None")])
def test_a_stack_is_as_long_as_the_turns_that_are_sure(condition: str, turns: str) -> None:
    text = LOOP.format(said="", turn="t = Neg (s)", condition=condition).replace(", int64 n)", ")")
    values = found(text, w=np.ones((9, 9), np.float32), n=np.array(4, np.int64), four=np.array(2, np.int64))
    assert str(values["z"].shape) == f"[{turns},1,9]"


def test_one_branch_of_unknown_shape_leaves_the_whole_unknown() -> None:
    values = found(
        """g (bool c, float[2,9] x, int64[k] s) => (float y) {
            y = If (c) <then_branch = a () => (float t) { t = Neg (x) },
                        else_branch = b () => (float e) { e = Reshape (x, s) }>
        }"""
    )
    assert values["y"].shape is None
