"""Sizes that are inferred hold in every run; what only a run tells is unknown, with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from onnx import helper

import onnxtile
from onnxtile.passes.infer_shapes import InferShapes
from tests.node_cases import (
    NodeCase,
    bare_model,
    changes,
    node_cases,
    resized,
    run_by_reference,
    runs_in_onnxruntime,
    shapes_that_differ,
)
from tests.support import FLOAT, parse

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
VARIANTS = [(constants, free) for constants in (False, True) for free in (False, True)]
INFO = helper.make_tensor_value_info
HEAD = '<ir_version: 10, opset_import: ["" : 20]>'


def inferred(case: NodeCase, constants: bool, free: bool) -> tuple[ir.Model, dict[str, int]]:
    model, sizes = bare_model(case, constants, free)
    InferShapes()(model)
    return model, sizes


def test_no_node_case_of_onnx_is_contradicted() -> None:
    """Each case of the backend suite, in one of four variants by turns (`long`: in all), against what comes out."""
    wrong, seen = [], 0
    for index, case in enumerate(node_cases()):
        for constants, free in VARIANTS if LONG else [VARIANTS[index % len(VARIANTS)]]:
            model, sizes = inferred(case, constants, free)
            wrong += [f"{case.name}: {words}" for words in shapes_that_differ(model, sizes, case.shapes)]
            seen += 1
    assert wrong == []
    assert seen >= 1_700


def test_other_sizes_contradict_no_node_case() -> None:
    """Hold inferred free dimensions against runs with other sizes; by `long` all cases, otherwise some."""
    wrong, ran, refused = [], 0, 0
    for case in node_cases()[:: 1 if LONG else 40]:
        for constants in (False, True):
            model, sizes = inferred(case, constants, free=True)
            for change in list(changes(list(sizes.values())))[: None if LONG else 3]:
                inputs, others = resized(case.inputs, sizes, change)
                real = run_by_reference(case.model, inputs)
                if real is None:
                    refused += 1
                    continue
                ran += 1
                words = list(shapes_that_differ(model, others, real))
                if words and runs_in_onnxruntime(case.model, inputs):
                    wrong.append(f"{case.name} with {others}: {words}")
    assert wrong == []
    assert ran > refused


def found(text: str, **constants: np.ndarray) -> dict[str, ir.Value]:
    """Infer the values of the main graph."""
    model = ir.from_proto(parse(f"{HEAD} {text}", **constants))
    InferShapes()(model)
    return {str(value.name): value for node in model.graph for value in node.outputs}


def test_calls_of_one_function_differ() -> None:
    """Show that value_info inside a function is believed of one call only."""
    model = parse(
        f"""{HEAD[:-1]}, "local": 1]>""".replace("]]", "]").replace("20]", "20")
        + """ g (float[N,9] x, float[2,9] z) => (float y, float q) { y = local.layer (x, w) q = local.layer (z, w) }
        <domain: "local", opset_import: ["" : 20]> layer (a, b) => (d) { c = Neg (a) d = MatMul (c, b) }""",
        w=np.ones((9, 10), np.float32),
    )
    model.functions[0].value_info.append(INFO("c", FLOAT, [1, 9]))
    assert [row.m for row in onnxtile.check(model, (4, 16, 16)).contractions] == ["N", 2]


def test_two_sources_that_contradict_leave_a_size_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of the library that is made to err is found out by onnx's."""
    from onnx_shape_inference import registry

    from onnxtile.passes.shape_inference import library

    def errs(context: object, node: ir.Node) -> None:
        node.outputs[0].shape = ir.Shape([3, 10])

    library.install()
    held: Callable[..., None] = library.held(errs)
    real = registry.get
    monkeypatch.setattr(
        registry, "get", lambda domain, op, version: held if op == "Relu" else real(domain, op, version)
    )
    text = "g (float[2,9] x) => (float y, float z) { r = Relu (x) y = Neg (r) z = MatMul (y, w) }"
    values = found(text, w=np.ones((9, 4), np.float32))
    assert str(values["y"].shape) == "[None,None]"
    assert values["z"].meta["onnxtile.unknown"] == (
        "onnx's inference finds 2 elements at Relu 'r', onnx_shape_inference 3"
    )
