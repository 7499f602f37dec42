"""What a model is made of: operators and the range of each attribute, interface, constants; as texts and tables."""

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
import pytest
from onnx import helper, numpy_helper

from onnxtile.ir.io.load import from_proto, load
from onnxtile.profiling.annotate import annotate
from onnxtile.profiling.attribute_summary import AttributeFacts
from onnxtile.profiling.formatting import attribute_text, value_text
from onnxtile.profiling.summary import ModelFacts, OperatorFacts, facts_of
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


def attribute(facts: ModelFacts, name: str, op: str = "What") -> AttributeFacts:
    return next(each for each in operator(facts, op).attributes if each.name == name)


def operator(facts: ModelFacts, op: str) -> OperatorFacts:
    return next(each for each in facts.operators if each.op == op)


def test_numbers_have_a_range_and_their_values() -> None:
    facts = facts_of(several(group=[960, 1, 1, 7], alpha=[0.5, 0.1]))
    group = attribute(facts, "group")
    assert (group.kind, group.nodes, group.min, group.max, group.distinct) == ("int", 4, 1, 960, 3)
    assert group.values == (("1", 2), ("7", 1), ("960", 1))
    alpha = attribute(facts, "alpha")
    assert (alpha.nodes, alpha.min, alpha.max) == (2, 0.1, 0.5)  # as they are written, not the next of 64 bits
    assert alpha.values == (("0.1", 1), ("0.5", 1))


def test_the_most_frequent_of_many_values_are_listed_in_order() -> None:
    group = attribute(facts_of(several(group=[*range(30), 29, 28])), "group")
    assert (group.min, group.max, group.distinct) == (0, 29, 30)
    assert group.values == (*((str(number), 1) for number in range(10)), ("28", 2), ("29", 2))


def test_lists_and_strings_are_counted() -> None:
    facts = facts_of(
        several(kernel_shape=[[3, 3], [1, 1], [3, 3]], auto_pad=["VALID", "SAME_UPPER"], names=[["b", "a"]])
    )
    kernel = attribute(facts, "kernel_shape")
    assert (kernel.kind, kernel.min, kernel.max) == ("ints", 1, 3)
    assert kernel.values == (("[1,1]", 1), ("[3,3]", 2))
    assert attribute(facts, "auto_pad").values == (('"SAME_UPPER"', 1), ('"VALID"', 1))
    assert attribute(facts, "names").values == (('["b","a"]', 1),)


def test_what_isn_t_a_number_is_no_bound() -> None:
    facts = facts_of(several(alpha=[float("nan"), 1.0, float("inf"), -0.0, 0.0, float("nan")]))
    alpha = attribute(facts, "alpha")
    assert (alpha.min, alpha.max, alpha.distinct) == (0.0, float("inf"), 5)
    assert alpha.values == (("-0.0", 1), ("0.0", 1), ("1.0", 1), ("inf", 1), ("nan", 2))
    document = json.loads(json.dumps(facts.to_json(), allow_nan=False))
    assert document["operators"][0]["attributes"][0]["max"] == "inf"


def test_tensors_graphs_and_references() -> None:
    big = numpy_helper.from_array(np.zeros([100, 1000], np.float16))
    body = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Relu", ["r"], ["s"])], "body", [],
        [INFO("s", FLOAT, ["n", 4])],
    )  # fmt: skip
    inside = helper.make_node("LeakyRelu", ["a"], ["b"])
    inside.attribute.add(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope")
    function = helper.make_function(
        "local", "leaky", ["a"], ["b"], [inside], [helper.make_opsetid("", 20)], attributes=["slope"]
    )
    vector = helper.make_tensor_type_proto(FLOAT, [2])
    model = model_of(
        [
            helper.make_node("Constant", [], ["big"], value=big),
            helper.make_node("What", ["x"], ["v"], domain="local", body=body, dtype=vector),
            helper.make_node("leaky", ["v"], ["w"], domain="local", slope=0.25),
            helper.make_node("LeakyRelu", ["w"], ["y"], alpha=0.5),
        ],
        ["y"],
        function,
    )
    facts = facts_of(model)
    assert attribute(facts, "value", "Constant").values == (("float16[100,1000]", 1),)
    assert attribute(facts, "body").values == (("graph of 2 nodes", 1),)
    assert attribute(facts, "dtype").values == (("float32[2]", 1),)
    kinds = {each.kind: each.values for each in operator(facts, "LeakyRelu").attributes}
    assert kinds == {"float": (("0.5", 1),), "reference": (("attribute slope of the function", 1),)}
    places = {each.op: (each.main, each.bodies, each.functions, each.is_function) for each in facts.operators}
    assert places == {
        "Constant": (1, 0, 0, False), "LeakyRelu": (1, 0, 1, False), "Relu": (0, 2, 0, False),
        "What": (1, 0, 0, False), "leaky": (1, 0, 0, True),
    }  # fmt: skip
    assert [(each.domain, each.name, each.nodes, each.calls) for each in facts.functions] == [("local", "leaky", 1, 1)]
    assert facts.nodes == 7


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
    assert [(each.name, each.type, each.shape, each.default) for each in facts.inputs] == [
        ("x", "float32", ("batch", None), False),
        ("d", "float32", (4,), True),
    ]
    assert [(each.name, each.shape) for each in facts.outputs] == [("y", ("batch", 4))]
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
    assert [each.name for each in facts_of(from_proto(make(graph, 9, 3))).inputs] == ["x"]
    assert [each.name for each in facts_of(from_proto(make(graph, 9, 4))).inputs] == ["x", "w"]


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
    assert [each.name for each in facts.inputs] == ["X"]


def test_values_as_text() -> None:
    value = ir.Value(name="x", type=ir.TensorType(ir.DataType.BFLOAT16), shape=ir.Shape([1, "n", None]))
    assert value_text(value) == "x: bfloat16[1,n,?]"
    assert value_text(ir.Value(name="y")) == "y: ?[...]"
    assert (
        value_text(ir.Value(name="z", type=ir.SequenceType(ir.TensorType(ir.DataType.STRING))))
        == "z: sequence of string[...]"
    )
    assert value_text(ir.Value(name="m", shape=ir.Shape([1] * 20))).endswith(",1,... 4 more]")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (ir.AttrInt64("a", -3), "-3"),
        (ir.AttrFloat32("a", 1e-5), "1e-05"),
        (ir.AttrFloat32("a", 1e300), "1e+300"),
        (ir.AttrInt64s("a", []), "[]"),
        (ir.AttrInt64s("a", range(20)), "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,... 4 more]"),
        (ir.AttrFloat32s("a", [0.1, 2]), "[0.1,2.0]"),
        (ir.AttrString("a", "\x1b[2J\n"), r'"\x1b[2J\n"'),
        (ir.Attr("a", ir.AttributeType.STRING, b"\xff"), "ff (1 bytes)"),
        (ir.AttrTensor("a", ir.tensor(np.zeros([], np.int8))), "int8[]"),
        (ir.RefAttr("a", "b", ir.AttributeType.INT), "attribute b of the function"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_attributes_as_text(made: ir.Attr, text: str) -> None:
    assert attribute_text(made) == text


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
