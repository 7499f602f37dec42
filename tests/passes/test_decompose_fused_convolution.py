"""onnxruntime's fused convolutions lowered: the same in onnxruntime or numpy, proven, or refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import onnxtile
from tests.support import FEWEST, FORMS, Fed, operators, run_onnxruntime

LIMITS, OPS = (3, 4, 2), "matmul,conv"
ATTRIBUTES: dict[str, Any] = {"pads": [1, 1, 0, 1], "strides": [2, 1], "group": 2}


SHAPES = {"x": [2, 4, 5, 4], "w": [6, 2, 3, 3], "b": [6], "z": [2, 6, 2, 4]}


def case(
    op_type: str, added: bool = False, opset: int = 18, dtype: Any = np.float32,
    shapes: dict[str, list[int]] = SHAPES, **attributes: Any,
) -> Fed:  # fmt: skip
    """A node of whole numbers: x of 4 channels and 5 x 4 positions by 6 kernels of 3 x 3 in 2 groups, or others."""
    rng, data_type = np.random.default_rng(1), helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    shapes = {name: shape for name, shape in shapes.items() if added or name != "z"}
    arrays = {name: rng.integers(-3, 4, shape).astype(dtype) for name, shape in shapes.items()}
    for name in {"FusedConv": "", "NhwcFusedConv": "xz", "NhwcConv": "xzw"}[op_type]:
        if name in arrays:
            arrays[name] = np.moveaxis(arrays[name], 1, -1).copy()
    fed = {name: arrays.pop(name) for name in ("x", "z") if name in arrays}
    graph = helper.make_graph(
        [helper.make_node(op_type, ["x", "w", "b", *["z"] * added], ["y"], "conv", domain="com.microsoft",
                          **{**ATTRIBUTES, **attributes})],
        "graph",
        [helper.make_tensor_value_info(name, data_type, array.shape) for name, array in fed.items()],
        [helper.make_tensor_value_info("y", data_type, ["a", "b0", "c", "d"])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return Fed(helper.make_model(graph, opset_imports=opsets, ir_version=8), fed)


def plain(fed: Fed) -> list[np.ndarray]:
    """Compute the node without its activation: Conv and Add in onnxruntime, its channels brought to the front."""
    (node,) = fed.model.graph.node
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in fed.model.graph.initializer} | fed.feeds
    last = node.op_type != "FusedConv"
    turned = {"x": last, "z": last, "w": node.op_type == "NhwcConv"}
    arrays = {n: np.moveaxis(a, -1, 1).copy() if turned.get(n) else a for n, a in arrays.items()}
    data_type = helper.np_dtype_to_tensor_dtype(arrays["x"].dtype)
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    own = {name: value for name, value in attributes.items() if not name.startswith("activation")}
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"], **own)]
    nodes += [
        helper.make_node("Add", ["c", "z"], ["y"]) if "z" in arrays else helper.make_node("Identity", ["c"], ["y"])
    ]
    inputs = [helper.make_tensor_value_info(name, data_type, array.shape) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", data_type, [None] * 4)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return [np.moveaxis(y, 1, -1) if last else y for y in run_onnxruntime(model, arrays)]


@st.composite
def cases(draw: st.DrawFn) -> Fed:
    op_type, group = draw(st.sampled_from(["FusedConv", "NhwcConv", "NhwcFusedConv"])), draw(st.integers(1, 2))
    kernel, strides, positions, pads = (draw(st.tuples(*[st.integers(*ends)] * count)) for ends, count in
                                        (((1, 3), 2), ((1, 2), 2), ((3, 5), 2), ((0, 2), 4)))  # fmt: skip
    out = [(size + pads[axis] + pads[axis + 2] - kernel[axis]) // strides[axis] + 1
           for axis, size in enumerate(positions)]  # fmt: skip
    batch, channels, filters = draw(st.integers(1, 2)), draw(st.integers(1, 2)), group * draw(st.integers(1, 3))
    shapes = {"x": [batch, group * channels, *positions], "w": [filters, channels, *kernel], "b": [filters],
              "z": [batch, filters, *out]}  # fmt: skip
    own = {"group": group, "pads": pads, "strides": strides}
    if op_type != "NhwcConv" and draw(st.booleans()):
        own["activation"] = "Relu"
    opset = draw(st.sampled_from([11, 13, 18, 21]))
    return case(op_type, op_type != "NhwcConv" and draw(st.booleans()), opset, shapes=shapes, **own)


@FEWEST
@given(cases(), st.sampled_from(FORMS), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4)]))
def test_any_node(fed: Fed, form: str, limits: tuple[int, int, int]) -> None:
    (node,), (wanted,) = fed.model.graph.node, plain(fed)
    if any(attribute.name == "activation" for attribute in node.attribute):
        wanted = np.maximum(wanted, 0)
    lowered = onnxtile.lower(fed.model, limits, form=form)  # type: ignore[call-overload]
    assert onnxtile.check(lowered, limits).ok
    if "com.microsoft" in {node.domain for node in lowered.graph.node}:
        return  # it fits
    np.testing.assert_array_equal(run_onnxruntime(lowered, fed.feeds)[0], wanted)
    assert {region.status for region in onnxtile.verify(fed.model, lowered).regions} == {"proven"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("op_type", ["FusedConv", "NhwcConv", "NhwcFusedConv"])
def test_lowered_in_every_form(op_type: str, form: str) -> None:
    fed = case(op_type, op_type != "NhwcConv", **({"activation": "Relu"} if op_type != "NhwcConv" else {}))
    lowered = onnxtile.lower(fed.model, LIMITS, ops=OPS, form=form)
    assert not {"Conv", op_type} & set(operators(lowered))
    wanted = plain(fed)[0]
    wanted = np.maximum(wanted, 0) if op_type != "NhwcConv" else wanted
    np.testing.assert_array_equal(run_onnxruntime(lowered, fed.feeds)[0], wanted)
    assert [region.status for region in onnxtile.verify(fed.model, lowered).regions] == ["proven"]


@pytest.mark.parametrize(
    ("activation", "parameters"),
    [
        ("Relu", []),
        ("Tanh", []),
        ("Sigmoid", []),
        ("LeakyRelu", [0.25]),
        ("HardSigmoid", [0.25, 0.5]),
        ("Clip", [0, 6]),
    ],
)
@pytest.mark.parametrize("opset", [9, 18])
def test_activations(activation: str, parameters: list[float], opset: int) -> None:
    more = {"activation_params": [float(number) for number in parameters]} if parameters else {}
    fed = case("FusedConv", True, opset, activation=activation, **more)
    lowered = onnxtile.lower(fed.model, LIMITS, ops=OPS)
    assert "FusedConv" not in operators(lowered)
    wanted, got = run_onnxruntime(fed.model, fed.feeds)[0], run_onnxruntime(lowered, fed.feeds)[0]
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)
    assert onnxtile.verify(fed.model, lowered).equivalent


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"activation": "Gelu"}, "activation: activation is 'Gelu', which onnxruntime doesn't fuse; take one of Relu, "
         "Tanh, Sigmoid, LeakyRelu, HardSigmoid, Clip"),
        ({"activation": "LeakyRelu"}, "activation: LeakyRelu with activation_params []; it has 1"),
        ({"alpha": 1.0}, "attribute: FusedConv has no attribute 'alpha'; remove it"),
    ],
)  # fmt: skip
def test_refused(attributes: dict[str, Any], reason: str) -> None:
    fed = case("FusedConv", **attributes)
    assert isinstance(fed.model, onnx.ModelProto)
    assert onnxtile.lower(fed.model, LIMITS, ops=OPS) == fed.model
    (row,) = onnxtile.estimate(fed.model, LIMITS, ops=OPS)[0].contractions
    assert str(row.reason) == reason
