"""Models on both sides of each size at which code does another thing: in the main graph, bodies and functions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.structure import KEPT_ELEMENTS
from tests.support import run_onnxruntime, whole

F32 = np.dtype(np.float32)
LIMITS = (16, 16, 16)
HEAD = """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>"""

PLACES = {
    "main graph": "g (float[3,4] x, bool c) => (float[3,N] y) { y = MatMul (x, w) }",
    "branches": """g (float[3,4] x, bool c) => (float[3,N] y) {
        y = If (c) <then_branch = t () => (r) { r = MatMul (x, w) }, else_branch = e () => (s) { s = MatMul (x, w) }>
    }""",
    "loop": """g (float[3,4] x, bool c) => (float[3,N] y) {
        n = Constant <value = int64 {2}> ()
        z = Constant <value = float {0}> ()
        start = Expand (z, shape)
        y = Loop (n, c, start) <body = b (int64 i, bool d, float[3,N] s) => (bool d2, float[3,N] q) {
            d2 = Identity (d)
            p = MatMul (x, w)
            q = Add (s, p)
        }>
    }""",
    "scan in a branch": """g (float[3,4] x, bool c) => (float[3,N] y) {
        y = If (c) <
            then_branch = t () => (float[3,N] r) {
                r = Scan <num_scan_inputs = 1, body = b (float[4] row) => (float[N] q) { q = MatMul (row, w) }> (x)
            }, else_branch = e () => (float[3,N] s) { s = MatMul (x, w) }>
    }""",
    "branches of a function": """g (float[3,4] x, bool c) => (float[3,N] y) { y = local.f (x, c) }
        <domain: "local", opset_import: ["" : 18]> f (a, d) => (y) {
        y = If (d) <then_branch = t () => (r) { r = MatMul (a, w) }, else_branch = e () => (s) { s = MatMul (a, w) }>
    }""",
}  # fmt: skip
"""Where a weight may be, and be read."""


def with_weight(place: str, columns: int) -> onnx.ModelProto:
    """A model whose weight `w` of 4 rows is an initializer of the innermost graphs that read it."""
    model = onnx.parser.parse_model(
        HEAD + PLACES[place].replace("[3,N]", f"[3,{columns}]").replace("[N]", f"[{columns}]")
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([3, columns]), "shape"))
    for index, graph in enumerate(readers_of("w", model)):
        graph.initializer.append(numpy_helper.from_array(whole([4, columns], F32, index), "w"))
    onnx.checker.check_model(model)
    return model


def readers_of(name: str, model: onnx.ModelProto) -> list[onnx.GraphProto]:
    waiting, readers = [model.graph], []
    bodies = [a.g for f in model.functions for n in f.node for a in n.attribute if a.HasField("g")]
    waiting += bodies
    while waiting:
        graph = waiting.pop()
        waiting += [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
        readers += [graph] if any(name in node.input for node in graph.node) else []
    return readers


@pytest.mark.parametrize("columns", [KEPT_ELEMENTS // 4, KEPT_ELEMENTS // 4 + 1])
@pytest.mark.parametrize("place", PLACES)
def test_weights_that_a_skeleton_keeps_and_weights_that_it_leaves_out(place: str, columns: int) -> None:
    model = with_weight(place, columns)
    feeds = {"x": whole([3, 4], F32, 9), "c": np.array(True)}
    report = onnxtile.check(model, LIMITS)
    assert not report.ok
    assert {(found.k, found.n) for found in report.contractions} == {(4, columns)}
    for form in ("unrolled", "batched", "loop", "function"):
        lowered = onnxtile.lower(model, LIMITS, form=form)
        for condition in (True, False):
            feeds["c"] = np.array(condition)
            np.testing.assert_array_equal(run_onnxruntime(lowered, feeds), run_onnxruntime(model, feeds))
        assert onnxtile.check(lowered, LIMITS).ok
        assert onnxtile.verify(model, lowered).equivalent
