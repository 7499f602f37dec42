"""Operators of several steps count what the function bodies that onnx defines for them count, node by node."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxtile.operators.table import operations_of
from onnxtile.operators.work import KINDS
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.rewrites.size_folding import fold_sizes

COMPARED = KINDS[:3]  # copies inside an operator that computes something aren't counted
S = [2, 3, 8]  # 48 elements, 6 rows of 8
INT = TensorProto.INT64
Case = tuple[str, list[Any], dict[str, Any]]


def described(name: str, of: Any) -> onnx.ValueInfoProto:
    of = (INT, of.shape) if isinstance(of, np.ndarray) else of
    dtype, shape = of if isinstance(of, tuple) else (TensorProto.FLOAT, of)
    return helper.make_tensor_value_info(name, dtype, shape)


def node_and_body(op: str, inputs: list[Any], attributes: dict[str, Any], opset: int) -> tuple[ir.Node, ir.Graph]:
    """The node, and the graph of its body on the same inputs; both with all shapes."""
    domain = "ai.onnx.preview" if op == "FlexAttention" else ""
    schema: Any = onnx.defs.get_schema(op, 1 if domain else opset, domain)  # its stub lacks what follows
    names = [formal.name if of is not None else "" for formal, of in zip(schema.inputs, inputs, strict=False)]
    fed = [described(name, of) for name, of in zip(names, inputs, strict=True) if of is not None]
    outputs = [formal.name for formal in schema.outputs]
    outputs = outputs[: 3 if op == "Attention" and len(inputs) > 4 else 2 if op in STATEFUL else schema.min_output]
    node = helper.make_node(op, names, outputs, domain=domain, **attributes)
    body = body_of(schema, node, fed)
    constants = [
        numpy_helper.from_array(of, name) for name, of in zip(names, inputs, strict=True) if isinstance(of, np.ndarray)
    ]
    models = [_model(nodes, fed, outputs, constants, opset) for nodes in ([node], body)]
    for model in models:
        InferShapes()(model)
        fold_sizes(model)
        InferShapes()(model)
    return next(iter(models[0].graph)), models[1].graph


STATEFUL = ("LinearAttention", "CausalConvWithState")


def body_of(schema: Any, node: onnx.NodeProto, fed: list[onnx.ValueInfoProto]) -> list[onnx.NodeProto]:
    """The nodes of the body, with the node's attributes, or their defaults, put in."""
    if schema.has_function:
        body = schema.function_body
    else:
        types = {each.name: each.type.SerializeToString() for each in fed}
        versions = schema.context_dependent_function_opset_versions
        body = onnx.FunctionProto.FromString(
            schema.get_context_dependent_function_with_opset_version(
                max(versions), node.SerializeToString(), [types.get(name, b"") for name in node.input]
            )
        )
    given = {each.name: each for each in node.attribute}
    defaults = {name: each.default_value for name, each in schema.attributes.items() if each.default_value.name}
    absent = {formal.name for formal in schema.inputs} - set(node.input)
    nodes = []
    for inner in body.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(inner)
        copy.input[:] = [name if name not in absent else "" for name in inner.input]
        del copy.attribute[:]
        for attribute in inner.attribute:
            found = (given | {k: v for k, v in defaults.items() if k not in given}).get(attribute.ref_attr_name)
            if not attribute.ref_attr_name:
                copy.attribute.append(attribute)
            elif found is not None:
                copy.attribute.append(found)
                copy.attribute[-1].name = attribute.name
        if inner.op_type == "CastLike":  # all of them are of floats here, and a Cast of a constant is one
            copy = helper.make_node("Cast", inner.input[:1], inner.output, to=TensorProto.FLOAT)
        nodes.append(copy)
    return nodes


def _model(
    nodes: list[onnx.NodeProto],
    fed: list[onnx.ValueInfoProto],
    outputs: list[str],
    constants: list[TensorProto],
    opset: int,
) -> ir.Model:
    names = {each.name for each in constants}
    fed = [each for each in fed if each.name not in names]
    made = [onnx.ValueInfoProto(name=name) for name in outputs]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.preview", 1)]
    return ir.from_proto(helper.make_model(helper.make_graph(nodes, "g", fed, made, constants), opset_imports=opsets))


def total(graph: ir.Graph, opset: int, times: int = 1) -> dict[str, int]:
    """All nodes of a body together, without the arithmetic of shapes and of single numbers; a Scan runs its steps."""
    found = dict.fromkeys(COMPARED, 0)
    for node in graph:
        if node.op_type == "Scan":
            steps = node.inputs[-1].shape[0]  # type: ignore[index, union-attr]  # it has one
            inside = total(node.attributes["body"].as_graph(), opset, times * steps)  # type: ignore[operator]  # a number
        elif all(map(is_small, (*node.inputs, *node.outputs))) or node.outputs[0].dtype == ir.DataType.INT64:
            continue
        else:
            own = operations_of(node, opset)
            inside = {kind: times * getattr(own, kind) for kind in COMPARED}
        found = {kind: found[kind] + inside[kind] for kind in COMPARED}
    return found


def is_small(value: ir.Value | None) -> bool:
    return value is None or (value.shape is not None and math.prod(value.shape) == 1)  # type: ignore[arg-type]  # numbers


SAME: list[Case] = [
    *((op, [S], {}) for op in ("Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Relu", "Selu")),
    *((op, [S], {}) for op in ("Shrink", "Softplus", "Softsign", "ThresholdedRelu")),
    ("Celu", [S], {"alpha": 2.0}),
    ("Clip", [S, [], []], {}),
    ("Gelu", [S], {"approximate": "tanh"}),
    ("LogSoftmax", [S], {"axis": 1}),
    ("MeanVarianceNormalization", [[2, 3, 4, 4]], {}),
    ("NegativeLogLikelihoodLoss", [[4, 3], (INT, [4])], {"reduction": "sum"}),
    ("NegativeLogLikelihoodLoss", [[4, 3], (INT, [4]), [3]], {"reduction": "none"}),
    ("PRelu", [S, [8]], {}),
    ("RMSNormalization", [S, [8]], {}),
    *((f"Reduce{what}", [S, np.array([1])], {}) for what in ("L1", "L2", "LogSum", "LogSumExp", "SumSquare")),
    ("RotaryEmbedding", [[2, 4, 8, 16], [2, 8, 8], [2, 8, 8]], {}),
    ("Softmax", [S], {}),
    ("Softmax", [S], {"axis": 1}),
    ("SoftmaxCrossEntropyLoss", [[4, 3], (INT, [4])], {"reduction": "sum"}),
    ("SwiGLU", [S, S], {"alpha": 2.0}),
    ("Swish", [S], {"alpha": 2.0}),
    ("CausalConvWithState", [[2, 8, 16], [8, 1, 4], [8], [2, 8, 3]], {"activation": "silu"}),
    ("FlexAttention", [[2, 4, 8, 16], [2, 2, 6, 16], [2, 2, 6, 16]], {}),
]
OTHERWISE: list[tuple[Case, dict[str, int], str]] = [
    (
        ("LayerNormalization", [S, [8], [8]], {}),
        {"elementwise": -12},
        "the body takes the mean's square from the squares' mean: two more for each of 6 rows",
    ),
    (
        ("GroupNormalization", [[2, 6, 4], [6], [6]], {"num_groups": 3}),
        {"elementwise": -12},
        "as LayerNormalization's, for each of 6 groups",
    ),
    (
        (
            "Attention",
            [[2, 4, 8, 16], [2, 2, 6, 16], [2, 2, 6, 16], [8, 9], [2, 2, 3, 16], [2, 2, 3, 16]],
            {"softcap": 2.0},
        ),
        {"comparison": -72},
        "the body looks for rows of the mask, 8 x 9, that allow nothing: arithmetic of masks",
    ),
    (
        ("Attention", [[2, 4, 8, 16], [2, 4, 6, 16], [2, 4, 6, 16]], {}),
        {"elementwise": -384, "comparison": -48},
        "the body adds a mask of zeros to 384 scores, and looks for rows of it, 8 x 6, that allow nothing",
    ),
    (("GreaterOrEqual", [S, S], {}), {"comparison": -48, "elementwise": -48}, "the body asks > or ="),
    (("LessOrEqual", [S, S], {}), {"comparison": -48, "elementwise": -48}, "the body asks < or ="),
    (
        ("DynamicQuantizeLinear", [S], {}),
        {"comparison": 2},
        "0 is compared with the least and the greatest of 48 elements: those two are single numbers in the body",
    ),
    (
        ("NegativeLogLikelihoodLoss", [[4, 3], (INT, [4]), [3]], {}),
        {"elementwise": 1},
        "the division by the sum of weights is one of single numbers in the body",
    ),
    (
        (
            "LinearAttention",
            [[2, 8, 16], [2, 8, 16], [2, 8, 16], [2, 4, 4, 4], [2, 8, 16], [2, 8, 4]],
            {"q_num_heads": 4, "kv_num_heads": 4},
        ),
        {"elementwise": -1024},
        "the body adds what's new to the states, 2 x 8 x 4 heads of 4 x 4: that's the accumulation of its product",
    ),
]  # fmt: skip
NOT_ARITHMETIC = {
    "AffineGrid", "Bernoulli", "BlackmanWindow", "CastLike", "CenterCropPad", "DepthToSpace", "HammingWindow",
    "HannWindow", "Range", "SequenceMap", "SpaceToDepth",
}  # fmt: skip
"""Bodies of moves and shapes, of random numbers, of what's made of sizes, and of other bodies."""


@pytest.mark.parametrize("case", SAME, ids=lambda case: case[0])
def test_an_operator_counts_as_its_body(case: Case) -> None:
    node, body = node_and_body(*case, 28)
    assert counted(node) == total(body, 28)


@pytest.mark.parametrize(
    ("case", "less", "why"), OTHERWISE, ids=lambda each: each[0] if isinstance(each, tuple) else ""
)
def test_where_an_operator_counts_otherwise(case: Case, less: dict[str, int], why: str) -> None:
    node, body = node_and_body(*case, 28)
    mine, of_body = counted(node), total(body, 28)
    assert {kind: mine[kind] - of_body[kind] for kind in COMPARED if mine[kind] != of_body[kind]} == less, why
    assert mine["transcendental"] == of_body["transcendental"]


def counted(node: ir.Node) -> dict[str, int]:
    own = operations_of(node, 28)
    return {kind: getattr(own, kind) for kind in COMPARED}


def test_every_body_is_compared() -> None:
    schemas: list[Any] = onnx.defs.get_all_schemas()
    bodies = {each.name for each in schemas if each.has_function or each.has_context_dependent_function}
    tested = {case[0] for case in SAME} | {case[0] for case, _, _ in OTHERWISE}
    assert bodies - NOT_ARITHMETIC == tested


def test_windows_count_as_their_bodies() -> None:
    """Of 16 elements: a range of 2 operations each, the angle and twice that, two cosines, products and sums."""
    for op in ("BlackmanWindow", "HammingWindow", "HannWindow"):
        inner = [node.op_type for node in onnx.defs.get_schema(op).function_body.node]
        assert inner.count("Cos") == 2
        node = ir.node(op, [ir.Value(name="size")], outputs=[ir.Value(name="y", shape=ir.Shape([16]))])
        assert (counted(node)["elementwise"], counted(node)["transcendental"]) == (8 * 16, 2 * 16)
