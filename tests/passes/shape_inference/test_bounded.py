"""Shapes of any length cost nothing: vectors are followed up to a bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import onnxtile
from onnxtile.ir.bounds import allowing, most
from tests.commands import status
from tests.ir.test_bounds import function, info, model_of


def doubled(times: int, by: int = 2) -> onnx.ModelProto:
    """A shape that Concat joins with itself again and again."""
    nodes = [helper.make_node("Concat", [f"c{at}"] * by, [f"c{at + 1}"], axis=0) for at in range(times)]
    return model_of([*nodes, helper.make_node("Reshape", ["x", f"c{times}"], ["y"])], c0=np.array([1, 2]))


def doubled_in_functions(levels: int) -> onnx.ModelProto:
    functions = []
    for level in range(levels):
        calls = [
            helper.make_node("Concat", ["p", "p"], ["a"], axis=0),
            helper.make_node("Concat", ["a", "a"], ["b"], axis=0),
        ]
        if level < levels - 1:
            calls.append(helper.make_node(f"f{level + 1}", ["b"], ["r"], domain="l"))
        functions.append(function(f"f{level}", calls, "r" if level < levels - 1 else "b"))
    nodes = [helper.make_node("f0", ["s"], ["t"], domain="l"), helper.make_node("Reshape", ["x", "t"], ["y"])]
    return model_of(nodes, functions=functions, s=np.array([1, 2]))


def tiled() -> onnx.ModelProto:
    nodes = [helper.make_node("Tile", ["b", "s"], ["w"]), helper.make_node("Reshape", ["x", "w"], ["y"])]
    return model_of(nodes, s=np.array([10**9]), b=np.array([1]))


def expanded(op_type: str) -> onnx.ModelProto:
    """A shape of 10^9 numbers that Expand or ConstantOfShape makes."""
    inputs = ["b", "s"] if op_type == "Expand" else ["s"]
    value = helper.make_tensor("value", TensorProto.INT64, [1], [1])
    node = helper.make_node(op_type, inputs, ["w"], **({} if op_type == "Expand" else {"value": value}))
    return model_of([node, helper.make_node("Expand", ["x", "w"], ["y"])], s=np.array([10**9]), b=np.array([1]))


def ranged() -> onnx.ModelProto:
    nodes = [helper.make_node("Range", ["a", "b", "c"], ["w"]), helper.make_node("Reshape", ["x", "w"], ["y"])]
    return model_of(nodes, a=np.array(0), b=np.array(10**12), c=np.array(1))


def in_a_body() -> onnx.ModelProto:
    nodes = [helper.make_node("Concat", [f"c{at}", f"c{at}"], [f"c{at + 1}"], axis=0) for at in range(40)]
    body = helper.make_graph(
        [*nodes, helper.make_node("Reshape", ["x", "c40"], ["z"])], "b", [], [info("z", ["r"])]
    )  # fmt: skip
    choice = helper.make_node("If", ["t"], ["y"], then_branch=body, else_branch=body)
    return model_of([choice], c0=np.array([1]), t=np.array(True))


SMALL_AND_LARGE = {
    "doubled": doubled(40), "joined": doubled(3, 10_000), "in functions": doubled_in_functions(20), "tiled": tiled(),
    "expanded": expanded("Expand"), "of a shape": expanded("ConstantOfShape"), "ranged": ranged(), "body": in_a_body(),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL_AND_LARGE)
def test_a_shape_of_any_length_costs_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(SMALL_AND_LARGE[name], path)
    assert status("check", path, "--max", "4,4,4") == 0
    assert status("lower", path, "--max", "4,4,4", "-o", tmp_path / "o.onnx") == 0
    assert status("profile", path) == 0
    assert status("annotate", path, "-o", tmp_path / "a.onnx") == 0
    assert status("profile", path, "--view", "first-io") == 0


@pytest.mark.parametrize("length", [most("shape-numbers") // 2, most("shape-numbers") // 2 + 1])
def test_vectors_are_followed_up_to_the_bound(length: int) -> None:
    """A size that is taken from the end of a long vector is found, or the product is unknown."""
    nodes = [
        helper.make_node("Concat", ["c", "c"], ["d"], axis=0), helper.make_node("Slice", ["d", "a", "b"], ["e"]),
        helper.make_node("Reshape", ["x", "e"], ["r"]), helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]  # fmt: skip
    end = np.array([2 * length])
    long = model_of(
        nodes, ["p", "q"], c=np.array([8] * (length - 2) + [2, 16]), w=np.ones((16, 8), np.float32), a=end - 2, b=end
    )
    (row,) = onnxtile.check(long, (4, 4, 4)).contractions
    followed = 2 * length <= most("shape-numbers")
    assert (row.m == 2) == followed
    with allowing({"shape-numbers": 2 * length}):
        (row,) = onnxtile.check(long, (4, 4, 4)).contractions
        assert row.m == 2
