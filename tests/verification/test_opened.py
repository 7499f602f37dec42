"""A model is read with its functions inlined, and its constants are compared bit by bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from onnxtile.errors import ModelError, UnsupportedError
from onnxtile.verification.opened import open_model, same_bits
from tests.support import parse, whole

PLAIN = '<ir_version: 10, opset_import: ["" : 20, "local" : 1]> g (float[4] x) => (float[4] y) '
CALL = PLAIN + '{ y = local.f (x) } <domain: "local", opset_import: ["" : 20]> f (a) => (b) { b = Neg (a) }'


def test_functions_are_inlined() -> None:
    opened = open_model(parse(CALL))
    assert [node.op_type for node in opened.proto.graph.node] == ["Neg"] and not opened.proto.functions


def test_a_function_by_the_name_of_an_operator_is_refused() -> None:
    model = parse(CALL)
    model.functions[0].domain = model.graph.node[0].domain = "com.microsoft"
    model.opset_import.add(domain="com.microsoft", version=1)
    with pytest.raises((UnsupportedError, ModelError), match="f"):
        open_model(model)


def test_external_data_is_read_from_the_folder(tmp_path: Path) -> None:
    weight = whole([4], np.dtype(np.float32), 1)
    model = parse(PLAIN + "{ y = Add (x, w) }", w=weight)
    path = tmp_path / "model.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="data", size_threshold=0)
    outside, inside = open_model(path), open_model(parse(PLAIN + "{ y = Add (x, w) }", w=weight))
    (tensor,), (other,) = (each.proto.graph.initializer for each in (outside, inside))
    assert (outside.array(tensor) == weight).all()
    assert outside.same(tensor, inside, other)
    changed = open_model(parse(PLAIN + "{ y = Add (x, w) }", w=weight + 1))
    assert not outside.same(tensor, changed, changed.proto.graph.initializer[0])
    assert onnx.numpy_helper.to_array(outside.inside(tensor, "v")).tolist() == weight.tolist()


def test_bits_count_not_numbers() -> None:
    assert same_bits(np.float32([np.nan]), np.float32([np.nan]))
    assert not same_bits(np.float32([0.0]), np.float32([-0.0]))
    assert not same_bits(np.float32([0.0]), np.float64([0.0]))
    assert not same_bits(np.zeros(2), np.zeros((2, 1)))
