"""Mixtures of experts are evaluated expert by expert: faults in what one was written out as are seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from tests.passes.test_decompose_experts import HIDDEN, moe, qmoe


def node_of(model: onnx.ModelProto, op_type: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == op_type)


def constant(model: onnx.ModelProto, ending: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = next(each for each in model.graph.initializer if each.name.endswith(ending))
    array = change(numpy_helper.to_array(tensor).copy())
    tensor.CopyFrom(numpy_helper.from_array(array.astype(numpy_helper.to_array(tensor).dtype), tensor.name))


def unmasked(model: onnx.ModelProto) -> None:
    """Results of experts that aren't chosen are multiplied by 0: infinity leaks."""
    where = node_of(model, "Where")
    weighed, output = where.input[1], where.output[0]
    where.CopyFrom(helper.make_node("Identity", [weighed], [output], where.name))


def summed_over_tokens(model: onnx.ModelProto) -> None:
    constant(model, "mixture_axes", lambda axes: axes + 1)


FAULTS: dict[str, Callable[[onnx.ModelProto], None]] = {
    "experts that aren't chosen aren't masked": unmasked,
    "another number of experts is chosen": lambda model: constant(model, "/k", lambda k: k + 1),
    "experts change places behind the router": lambda model: constant(model, "weights_order", np.flip),
    "the least likely expert is chosen": lambda model: node_of(model, "TopK").attribute.append(
        helper.make_attribute("largest", 0)
    ),
    "gate and linear part change places": lambda model: constant(model, "gate_part_0", lambda start: start + 1),
    "the limit of the gate is lost": lambda model: constant(model, "/limit", lambda limit: limit * 100),
    "the activation is another": lambda model: setattr(node_of(model, "Sigmoid"), "op_type", "Tanh"),
    "a bias is another expert's": lambda model: constant(model, "fc2_bias", lambda bias: bias[::-1]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault: str) -> None:
    how = {"swiglu_limit": 3.0, "normalize_routing_weights": 1}
    model = moe([7, HIDDEN], "swiglu", **how)
    lowered = onnxtile.lower(model, (2, 3, 2), ops="all", form="batched")
    assert onnxtile.verify(model, lowered).equivalent
    FAULTS[fault](lowered)
    onnx.checker.check_model(lowered)
    assert "different" in [region.status for region in onnxtile.verify(model, lowered).regions]


def test_a_zero_point_that_is_off_by_one_is_seen() -> None:
    one, other = qmoe(4, 16, zeros=True), qmoe(4, 16, zeros=True)
    constant(other, "fc2_zeros", lambda zeros: zeros ^ 1)
    lowered = onnxtile.lower(other, (2, 8, 8), ops="all", form="batched")
    assert onnxtile.verify(other, lowered).equivalent
    assert not onnxtile.verify(one, lowered).equivalent
