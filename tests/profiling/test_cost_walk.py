"""Bodies count times their trips, an If as a range, calls one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

import onnxtile
from onnxtile.ir.symbolic.amounts import Range, Unknown
from tests.profiling.test_profile import model
from tests.support import FLOAT, parse


def row(profile: onnxtile.Profile, name: str) -> Any:
    (found,) = [node for node in profile.nodes if name in (node.name, *node.name.split("/"))]
    return found


W = np.ones((4, 4), np.float32)


def loop(trips: str, condition: str, inputs: str = "", after: str = "Identity (go)") -> onnxtile.Profile:
    text = f"""(float[4,4] x{inputs}) => (float[4,4] y) {{
        always = Constant <value = bool {{1}}> () five = Constant <value_int = 5> () zero = Constant <value_int = 0> ()
        shape = Shape (x) first = Gather (shape, zero)
        y = Loop ({trips}, {condition}) <body = b (int64 i, bool go, float[4,4] s) => (bool on, float[4,4] t)
        {{ on = {after} t = MatMul (s, W) }}> }}"""
    return onnxtile.profile(model(text.replace(f"Loop ({trips}, {condition})", f"Loop ({trips}, {condition}, x)"), W=W))


def test_a_loop_runs_its_body_so_often() -> None:
    assert loop("five", "always").totals.macs == 5 * 64
    assert row(loop("five", "always"), "t").times == 5
    assert loop("first", "always").totals.macs == 4 * 64
    assert loop("zero", "always").totals.macs == 0
    fed = loop("n", "always", ", int64 n")
    assert (str(fed.totals.macs), fed.symbols) == ("64*n", {"n": "the number that 'n' holds"})
    assert loop("five", "c", ", bool c").totals.macs == Range(0, 5 * 64)
    ends = loop("five", "always", after="Not (go)")
    assert ends.totals.macs == Range(64, 5 * 64)  # it's true before the first run
    endless = loop("", "c", ", bool c", after="Not (go)")
    assert endless.totals.macs == Range(0, None)
    assert row(endless, "t").unknown["macs"] == "its condition, computed at run time, ends it"


def test_a_scan_runs_once_for_each_element() -> None:
    text = """(float[4,4] x, float[N,4,4] ws) => (float[4,4] y) {
        y = Scan <num_scan_inputs = 1, body = b (float[4,4] s, float[4,4] w) => (float[4,4] t) { t = MatMul (s, w) }>
        (x, ws) }"""
    assert str(onnxtile.profile(model(text)).totals.macs) == "64*N"
    assert onnxtile.profile(model(text), bind={"N": 3}).totals.macs == 192
    stacked = model(text.replace(", float[N,4,4] ws", ""), ws=np.ones((3, 4, 4), np.float32))
    found = onnxtile.profile(stacked)
    assert (found.totals.macs, found.totals.params, row(found, "t").params) == (192, 48, 16)


def test_an_if_is_its_least_and_its_most() -> None:
    text = """(float[4,4] x, bool c) => (float[4,4] y) {
        y = If (c) <then_branch = t () => (float[4,4] p) { p = MatMul (x, W) },
        else_branch = e () => (float[4,4] r) { q = MatMul (x, W) r = MatMul (q, W) }> }"""
    found = onnxtile.profile(model(text, W=W))
    assert found.totals.macs == Range(64, 128)
    assert found.totals.flops == Range(128, 256)
    assert (row(found, "p").times, row(found, "p").macs) == (Range(0, 1), Range(0, 64))
    assert found.totals.params == 16
    constant = model(text.replace(", bool c", "").replace("{\n", "{ c = Constant <value = bool {0}> ()\n", 1), W=W)
    known = onnxtile.profile(constant)
    assert (known.totals.macs, row(known, "p").times) == (128, 0)


def test_calls_of_a_function_are_counted_one_by_one() -> None:
    calls = parse("""
        <ir_version: 8, opset_import: ["" : 18, "f" : 1]>
        g (float[2,4] x, float[4,4] w, float[5,4] z) => (float[2,4] y, float[5,4] v) {
            a = f.layer (x, w) y = f.layer (a, w) v = f.layer (z, w) }
        <opset_import: ["" : 18], domain: "f"> layer (a, b) => (c) { c = MatMul (a, b) }
    """)
    found = onnxtile.profile(calls)
    assert [node.macs for node in found.nodes] == [32, 32, 80]
    assert len({node.name for node in found.nodes}) == 3


def test_an_operator_that_nobody_knows() -> None:
    nodes = [
        helper.make_node("Mystery", ["x"], ["h"], "mystery", domain="foreign"),
        helper.make_node("MatMul", ["x", "x"], ["y"], "known"),
    ]
    values = [helper.make_tensor_value_info(name, FLOAT, [4, 4]) for name in "xhy"]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("foreign", 1)]
    found = onnxtile.profile(helper.make_model(graph, opset_imports=opsets, ir_version=9))
    assert found.totals.macs == Range(64, None)
    unknown = row(found, "mystery")
    assert isinstance(unknown.macs, Unknown)
    assert unknown.to_json()["macs"] is None
    assert unknown.unknown["macs"] == "domain foreign isn't known: whether Mystery holds a product can't be told"
    assert found.totals.to_json()["macs"] == {"min": 64, "max": None}
    assert found.totals.activation_bytes == 128
