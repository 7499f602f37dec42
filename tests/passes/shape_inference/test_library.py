"""Our rules are put into onnx_shape_inference by a call, not by an import; equal nodes are inferred alike."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx_ir as ir
import pytest
from onnx_shape_inference import registry

import onnxtile
from onnxtile.errors import ModelError
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.shape_inference.library import install
from tests.support import parse

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'

IMPORTS_ALL = """
import importlib, pkgutil
from onnx_shape_inference import ShapeInferenceContext, registry

def rules():
    operators = [(domain, op, version) for domain, op, since in registry.iter_supported() for version in since]
    methods = ShapeInferenceContext.get_symbolic_value, ShapeInferenceContext.set_symbolic_value
    return [(*operator, registry.get(*operator)) for operator in operators], methods

before = rules()
import onnxtile
for module in pkgutil.walk_packages(onnxtile.__path__, "onnxtile."):
    if not module.name.startswith(("onnxtile.torch_frontend.", "onnxtile.__main__")):  # torch may be absent
        importlib.import_module(module.name)
from onnxtile.passes.shape_inference.library import install
assert rules() == before, "an import changed the library"
install()
assert rules() != before
"""


def test_an_import_leaves_the_library_as_it_was() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS_ALL], check=True, timeout=120)


def test_rules_are_installed_once() -> None:
    install()
    rule = registry.get("", "MatMul", 13)
    install()
    assert registry.get("", "MatMul", 13) is rule


def test_nodes_of_equal_shapes_that_compute_sizes_give_each_its_own() -> None:
    proto = parse(
        """<ir_version: 10, opset_import: ["" : 20]> g (float[6] x) => (float[p, q] y, float[r, s] z) <
           int64[2] one = {1, 1}, int64[2] a = {1, 2}, int64[2] b = {2, 1}> {
           c = Add (one, a)  d = Add (one, b)  y = Reshape (x, c)  z = Reshape (x, d) }"""
    )
    model = ir.from_proto(proto)
    InferShapes()(model)
    assert [list(value.shape or ()) for value in model.graph.outputs] == [[2, 3], [3, 2]]


def test_equal_products_have_one_shape_and_others_another() -> None:
    proto = parse(
        """<ir_version: 10, opset_import: ["" : 20]> g (float[2,3] x, float[3,4] w, float[3,5] v) => (float[m,n] y) {
           a = MatMul (x, w)  b = MatMul (x, w)  c = MatMul (x, v)  d = Add (a, b)  e = Add (a, d)
           y = Concat <axis = 1> (c, e) }"""
    )
    model = ir.from_proto(proto)
    InferShapes()(model)
    shapes = {value.name: list(value.shape or ()) for node in model.graph for value in node.outputs}
    assert shapes == {"a": [2, 4], "b": [2, 4], "c": [2, 5], "d": [2, 4], "e": [2, 4], "y": [2, 9]}
    assert {value.dtype for node in model.graph for value in node.outputs} == {ir.DataType.FLOAT}


def test_a_branch_that_is_never_taken_may_contradict_itself() -> None:
    """As the one for another sampling rate does where the number of samples is bound."""
    taken, other = "t () => (float y1) { y1 = MatMul (x, w) }", "e () => (float y2) { y2 = Add (x, v) }"
    text = f"g (float[2,3] x, bool c) => (float y) {{ y = If (c) <then_branch = {taken}, else_branch = {other}> }}"
    model = parse(f"{HEAD} {text}", w=np.ones((3, 5), np.float32), v=np.ones((2, 4), np.float32))
    lowered, report = onnxtile.lower(model, (2, 2, 2), report=True)
    assert report.ok and [row.size.axes for row in report.having("tiled")] == [(2, 3, 5)]
    assert onnxtile.check(lowered, (2, 2, 2)).ok


def test_the_main_graph_may_not() -> None:
    model = parse(f"{HEAD} g (float[2,3] x) => (float y) {{ y = Add (x, v) }}", v=np.ones((2, 4), np.float32))
    with pytest.raises(ModelError, match="the model's shapes contradict"):
        onnxtile.check(model, (2, 2, 2))
