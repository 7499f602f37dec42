"""Nodes inside local functions are named after the calls."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from onnxtile.debugging.capture.call_inlining import inline_calls
from onnxtile.errors import UsageError
from onnxtile.ir.io.load import from_proto
from tests.debugging.capture.test_capture import F32, FORMS, HEAD, same
from tests.support import parse, whole


@pytest.mark.parametrize("form", FORMS)
def test_products_inside_functions(form: str) -> None:
    """Two calls of a function that calls another; names tell the calls apart, lowered or not."""
    model = parse(
        f"""{HEAD} g (float[6,6] x, float[6,6] w) => (float[6,6] y) {{
            [l1] a = local.layer (x, w)  [l2] y = local.layer (a, w) }}
        <domain: "local", opset_import: ["" : 20, "local" : 1]> layer (x, w) => (z) {{
            [fc] h = MatMul (x, w)  [inner] k = local.act (h)  [add] z = Add (k, h) }}
        <domain: "local", opset_import: ["" : 20]> act (x) => (z) {{ [abs] t = Abs (x)  [neg] z = Neg (t) }}"""
    )
    x = {"x": whole([6, 6], F32, 1), "w": whole([6, 6], F32, 2)}
    lowered = onnxtile.lower(model, (2, 4, 4), form=form)
    h = x["x"] @ x["w"]
    for each in (model, lowered):
        both = onnxtile.capture(each, name="fc", inputs=x)
        assert list(both) == ["l1/h", "l2/h"]
        same({"l1/h": h}, onnxtile.capture(each, name="l1/fc", inputs=x))
        same({"l1/inner/t": abs(h)}, onnxtile.capture(each, name="l1/*/abs", inputs=x))
        same({"l1/k": -abs(h)}, onnxtile.capture(each, name="l1/inner", inputs=x))
        same({"a": h - abs(h)}, onnxtile.capture(each, name="l1", inputs=x))
        assert list(onnxtile.capture(each, op="act", inputs=x)) == ["l1/k", "l2/k"]
        assert list(onnxtile.capture(each, op="local::act", name="l2/*", inputs=x)) == ["l2/k"]


def test_a_function_that_means_another_thing_in_the_models_opset_stays_and_is_told() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>
        g (float[2] x, bool k) => (float[1] y) { [call] h = local.f (x, k)  [neg] y = Neg (h) }
        <domain: "local", opset_import: ["" : 17]> f (x, k) => (z) {
            z = If (k) <then_branch = t () => (d) { d = ReduceMax <axes = [0]> (x) },
                        else_branch = e () => (f) { f = ReduceMin <axes = [0]> (x) }>
        }"""
    )
    with pytest.raises(UsageError, match=r"If 'z' is in local function local::f, of another opset than the model's"):
        onnxtile.capture(model, op="If", inputs={"x": np.zeros(2, F32), "k": np.array(True)})


def test_a_call_in_a_function_that_stays_is_listed_with_it() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>
        g (float[2] x, bool k) => (float[1] y) { [call] h = local.f (x, k)  [neg] y = Neg (h) }
        <domain: "local", opset_import: ["" : 17, "local" : 1]> f (x, k) => (z) {
            [act] a = local.act (x)
            z = If (k) <then_branch = t () => (d) { d = ReduceMax <axes = [0]> (a) },
                        else_branch = e () => (f) { f = ReduceMin <axes = [0]> (a) }>
        }
        <domain: "local", opset_import: ["" : 18]> act (x) => (z) { [abs] z = Abs (x) }"""
    )
    loaded = from_proto(model)
    calls = {call.name: call.reason for call in inline_calls(loaded)}
    assert calls == {"act": "is in local function local::f, of another opset than the model's; inline it first"}
    assert [function.name for function in loaded.functions.values()] == ["f"]


def test_a_function_of_another_version_is_looked_into() -> None:
    model = parse(
        f"""{HEAD} g (float[2] x) => (float[2] y) {{ [call] h = local.f (x)  [neg] y = Neg (h) }}
        <domain: "local", opset_import: ["" : 18]> f (x) => (z) {{ [abs] z = Abs (x) }}"""
    )
    assert list(onnxtile.capture(model, name="call")) == ["h"]
    assert list(onnxtile.capture(model, name="call/abs")) == ["h"]


def test_a_function_that_gives_its_input_back_and_leaves_an_output_out() -> None:
    model = parse(
        f"""{HEAD} g (float[2] x) => (float[2] y) {{ [call] p, q = local.f (x)  y = Add (p, q) }}
        <domain: "local", opset_import: ["" : 20]> f (x) => (x, z) {{ [drop] z, = Dropout (x) }}"""
    )
    fed = {"x": np.array([1, 2], F32)}
    found = onnxtile.capture(model, name="*", inputs=fed)
    assert sorted(found) == ["p", "q", "y"]
    np.testing.assert_array_equal(found["p"], fed["x"])
