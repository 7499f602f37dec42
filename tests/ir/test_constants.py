"""Test what counts as a constant, and how constants that nobody reads any more go."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.constants import (
    constant_tensor,
    declared_ir_version,
    drop_if_unused,
    raise_ir_version,
    stored,
)
from tests.support import parse

W = np.arange(6, dtype=np.float32).reshape(2, 3)


def model_of(body: str, inputs: str = "float[2] x", outputs: str = "float[A,B] y", ir_version: int = 10) -> ir.Model:
    text = f'<ir_version: {ir_version}, opset_import: ["" : 18]> g ({inputs}) => ({outputs}) {{ {body} }}'
    return ir.from_proto(parse(text, w=W))


def test_an_initializer_is_a_constant_and_an_input_is_none() -> None:
    model = model_of("y = Identity (w)")
    tensor = constant_tensor(model.graph.outputs[0], 10)
    assert tensor is not None
    np.testing.assert_array_equal(tensor.numpy(), W)
    assert constant_tensor(model.graph.inputs[0], 10) is None
    assert constant_tensor(None, 10) is None


@pytest.mark.parametrize(("ir_version", "constant"), [(3, True), (4, False)])
def test_a_default_of_an_input_may_be_replaced_from_ir_version_4_on(ir_version: int, constant: bool) -> None:
    model = model_of("y = Relu (w)", "float[2,3] w", ir_version=ir_version)
    assert (constant_tensor(model.graph.initializers["w"], ir_version) is not None) == constant


@pytest.mark.parametrize(
    ("body", "transposed"),
    [
        ("y = Identity (w)", False), ("y = Transpose (w)", True), ("y = Transpose <perm = [1, 0]> (w)", True),
        ("t = Transpose (w)  y = Transpose (t)", False), ("t = Identity (w)  y = Transpose (t)", True),
    ],
)  # fmt: skip
def test_the_stored_constant_behind_transposes(body: str, transposed: bool) -> None:
    model = model_of(body)
    for value in [value for node in model.graph for value in node.outputs]:
        value.shape, value.dtype = ir.Shape([2, 3]), ir.DataType.FLOAT
    assert stored(model.graph.outputs[0], model) == (model.graph.initializers["w"], transposed)


@pytest.mark.parametrize("body", ["y = Transpose <perm = [0, 1]> (w)", "y = Neg (w)", "y = Transpose (x)"])
def test_what_is_no_stored_constant_is_itself(body: str) -> None:
    model = model_of(body, "float[3,2] x")
    assert stored(model.graph.outputs[0], model) == (model.graph.outputs[0], False)


def test_what_nobody_reads_goes_with_what_it_was_made_of() -> None:
    model = model_of("t = Transpose (w)  u = Cast <to = 10> (t)  y = Neg (w)")
    cast = next(node for node in model.graph if node.op_type == "Cast")
    assert drop_if_unused(cast.outputs[0], model)
    assert [node.op_type for node in model.graph] == ["Neg"]
    assert list(model.graph.initializers) == ["w"]  # Neg reads it
    assert not drop_if_unused(model.graph.initializers["w"], model)
    assert not drop_if_unused(model.graph.outputs[0], model)


def test_an_initializer_that_is_an_input_too_goes_in_both_places() -> None:
    model = model_of("y = Neg (x)", "float[2,3] x, float[2,3] w", ir_version=3)
    assert drop_if_unused(model.graph.initializers["w"], model)
    assert [value.name for value in model.graph.inputs] == ["x"]
    assert not model.graph.initializers


def test_the_ir_version_of_the_file_is_remembered() -> None:
    model = model_of("y = Neg (w)", ir_version=4)
    raise_ir_version(model, 8)
    raise_ir_version(model, 6)
    assert (model.ir_version, declared_ir_version(model)) == (8, 4)
