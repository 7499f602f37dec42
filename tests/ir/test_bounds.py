"""Models of a kilobyte that ask for gigabytes, or for hours: each meets a bound that has a name, and moves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.ir.bounds import BOUNDS, allowing, most, parse_bounds
from onnxtile.tiling import emitter as spelling
from tests.commands import status
from tests.support import ROOT

DOCS = ROOT / "docs" / "limits.md"


def info(name: str, shape: Sequence[int | str], data_type: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, data_type, shape)


def model_of(
    nodes: Sequence[onnx.NodeProto], shape: Sequence[int | str] = ("q",), functions: Sequence[onnx.FunctionProto] = (),
    **constants: np.ndarray,
) -> onnx.ModelProto:  # fmt: skip
    """A model from x [4,8] to y."""
    held = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [info("x", [4, 8])], [info("y", shape)], held)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("l", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=list(functions))


def function(name: str, calls: Sequence[onnx.NodeProto], output: str) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("l", 1)]
    return helper.make_function("l", name, ["p"], [output], list(calls), opsets)


def nested(levels: int, width: int) -> onnx.ModelProto:
    """Functions that call the next `width` times: width ** levels nodes."""
    functions = []
    for level in range(levels):
        last = level == levels - 1
        op_type, domain = ("Relu", "") if last else (f"f{level + 1}", "l")
        calls = [
            helper.make_node(op_type, [f"r{at}" if at else "p"], [f"r{at + 1}"], domain=domain) for at in range(width)
        ]
        functions.append(function(f"f{level}", calls, f"r{width}"))
    return model_of([helper.make_node("f0", ["x"], ["y"], domain="l")], [4, 8], functions)


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


def generated(count: int, size: int) -> onnx.ModelProto:
    """Weights of size x size that ConstantOfShape makes."""
    nodes = []
    for at in range(count):
        nodes += [
            helper.make_node("ConstantOfShape", ["s"], [f"w{at}"]),
            helper.make_node("MatMul", ["x" if at == 0 else f"v{at}", f"w{at}"], [f"v{at + 1}"], name=f"m{at}"),
        ]
    nodes[-1].output[0] = "y"
    model = model_of(nodes, [4, size], s=np.array([size, size]))
    model.graph.input[0].CopyFrom(info("x", [4, size]))
    return model


def test_weights_that_operators_make_are_bounded_alone_and_together() -> None:
    three, bytes_of_one = generated(3, 64), 64 * 64 * 4
    held = spelling.MOST_TIMES * 16  # what the shape may come to by itself
    with allowing({"generated-bytes": 3 * bytes_of_one - held}):
        assert onnxtile.check(onnxtile.lower(three, (32, 32, 32)), (32, 32, 32)).ok
    with (
        allowing({"generated-bytes": 3 * bytes_of_one - held - 1}),
        pytest.raises(UnsupportedError, match=r"come to 49,152 bytes, .*--allow generated-bytes.*--weights split"),
    ):
        onnxtile.lower(three, (32, 32, 32))
    with allowing({"generated-bytes": bytes_of_one - 1}):  # each is too large to be made: cut at run time
        lowered = onnxtile.lower(three, (32, 32, 32))
    assert onnxtile.check(lowered, (32, 32, 32)).ok
    assert lowered.ByteSize() < bytes_of_one


@pytest.mark.parametrize(
    "text", ["x", "inlined-nodes", "inlined-nodes=", "inlined-nodes=-1", "inlined-nodes=1e3", "=3"]
)
def test_wrong_bounds_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("passes", "--allow", text) == 2
    assert "--allow" in capsys.readouterr().err or text == "=3"
    with pytest.raises(UsageError, match="no bound 'nonesuch': take one of inlined-nodes"), allowing({"nonesuch": 1}):
        pass
    assert parse_bounds(["axes=3"]) == {"axes": 3}


def test_the_page_names_each_bound_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([\d,]+) \|", DOCS.read_text(), re.MULTILINE))
    assert rows == {name: f"{bound.default:,}" for name, bound in BOUNDS.items()}
