"""Test which values attributes take."""

from __future__ import annotations

import json

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxtile.profiling.attribute_summary import AttributeFacts
from onnxtile.profiling.summary import ModelFacts, OperatorFacts, facts_of
from tests.profiling.test_summary import INFO, model_of, several
from tests.support import FLOAT


def attribute(facts: ModelFacts, name: str, op: str = "What") -> AttributeFacts:
    return next(attribute for attribute in operator(facts, op).attributes if attribute.name == name)


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
