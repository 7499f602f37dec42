"""The nodes of a model put into a body or a function: what holds in the main graph holds there too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Nodes, Tensors, Names = Sequence[onnx.NodeProto], Sequence[onnx.TensorProto], Sequence[str]
PLACES = ("main graph", "branch", "loop", "function", "branch of a function")


def placed(model: onnx.ModelProto, place: str) -> onnx.ModelProto:
    """The model with its nodes and weights moved; it takes `go`, true, beside its own inputs where that needs one.

    In a function, which has no initializers, weights are Constant nodes.
    """
    if place == "main graph":
        return model
    made, graph = onnx.ModelProto(), model.graph
    made.CopyFrom(model)
    outputs = [f"{value.name}/inside" for value in graph.output]
    names = dict(zip([value.name for value in graph.output], outputs, strict=True))
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    for node in nodes:
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
    weights = list(graph.initializer)
    domain, calls = "placed", [value.name for value in graph.input]
    if place == "branch of a function":
        nodes, weights = [_branches(nodes, weights, graph.output, outputs, [f"{name}/of" for name in outputs])], []
        outputs = list(nodes[0].output)
        calls.append("go")
    ends = [value.name for value in graph.output]
    if place == "branch":
        nodes = [_branches(nodes, weights, graph.output, outputs, ends)]
    elif place == "loop":
        nodes = _loop(nodes, weights, graph.output, outputs, ends)
    else:
        constants = [helper.make_node("Constant", [], [each.name], value=each) for each in weights]
        opsets = list(model.opset_import)
        made.functions.append(helper.make_function(domain, "layer", calls, outputs, [*constants, *nodes], opsets))
        nodes = [helper.make_node("layer", calls, ends, "call", domain=domain)]
        made.opset_import.append(helper.make_opsetid(domain, 1))
        made.ir_version = max(model.ir_version, 8)
    for field, values in (("node", nodes), ("initializer", []), ("value_info", [])):
        made.graph.ClearField(field)
        getattr(made.graph, field).extend(values)
    if place != "function":
        made.graph.input.append(helper.make_tensor_value_info("go", TensorProto.BOOL, []))
    onnx.checker.check_model(made)
    return made


def fed(feeds: dict[str, np.ndarray], place: str) -> dict[str, np.ndarray]:
    """Return what a placed model is fed."""
    return feeds if place in ("main graph", "function") else {**feeds, "go": np.array(True)}


def _branches(
    nodes: Nodes, weights: Tensors, described: Sequence[onnx.ValueInfoProto], inside: Names, ends: Names
) -> onnx.NodeProto:
    """An If that computes the same either way."""
    branches = []
    for way in ("then", "else"):
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        outputs = [helper.make_value_info(name, value.type) for name, value in zip(inside, described, strict=True)]
        branches.append(helper.make_graph(copies, way, [], outputs, weights))
    return helper.make_node("If", ["go"], ends, "choose", then_branch=branches[0], else_branch=branches[1])


def _loop(
    nodes: Nodes, weights: Tensors, described: Sequence[onnx.ValueInfoProto], inside: Names, ends: Names
) -> list[onnx.NodeProto]:
    """A Loop of one turn, and what makes of its stacked results the results."""
    once = numpy_helper.from_array(np.array(1))
    turns = helper.make_node("Constant", [], ["turns"], value=once)
    inputs = [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("c", 9, [])]
    outputs = [helper.make_tensor_value_info("on", TensorProto.BOOL, [])]
    outputs += [helper.make_value_info(name, value.type) for name, value in zip(inside, described, strict=True)]
    goes_on = helper.make_node("Identity", ["c"], ["on"])
    body = helper.make_graph([goes_on, *nodes], "turn", inputs, outputs, weights)
    loop = helper.make_node("Loop", ["turns", "go"], [f"{name}/stacked" for name in ends], "repeat", body=body)
    first = helper.make_node("Constant", [], ["first"], value=numpy_helper.from_array(np.array(0)))
    return [turns, first, loop, *(helper.make_node("Gather", [f"{name}/stacked", "first"], [name]) for name in ends)]
