"""Products wherever a model may hold them: bodies of nodes and local functions, one in the other, to any depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.errors import ModelError
from tests.support import FORMS, assert_verified, parse, run_onnxruntime, run_reference, whole

F32 = np.dtype(np.float32)
LIMITS = (2, 3, 4)
HEAD = """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>"""


ENGINES = (run_reference, run_onnxruntime)


def lowered_alike(
    model: onnx.ModelProto, form: str = "unrolled", engines: tuple[Any, ...] = ENGINES, **feeds: np.ndarray
) -> onnx.ModelProto:
    """The lowered model, after it has been checked, and compared in both engines."""
    lowered = onnxtile.lower(model, LIMITS, form=form)
    onnx.checker.check_model(lowered)
    report = onnxtile.check(lowered, LIMITS)
    assert report.ok, report.contractions
    for run in engines:
        for want, got in zip(run(model, feeds), run(lowered, feeds), strict=True):
            np.testing.assert_array_equal(got, want)
    assert_verified(model, lowered)
    return lowered


@pytest.mark.parametrize("form", FORMS)
def test_a_function_that_is_called_alike_stays_one(form: str) -> None:
    model = parse(
        f"""{HEAD} g (float[5,7] x) => (float[5,7] z) {{ y = local.layer (x, w)  z = local.layer (y, w) }}
        <domain: "local", opset_import: ["" : 18]> layer (a, b) => (c) {{ c = MatMul (a, b) }}""",
        w=whole([7, 7], F32, 1),
    )
    lowered = lowered_alike(model, form, x=whole([5, 7], F32, 2))
    assert [function.name for function in lowered.functions if function.domain == "local"] == ["layer"]
    assert [node.op_type for node in lowered.graph.node] == ["layer", "layer"]


@pytest.mark.parametrize("form", FORMS)
def test_a_copy_for_each_signature(form: str) -> None:
    model = parse(
        f"""{HEAD} g (float[5,7] x, float[6,7] y) => (float[5,8] r, float[6,8] s, float[5,8] t) {{
            r = local.layer <scale: float = 2.0> (x, w)
            s = local.layer <scale: float = 2.0> (y, w)
            t = local.layer <scale: float = -1.0> (x, w)
        }}
        <domain: "local", opset_import: ["" : 18]> layer <scale> (a, b) => (c) {{
            c = Gemm <alpha: float = @scale> (a, b)
        }}""",
        w=whole([7, 8], F32, 1),
    )
    lowered = lowered_alike(model, form, x=whole([5, 7], F32, 2), y=whole([6, 7], F32, 3))
    names = [function.name for function in lowered.functions if function.domain == "local"]
    assert sorted(names) == ["layer", "layer_2", "layer_3"]


@pytest.mark.parametrize("form", FORMS)
def test_functions_of_functions_and_constants_inside(form: str) -> None:
    model = parse(
        f"""{HEAD} g (float[3,4] x) => (float[3,2] z) {{ z = local.outer (x) }}
        <domain: "local", opset_import: ["" : 18]> inner (p, q) => (r) {{ s = MatMul (p, q)  r = Relu (s) }}
        <domain: "local", opset_import: ["" : 18, "local" : 1]> outer (a) => (c) {{
            w = Constant <value: tensor = float[4,5] {{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20}}> ()
            v = Constant <value: tensor = float[5,2] {{1,2,3,4,5,6,7,8,9,10}}> ()
            b = local.inner (a, w)  c = local.inner (b, v)
        }}"""
    )
    lowered_alike(model, form, x=whole([3, 4], F32, 2))


@pytest.mark.parametrize("form", FORMS)
def test_a_weight_inside_a_function_is_cut_there(form: str) -> None:
    model = parse(
        f"""{HEAD} g (float[3,4] x) => (float[3,5] z) {{ z = local.layer (x) }}
        <domain: "local", opset_import: ["" : 18]> layer (a) => (c) {{
            w = Constant <value: tensor = float[4,5] {{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20}}> ()
            c = MatMul (a, w)
        }}"""
    )
    lowered = lowered_alike(model, form, x=whole([3, 4], F32, 2))
    (layer,) = (function for function in lowered.functions if function.name == "layer")
    assert "w" not in {name for node in layer.node for name in node.output} or form == "function"


def test_bodies_inside_functions_and_functions_inside_bodies() -> None:
    body = "then_branch = t () => (r) { r = local.inner (a, b) }, else_branch = e () => (s) { s = MatMul (a, b) }"
    model = parse(
        f"""{HEAD} g (float[3,4] x, bool c) => (float[3,5] z) {{ z = local.outer (x, w, c) }}
        <domain: "local", opset_import: ["" : 18]> inner (p, q) => (r) {{ r = MatMul (p, q) }}
        <domain: "local", opset_import: ["" : 18, "local" : 1]> outer (a, b, c) => (d) {{ d = If (c) <{body}> }}""",
        w=whole([4, 5], F32, 1),
    )
    for condition in (True, False):
        lowered_alike(model, x=whole([3, 4], F32, 2), c=np.array(condition))


def test_a_sequence_map() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[3,4] x, float[3,4] y) => (float[3,5] p, float[3,5] q) {
            s = SequenceConstruct (x, y)
            t = SequenceMap (s) <body = b (float[3,4] a) => (float[3,5] c) { c = MatMul (a, w) }>
            zero = Constant <value: tensor = int64 {0}> ()
            one = Constant <value: tensor = int64 {1}> ()
            p = SequenceAt (t, zero)
            q = SequenceAt (t, one)
        }""",
        w=whole([4, 5], F32, 1),
    )
    # the reference evaluator's SequenceMap doesn't see values from outside its body
    lowered_alike(model, engines=(run_onnxruntime,), x=whole([3, 4], F32, 2), y=whole([3, 4], F32, 3))


@pytest.mark.parametrize("form", FORMS)
def test_calls_that_leave_inputs_out(form: str) -> None:
    model = parse(
        f"""{HEAD} g (float[3,4] x) => (float[3,5] y, float[3,5] z) {{
            y = local.layer (x, w)
            z = local.layer (x, w, v)
        }}
        <domain: "local", opset_import: ["" : 18]> layer (a, b, c) => (d) {{ d = Gemm (a, b, c) }}""",
        w=whole([4, 5], F32, 1),
        v=whole([5], F32, 2),
    )
    # the reference evaluator wants all inputs
    lowered_alike(model, form, engines=(run_onnxruntime,), x=whole([3, 4], F32, 3))


def test_functions_that_call_themselves_are_refused() -> None:
    model = onnx.parser.parse_model(
        f"""{HEAD} g (float[3,4] x) => (float[3,5] z) {{ z = local.layer (x) }}
        <domain: "local", opset_import: ["" : 18, "local" : 1]> layer (a) => (d) {{ b = Concat <axis=0> (a, a)
            c = MatMul (b, b)  d = local.layer (c) }}"""
    )
    with pytest.raises(ModelError, match="local functions call each other in a circle"):
        onnxtile.lower(model, LIMITS)


def test_a_function_called_in_two_ways_one_inside_another_function() -> None:
    model = parse(
        f"""{HEAD} g (float[6,10] x, float[10,7] w, float[10,6] z, float[10,11] v) => (float[6,7] y, float[6,11] u) {{
            y = local.turned <order = [0, 1]> (x, w)
            u = local.outer (z, v)
        }}
        <domain: "local", opset_import: ["" : 18]> turned <order> (a, b) => (c) {{
            t = Transpose <perm: ints = @order> (a)
            c = MatMul (t, b)
        }}
        <domain: "local", opset_import: ["" : 18, "local" : 1]> outer (a, b) => (c) {{
            t = local.turned <order = [1, 0]> (a, b)
            c = Relu (t)
        }}"""
    )
    shapes = {"x": [6, 10], "w": [10, 7], "z": [10, 6], "v": [10, 11]}
    lowered_alike(model, **{name: whole(shape, F32, seed) for seed, (name, shape) in enumerate(shapes.items())})


def test_functions_of_one_name_in_two_domains_and_one_that_nobody_calls() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18, "one" : 1, "two" : 1]>
        g (float[6,10] x, float[10,7] w, float[9,10] z) => (float[6,7] y, float[9,7] u) {
            y = one.f (x, w)
            u = two.f (z, w)
        }
        <domain: "one", opset_import: ["" : 18]> f (a, b) => (c) { c = MatMul (a, b) }
        <domain: "two", opset_import: ["" : 18]> f (a, b) => (c) { t = MatMul (a, b)  c = Relu (t) }
        <domain: "two", opset_import: ["" : 18]> idle (a, b) => (c) { c = MatMul (a, b) }"""
    )
    feeds = {"x": whole([6, 10], F32, 1), "w": whole([10, 7], F32, 2), "z": whole([9, 10], F32, 3)}
    lowered = lowered_alike(model, **feeds)
    assert {(function.domain, function.name) for function in lowered.functions} == {
        ("one", "f"),
        ("two", "f"),
        ("two", "idle"),
    }


def test_a_function_that_means_another_thing_in_the_models_opset() -> None:
    """onnx's checker doesn't look into its body, where ReduceMax isn't what the model's opset has."""
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18, "local" : 1]>
        g (float[5,7] x, float[7,6] w, bool k) => (float[1,6] y) { y = local.layer (x, w, k) }
        <domain: "local", opset_import: ["" : 17]> layer (a, b, k) => (c) {
            c = If (k) <then_branch = t () => (d) { m = ReduceMax <axes = [0]> (a)  d = MatMul (m, b) },
                        else_branch = e () => (f) { n = ReduceMin <axes = [0]> (a)  f = MatMul (n, b) }>
        }"""
    )
    assert onnxtile.lower(model, (5, 7, 6)) == model
    reasons = {row.reason for row in onnxtile.estimate(model, LIMITS)[0].contractions}
    assert reasons == {
        "opset: its function is written in opset 17, the model in 18; "
        "convert the model (onnx.version_converter) so that both are the same"
    }
