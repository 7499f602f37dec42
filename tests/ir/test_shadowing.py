"""Names in bodies and functions: which are refused, and which are scopes of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import ModelError
from tests.support import parse, run_onnxruntime, whole

F32 = np.dtype(np.float32)
LIMITS = (2, 3, 4)
FORMS = ("unrolled", "batched", "loop", "function")
HEAD = """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>"""
ELSE = "else_branch = e () => (float[3,5] s) { s = MatMul (x, x2) }"
LOOP = "<body = b (int64 i, bool d, float[3,4] NAME) => (bool d2, float[3,4] o) { d2 = Not (d)  o = Neg (NAME) }>"


def model(body: str, weight: str = "") -> onnx.ModelProto:
    """A model with two inputs, a weight `x2` of 4 x 5 and what `body` says."""
    return parse(f"{HEAD} g (float[3,4] x, bool c) => (float[3,5] y) {weight} {{ {body} }}", x2=whole([4, 5], F32, 1))


SHADOWED = {
    "an initializer and one of the main graph": (
        f"y = If (c) <then_branch = t () => (float[3,5] r) <float[4,5] x2 = {{{', '.join(['2'] * 20)}}}> "
        f"{{ r = MatMul (x, x2) }}, {ELSE}>",
        "initializer 'x2' of then_branch of If 'y' of the main graph bears the name of initializer 'x2' of the main",
    ),
    "an initializer and a value before it": (
        f"w = Neg (x)  y = If (c) <then_branch = t () => (float[3,5] r) <float w = {{2}}> "
        f"{{ z = MatMul (x, x2)  r = Mul (z, w) }}, {ELSE}>",
        "initializer 'w' of then_branch of If 'y' of the main graph bears the name of value 'w' of Neg 'w' of the main",
    ),
    "the input of a body and a value before it": (
        f"s = Neg (x)  n = Constant <value = int64 {{2}}> ()  q = Loop (n, c, s) {LOOP.replace('NAME', 's')} "
        "y = MatMul (q, x2)",
        "input 's' of body of Loop 'q' of the main graph bears the name of value 's' of Neg 's' of the main graph",
    ),
    "the input of a body and one of the main graph": (
        f"n = Constant <value = int64 {{2}}> ()  q = Loop (n, c, x) {LOOP.replace('NAME', 'x')}  y = MatMul (q, x2)",
        "input 'x' of body of Loop 'q' of the main graph bears the name of input 'x' of the main graph",
    ),
    "an initializer two bodies deep": (
        f"y = If (c) <then_branch = t () => (float[3,5] r) <float w = {{2}}> {{ r = If (c) <then_branch = tt () => "
        f"(float[3,5] u) <float w = {{3}}> {{ p = MatMul (x, x2)  u = Mul (p, w) }}, else_branch = ee () => "
        f"(float[3,5] v) {{ v = MatMul (x, x2) }}> }}, {ELSE}>",
        "initializer 'w' of then_branch of If 'r' of then_branch of If 'y' of the main graph bears the name of "
        "initializer 'w' of then_branch of If 'y' of the main graph",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SHADOWED)
def test_a_name_that_can_be_read_from_outside_is_refused_with_both_places(case: str) -> None:
    body, words = SHADOWED[case]
    shadowed = model(body)
    for call in (lambda: onnxtile.lower(shadowed, LIMITS), lambda: onnxtile.check(shadowed, LIMITS)):
        with pytest.raises(ModelError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=words):
        onnxtile.verify(shadowed, shadowed)
    with pytest.raises(ModelError, match=words):
        onnxtile.lower(ir.from_proto(shadowed), LIMITS)


def test_a_name_inside_a_function_is_held_against_those_of_the_function() -> None:
    branches = "then_branch = t () => (r) <float p = {2}> { r = Mul (b, p) }, else_branch = e () => (s) { s = Neg (b) }"
    shadowed = parse(
        f"""{HEAD} g (float[3,4] x, bool c) => (float[3,5] y) {{ y = local.f (x, c, w) }}
        <domain: "local", opset_import: ["" : 18]> f (p, d, q) => (z) {{
            b = MatMul (p, q)  z = If (d) <{branches}>
        }}""",
        w=whole([4, 5], F32, 1),
    )
    with pytest.raises(ModelError, match=r"initializer 'p' of then_branch of If 'z' of function 'f' .* input 'p' of f"):
        onnxtile.lower(shadowed, LIMITS)


APART = {
    "branches beside each other": f"""{HEAD} g (float[3,4] x, bool c) => (float[3,5] y) {{
        y = If (c) <then_branch = t () => (float[3,5] r) {{ w = Neg (w0)  r = MatMul (x, w) }},
            else_branch = e () => (float[3,5] r) {{ w = Abs (w0)  r = MatMul (x, w) }}>
    }}""",
    "a branch and a value that comes later": f"""{HEAD} g (float[3,4] x, bool c) => (float[3,5] y) {{
        a = If (c) <then_branch = t () => (float[3,5] y) {{ w = Neg (w0)  y = MatMul (x, w) }},
            else_branch = e () => (float[3,5] r) {{ r = MatMul (x, w0) }}>
        w = Abs (w0)  b = MatMul (x, w)  y = Add (a, b)
    }}""",
    "a function and the main graph": f"""{HEAD} g (float[3,4] x, bool c) => (float[3,5] y) {{
        w = Abs (w0)  a = local.f (x, w0, c)  b = MatMul (x, w)  y = Add (a, b)
    }} <domain: "local", opset_import: ["" : 18]> f (x, y, d) => (a) {{
        w = Neg (y)  a = If (d) <then_branch = t () => (r) {{ b = MatMul (x, w)  r = Neg (b) }},
            else_branch = e () => (r) {{ b = MatMul (x, y)  r = Relu (b) }}>
    }}""",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", APART)
def test_scopes_that_may_use_the_same_names(case: str, form: str) -> None:
    taken = parse(APART[case], w0=whole([4, 5], F32, 1))
    lowered = onnxtile.lower(taken, LIMITS, form=form)
    onnx.checker.check_model(lowered)
    assert onnxtile.check(lowered, LIMITS).ok
    for condition in (True, False):
        feeds = {"x": whole([3, 4], F32, 2), "c": np.array(condition)}
        np.testing.assert_array_equal(run_onnxruntime(lowered, feeds)[0], run_onnxruntime(taken, feeds)[0])
    assert onnxtile.verify(taken, lowered).equivalent


COPIED = (
    "y = If (c) <then_branch = t () => (float[3,5] r) <float[1] k = {2}> { r = If (c) <"
    "then_branch = tt () => (float[3,5] u) <float[1] k = {2}> { p = MatMul (x, x2)  u = Mul (p, k) }, "
    "else_branch = ee () => (float[3,5] v) { v = MatMul (x, x2) }> }, else_branch = e () => (float[3,5] s) "
    "<float[1] k = {2}> { q = MatMul (x, x2)  s = Sub (q, k) }>"
)
OUTSIDE = "<float[1] k = {2}>"


def test_an_initializer_that_is_a_copy_of_the_one_outside_is_read_from_there(tmp_path: Path) -> None:
    copied = model(COPIED, OUTSIDE)
    before = copied.SerializeToString()
    lowered = onnxtile.lower(copied, LIMITS)
    assert copied.SerializeToString() == before
    onnx.checker.check_model(lowered)
    for condition in (True, False):
        feeds = {"x": whole([3, 4], F32, 2), "c": np.array(condition)}
        np.testing.assert_array_equal(run_onnxruntime(lowered, feeds)[0], run_onnxruntime(copied, feeds)[0])
    onnx.save(copied, tmp_path / "m.onnx")
    onnx.save(lowered, tmp_path / "l.onnx")
    assert onnxtile.check(tmp_path / "l.onnx", LIMITS).ok
    assert not onnxtile.check(tmp_path / "m.onnx", LIMITS).ok
    assert onnxtile.verify(tmp_path / "m.onnx", tmp_path / "l.onnx").proven


OTHER = {
    "another number": ("(float[3,5] r) <float[1] k = {2}>", "(float[3,5] r) <float[1] k = {3}>"),
    "another number, within": ("(float[3,5] u) <float[1] k = {2}>", "(float[3,5] u) <float[1] k = {3}>"),
    "the sign of zero": ("<float[1] k = {2}>", "<float[1] k = {-0.0}>"),
    "another shape": ("(float[3,5] r) <float[1] k = {2}>", "(float[3,5] r) <float k = {2}>"),
    "an output of the body": ("(float[3,5] s)", "(float[1] k)"),
}


@pytest.mark.parametrize("case", OTHER)
def test_what_only_looks_like_a_copy_is_refused(case: str) -> None:
    other = model(COPIED.replace(*OTHER[case]), OUTSIDE if case != "the sign of zero" else "<float[1] k = {0.0}>")
    with pytest.raises(ModelError, match="bears the name of"):
        onnxtile.lower(other, LIMITS)


def test_what_a_caller_may_replace_has_no_copies() -> None:
    fed = model(COPIED, OUTSIDE)
    fed.graph.input.append(onnx.helper.make_tensor_value_info("k", onnx.TensorProto.FLOAT, [1]))
    with pytest.raises(ModelError, match="initializer 'k' of then_branch .* bears the name of initializer 'k' of the"):
        onnxtile.lower(fed, LIMITS)
