"""Lowered models that look right and aren't: verify believes none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.errors import ModelError

W = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
HEAD = '<ir_version: 8, opset_import: ["" : 17]>'


def model(text: str, **constants: Any) -> onnx.ModelProto:
    """Not checked: some aren't valid."""
    made = onnx.parser.parse_model(f"{HEAD} {text}")
    for node in made.graph.node:
        node.ClearField("domain")
    for name, array in constants.items():
        made.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return made


def product(body: str, **constants: Any) -> onnx.ModelProto:
    return model("g (float[2,8] x) => (float[2,4] y) {" + body + "}", w=W, **constants)


def wrong(original: onnx.ModelProto, lowered: onnx.ModelProto, folder: Path) -> bool:
    """By their files, as the command line does; a file that isn't a model is an error."""
    for name, each in (("a.onnx", original), ("b.onnx", lowered)):
        (folder / name).write_bytes(each.SerializeToString())
    return not onnxtile.verify(folder / "a.onnx", folder / "b.onnx").equivalent


ORIGINAL = product("y = MatMul (x, w)")


@pytest.mark.parametrize(
    "body",
    [
        "t = MatMul (x, w)  y = Round (t)",
        "t = MatMul (x, w)  y = Floor (t)",
        "t = MatMul (x, w)  i = Cast <to = 6> (t)  y = Cast <to = 1> (i)",
        "n = Cast <to = 10> (x)  f = Cast <to = 1> (n)  y = MatMul (f, w)",
        "n = Cast <to = 16> (x)  f = Cast <to = 1> (n)  y = MatMul (f, w)",
        "n = Cast <to = 3> (x)  f = Cast <to = 1> (n)  y = MatMul (f, w)",
        "i = Constant <value_int = 2000> ()  c = Cast <to = 1> (i)  n = Neg (c)  l = Clip (x, n, c)  y = MatMul (l, w)",
        "t = MatMul (x, w)  c = Constant <value_float = 0.000001> ()  y = Add (t, c)",
        "d = Div (x, x)  e = Mul (d, x)  y = MatMul (e, w)",
        "t = MatMul (x, w)  n = IsNaN (t)  z = Sub (t, t)  y = Where (n, z, t)",
        "s = Abs (x)  y = MatMul (s, w)",
    ],
)
def test_what_small_whole_numbers_do_not_show(body: str, tmp_path: Path) -> None:
    assert wrong(ORIGINAL, product(body), tmp_path)


@pytest.mark.parametrize("op", ["Sign", "Reciprocal"])
def test_numbers_of_magnitude_one_are_no_loophole(op: str, tmp_path: Path) -> None:
    head = "g (float16[2,512] x) => (float16[2,4] y)"
    ones = np.ones((512, 4), np.float16)
    original = model(head + "{ y = MatMul (x, w) }", w=ones)
    assert wrong(original, model(head + "{ s = " + op + " (x)  y = MatMul (s, w) }", w=ones), tmp_path)


def test_a_constant_is_not_a_node_of_its_name(tmp_path: Path) -> None:
    for body in (
        "w = Constant <value_floats = [1.0]> ()  y = MatMul (x, w)",
        "s = Constant <value_ints = [8, 4]> ()  v = ConstantOfShape (s)  w = Identity (v)  y = MatMul (x, w)",
    ):
        lowered = product(body)
        del lowered.graph.initializer[:]
        assert wrong(ORIGINAL, lowered, tmp_path)


def test_outputs_that_are_constants_are_compared(tmp_path: Path) -> None:
    text = "g (float[2] x) => (float[2] c, float[2] y) { y = Relu (x) }"
    ones, zeros = (model(text, c=make([2], np.float32)) for make in (np.ones, np.zeros))
    assert not wrong(ones, ones, tmp_path)
    assert wrong(ones, zeros, tmp_path)
    assert wrong(ones, model("g (float[2] x) => (float[2] c, float[2] y) { c = Abs (x)  y = Relu (x) }"), tmp_path)


def test_sparse_constants_are_compared(tmp_path: Path) -> None:
    def sparse(value: float) -> onnx.ModelProto:
        made = model("g (float[3] x) => (float[3] y) { y = Add (x, w) }")
        values = helper.make_tensor("w", 1, [1], [value])
        made.graph.sparse_initializer.append(
            helper.make_sparse_tensor(values, helper.make_tensor("i", 7, [1], [2]), [3])
        )
        return made

    assert not wrong(sparse(1), sparse(1), tmp_path)
    assert wrong(sparse(1), sparse(5), tmp_path)


def test_bodies_of_our_own_functions_are_compared(tmp_path: Path) -> None:
    lowered = onnxtile.lower(ORIGINAL, (2, 4, 4), form="function")
    changed = onnx.ModelProto()
    changed.CopyFrom(lowered)
    nodes = changed.functions[0].node
    output, nodes[-1].output[0] = nodes[-1].output[0], "negated"
    nodes.append(helper.make_node("Neg", ["negated"], [output]))
    assert not wrong(lowered, lowered, tmp_path)
    assert wrong(lowered, changed, tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("g (float[2] x) => (float[2] b) { z = Sub (b, b)  a = Add (x, z)  b = Abs (a) }", "b"),
        ("g (float[2] x) => (float[2] b) { x = Neg (x)  b = Relu (x) }", "x"),
        ("g (float[2] x) => (float[2] b) { b = Relu (x)  u = Abs (zzz) }", "zzz"),
    ],
)
def test_a_lowered_file_that_is_no_model_is_refused(text: str, words: str, tmp_path: Path) -> None:
    original = model("g (float[2] x) => (float[2] b) { b = Relu (x) }")
    with pytest.raises(ModelError, match=words):
        wrong(original, model(text), tmp_path)


def test_a_lowered_model_has_to_make_every_output(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'y'"):
        wrong(product("y = MatMul (x, w)  u = Abs (x)"), product("u = Abs (x)"), tmp_path)


def test_free_dimensions_are_tried_in_different_sizes(tmp_path: Path) -> None:
    head = "g (float[N,8] x) => (float[N,4] y)"
    original = model(head + "{ y = MatMul (x, w) }", w=W)
    for size in (2, 3):
        reshaped = model(head + "{ t = Reshape (x, s)  y = MatMul (t, w) }", w=W, s=np.array([size, 8]))
        assert wrong(original, reshaped, tmp_path)
    two = "g (float[N,8] x, float[M,4] z) => (float[K,4] y)"
    mixed = """{ h = Shape (z)  n = Gather (h, d)  u = Slice (x, d, n, d)  t = MatMul (u, w)  y = Add (t, z) }"""
    plain = model(two + "{ t = MatMul (x, w)  y = Add (t, z) }", w=W)
    assert wrong(plain, model(two + mixed, w=W, d=np.array([0])), tmp_path)


def test_a_size_that_the_lowered_model_fixes_has_to_be_bound(tmp_path: Path) -> None:
    original = model("g (float[N,8] x) => (float[N,4] y) { y = MatMul (x, w) }", w=W)
    fixed = model("g (float[3,8] x) => (float[3,4] y) { y = MatMul (x, w) }", w=W)
    verdict = onnxtile.verify(original, fixed)
    assert not verdict.equivalent and "if that's meant, say so: --bind N=3" in str(verdict.reason)
    assert onnxtile.verify(original, fixed, bind={"N": 3}).equivalent


def test_defaults_of_inputs_are_no_constants(tmp_path: Path) -> None:
    original = model("g (float[2,8] x, float[8,4] w) => (float[2,4] y) { y = MatMul (x, w) }", w=W)
    assert wrong(original, ORIGINAL, tmp_path)
    assert wrong(
        original, model("g (float[2,8] x, float[8,4] w) => (float[2,4] y) { y = MatMul (x, w) }", w=-W), tmp_path
    )


def test_types_that_are_no_tensors_are_compared(tmp_path: Path) -> None:
    one, other = (
        model(f"g (seq({kind}[N]) x) => (seq({kind}[N]) y) {{ y = Identity (x) }}") for kind in ("float", "int64")
    )
    assert wrong(one, other, tmp_path)


def test_metadata_is_no_size(tmp_path: Path) -> None:
    lowered = model("g (float[N,8] x) => (float[N,4] y) { t = Identity (x)  y = MatMul (t, w) }", w=W)
    original = model("g (float[N,8] x) => (float[N,4] y) { y = MatMul (x, w) }", w=W)
    for text in ("m400000000,k1,n1", "m" + "9" * 5000 + ",k1,n1", "m0:" + "9" * 5000 + ",k0:1,n0:1"):
        del lowered.graph.node[1].metadata_props[:]
        lowered.graph.node[1].metadata_props.add(key="onnxtile.tile", value=text)
        assert not wrong(original, lowered, tmp_path)


def test_other_rewrites_are_no_faults(tmp_path: Path) -> None:
    """Prove models that other tools rewrote, and models without our metadata."""
    transposed = product("t = Transpose <perm = [1, 0]> (v)  y = MatMul (x, t)", v=np.ascontiguousarray(W.T))
    assert not wrong(transposed, ORIGINAL, tmp_path)
    twice = product("t = MatMul (x, w)  u = MatMul (x, w)  y = Add (t, u)")
    assert not wrong(twice, product("t = MatMul (x, w)  y = Add (t, t)"), tmp_path)
    assert wrong(twice, product("t = MatMul (x, w)  y = Mul (t, t)"), tmp_path)
    lowered = onnxtile.lower(ORIGINAL, (2, 4, 4))
    for node in lowered.graph.node:
        del node.metadata_props[:]
    assert not wrong(ORIGINAL, lowered, tmp_path)
    scaled = product("y = Gemm <alpha = 0.1, transA = 0> (x, w)")
    verdict = onnxtile.verify(scaled, onnxtile.lower(scaled, (2, 4, 4)))
    assert [region.status for region in verdict.regions] == ["proven"]
