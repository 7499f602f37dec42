"""Test what a model is made of: operators, the range of each attribute, interface, constants; as texts and tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from onnxtile.ir.io.load import from_proto, load
from onnxtile.profiling.annotate import annotate
from onnxtile.profiling.summary import facts_of
from tests.support import FLOAT, ROOT, make, matmul, parse

INFO = helper.make_tensor_value_info


def model_of(nodes: list[onnx.NodeProto], outputs: list[str], *functions: onnx.FunctionProto) -> ir.Model:
    """A model of any operators, whose shapes nobody checks."""
    info = [INFO(name, FLOAT, ["n", 4]) for name in outputs]
    graph = helper.make_graph(nodes, "graph", [INFO("x", FLOAT, ["n", 4])], info)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    return from_proto(helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=functions))


def several(**attributes: Sequence[Any]) -> ir.Model:
    """A chain of nodes of one operator; the first has the first value of each attribute, and so on."""
    count = max(map(len, attributes.values()))
    nodes = [
        helper.make_node(
            "What", [f"v{index}" if index else "x"], [f"v{index + 1}"], domain="local",
            **{name: values[index] for name, values in attributes.items() if index < len(values)},
        )
        for index in range(count)
    ]  # fmt: skip
    return model_of(nodes, [f"v{count}"])


def test_the_interface_and_the_constants() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17], producer_name: "tests", producer_version: "3">
        net (float[batch,?] x, float[4] d) => (float[batch,4] y) <float[4] d = {1,2,3,4}>
        { h = MatMul (x, w)  y = Add (h, d) }""",
        w=np.zeros([5, 4], np.float32),
        unused=np.zeros([3], np.int64),
    )
    model.metadata_props.add(key="author", value="them")
    facts = facts_of(from_proto(model))
    assert (facts.producer_name, facts.producer_version, facts.graph_name) == ("tests", "3", "net")
    assert (facts.ir_version, facts.opsets, facts.metadata) == (8, {"": 17}, {"author": "them"})
    assert [(value.name, value.type, value.shape, value.default) for value in facts.inputs] == [
        ("x", "float32", ("batch", None), False),
        ("d", "float32", (4,), True),
    ]
    assert [(value.name, value.shape) for value in facts.outputs] == [("y", ("batch", 4))]
    assert facts.free_dimensions == ("batch", "x_1")
    assert [(each.type, each.count, each.elements, each.bytes) for each in facts.constants] == [
        ("float32", 2, 24, 96),
        ("int64", 1, 3, 24),
    ]
    assert facts.types == {"?": 1, "float32": 4, "int64": 1}


def test_weights_that_old_files_list_as_inputs_are_none() -> None:
    weight = numpy_helper.from_array(np.zeros([4, 4], np.float32), "w")
    info = [INFO("x", FLOAT, [2, 4]), INFO("w", FLOAT, [4, 4])]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", info, [INFO("y", FLOAT, [2, 4])], [weight]
    )
    assert [value.name for value in facts_of(from_proto(make(graph, 9, 3))).inputs] == ["x"]
    assert [value.name for value in facts_of(from_proto(make(graph, 9, 4))).inputs] == ["x", "w"]


def test_constants_elsewhere_and_sparse_ones(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(matmul([2, 64], [64, 4], [2, 4]), path, save_as_external_data=True, location="data", size_threshold=0)
    (tmp_path / "data").write_bytes(b"\xff" * 1024)
    model = onnx.load(path, load_external_data=False)
    values = numpy_helper.from_array(np.ones([3], np.float32), "sparse")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.arange(3), "at"), [100])
    model.graph.sparse_initializer.append(sparse)
    facts = facts_of(from_proto(model, "net", tmp_path))
    found = {each.type: (each.count, each.elements, each.bytes, each.external) for each in facts.constants}
    assert found == {"float32": (1, 256, 1024, 1), "sparse float32": (1, 3, 3 * 4 + 3 * 8, 0)}
    assert [value.name for value in facts.inputs] == ["X"]


def told(path: Path) -> str:
    """The facts, and what annotate writes."""
    model = load(path)
    facts = json.dumps(facts_of(model).to_json())
    annotate(model)
    return f"{facts}\n{[list(node.metadata_props.items()) for node in model.graph]}\n"


def test_it_s_the_same_under_any_hash_seed(tmp_path: Path) -> None:
    model = several(group=[3, 1, 2], mode=["b", "a"])
    model.metadata_props.update({"b": "2", "a": "1"})
    path = tmp_path / "net.onnx"
    onnx.save(ir.to_proto(model), path)
    code = "import pathlib, sys, tests.profiling.test_summary as t; sys.stdout.write(t.told(pathlib.Path(sys.argv[1])))"
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", code, path], env=environment, capture_output=True, check=True, text=True
    )
    assert ran.stdout == told(path)
