"""Models of a kilobyte that ask for gigabytes, or for hours: each meets a bound that has a name, and moves."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.ir.bounds import BOUNDS, allowing, parse_bounds
from onnxtile.tiling.call_writer import MOST_TIMES
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
    held = MOST_TIMES * 16  # what the shape may come to by itself
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
