"""Declared shapes are claims: they count only where nobody has a rule."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from tests.passes.shape_inference.test_infer import HEAD, INFO
from tests.support import FLOAT, parse, run_onnxruntime

FORMS = ("unrolled", "batched", "loop", "function")


def stale(claim: list[int | str | None]) -> onnx.ModelProto:
    """Two products of N rows, between which value_info says something else."""
    model = parse(
        f"{HEAD} g (float[N,9] x) => (float[N,7] y) {{ h = MatMul (x, w) a = Relu (h) y = MatMul (a, v) }}",
        w=np.ones((9, 10), np.float32),
        v=np.ones((10, 7), np.float32),
    )
    model.graph.value_info.extend([INFO("h", FLOAT, claim), INFO("a", FLOAT, claim)])
    return model


@pytest.mark.parametrize("claim", [[1, 10], ["M", None], ["M", 10], [3, "K"], [0, 10]], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_declared_shapes_that_are_stale_count_for_nothing(claim: list[int | str | None], form: str) -> None:
    model = stale(claim)
    rows = onnxtile.check(model, (4, 16, 16)).contractions
    assert [(row.m, row.k, row.n, row.status) for row in rows] == [("N", 9, 10, "unknown"), ("N", 10, 7, "unknown")]
    lowered = onnxtile.lower(model, (4, 4, 4), form=form)
    x = np.arange(54, dtype=np.float32).reshape(6, 9)
    np.testing.assert_array_equal(run_onnxruntime(lowered, {"x": x})[0], run_onnxruntime(model, {"x": x})[0])


def test_a_declared_shape_that_holds_is_kept() -> None:
    model = stale(["N", 10])
    lowered = onnxtile.lower(model, (4, 4, 4), form="batched")
    assert list(lowered.graph.value_info)[:2] == list(model.graph.value_info)


def test_the_word_of_an_operator_that_nobody_knows_is_taken() -> None:
    graph = helper.make_graph(
        [helper.make_node("Own", ["x"], ["h"], domain="own"), helper.make_node("MatMul", ["h", "w"], ["y"], "p")],
        "g",
        [INFO("x", FLOAT, ["N", 9])],
        [INFO("y", FLOAT, None)],
        [numpy_helper.from_array(np.ones((10, 7), np.float32), "w")],
        value_info=[INFO("h", FLOAT, [5, 10])],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    row = next(row for row in onnxtile.check(model, (8, 16, 16)).contractions if row.name == "p")
    assert (row.m, row.k, row.n, row.status) == (5, 10, 7, "fits")
