"""The profile, node by node: weights, bodies, memory, what is unknown."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.ir.symbolic.amounts import Range, Unknown, with_sizes
from tests.support import FLOAT, make, matmul, parse

HEADER = '<ir_version: 10, opset_import: ["" : 21]>'


def model(text: str, **constants: np.ndarray) -> onnx.ModelProto:
    return parse(f"{HEADER} g {text}", **constants)


def row(profile: onnxtile.Profile, name: str) -> Any:
    (found,) = [node for node in profile.nodes if name in (node.name, *node.name.split("/"))]
    return found


W = np.ones((4, 4), np.float32)


# weights


def test_a_shared_weight_counts_once_in_totals_and_in_each_row() -> None:
    profile = onnxtile.profile(model("(float[4,4] x) => (float[4,4] y) { a = MatMul(x, W) y = MatMul(a, W) }", W=W))
    assert [node.params for node in profile.nodes] == [16, 16]
    assert (profile.totals.params, profile.totals.weight_bytes) == (16, 64)
    (group,) = profile.by("op")
    assert (group.name, group.nodes, group.params, group.macs) == ("MatMul", 2, 16, 128)


def test_a_weight_behind_operators_is_that_weight() -> None:
    profile = onnxtile.profile(
        model(
            """(float[2,4] x) => (float[2,4] y, float[2,3] z) {
            t = Transpose (T) i = Identity (t) y = MatMul (x, i)
            a, b = Split <axis = 1, num_outputs = 2> (S) p = MatMul (x, a) q = MatMul (x, b) z = Add (p, q) }""",
            T=W, S=np.ones((4, 6), np.float32),
        )
    )  # fmt: skip
    assert profile.totals.params == 16 + 24
    assert [row(profile, name).params for name in "ypqz"] == [16, 12, 12, 0]
    assert row(profile, "p").constants == ("S",)


def test_quantized_weights_are_what_is_stored() -> None:
    quantized = onnxtile.profile(
        model(
            "(float[2,4] x) => (float[2,4] y) { w = DequantizeLinear <axis = 1> (Q, scale, zero) y = MatMul (x, w) }",
            Q=np.ones((4, 4), np.int8), scale=np.ones(4, np.float32), zero=np.zeros(4, np.int8),
        )
    )  # fmt: skip
    product = row(quantized, "y")
    assert (product.params, product.weight_bytes, product.input_bytes) == (16, 16, 32 + 64)
    assert (quantized.totals.params, quantized.totals.weight_bytes) == (16, 16 + 16 + 4)


def test_numbers_of_four_bits_are_packed() -> None:
    graph = onnx.parser.parse_graph(
        "g (float[2,3] x) => (float[2,5] y) { w = DequantizeLinear (Q, scale) y = MatMul (x, w) }"
    )
    graph.initializer.append(helper.make_tensor("Q", TensorProto.INT4, [3, 5], [1] * 15))
    graph.initializer.append(numpy_helper.from_array(np.float32(1), "scale"))
    totals = onnxtile.profile(make(graph, 21)).totals
    assert (totals.params, totals.weight_bytes) == (15, 8 + 4)


def test_coefficients_shapes_and_bounds_are_no_parameters() -> None:
    profile = onnxtile.profile(
        model(
            """(float[4,4] x) => (float[2,8] y) {
            half = Constant <value_float = 0.5> () a = Mul (x, half) b = Clip (a, low, high) c = Mul (b, scale)
            y = Reshape (c, to) }""",
            low=np.float32(0), high=np.float32(6), scale=np.ones((1, 4), np.float32), to=np.array([2, 8]),
        )
    )  # fmt: skip
    assert profile.totals.params == 4
    assert row(profile, "half").stored


def test_statistics_are_told_apart() -> None:
    text = "(float[1,4,2,2] x) => (float[1,4,2,2] y) { y = BatchNormalization (x, a, b, c, d) }"
    norm = model(text, **{name: np.ones(4, np.float32) for name in "abcd"})
    assert (onnxtile.profile(norm).totals.params, onnxtile.profile(norm).totals.buffers) == (16, 8)
    assert onnxtile.profile(norm, convention="ptflops").totals.params == 8


def test_constants_made_at_run_time_are_stored_ones() -> None:
    profile = onnxtile.profile(
        model(
            "(float[4,4] x) => (float[4,4] y) { w = ConstantOfShape (shape) y = MatMul (x, w) }", shape=np.array([4, 4])
        )
    )
    assert (profile.totals.params, profile.totals.activation_bytes, row(profile, "w").stored) == (16, 64, True)


def test_weights_stay_in_the_file(tmp_path: Path) -> None:
    big = model("(float[4,512] x) => (float[4,512] y) { y = MatMul (x, W) }", W=np.ones((512, 512), np.float32))
    whole = onnxtile.profile(big)
    onnx.save(big, tmp_path / "inline.onnx")
    onnx.save(big, tmp_path / "external.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    found = [onnxtile.profile(tmp_path / name) for name in ("inline.onnx", "external.onnx")]
    assert found[0] == found[1] == whole
    assert found[0].totals.weight_bytes == 512 * 512 * 4
    (tmp_path / "weights").write_bytes(b"short")
    with pytest.raises(onnxtile.ModelError, match="bytes 0 to 1048576 of 'weights', which has 5"):
        onnxtile.profile(tmp_path / "external.onnx")


# bodies


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


# what is unknown


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


def test_conventions_that_nobody_knows_are_refused() -> None:
    with pytest.raises(UsageError, match="convention 'best' is unknown: take one of macs, ptflops"):
        onnxtile.profile(matmul([2, 2], [2, 2], [2, 2]), convention="best")


# memory


def test_memory_along_the_schedule() -> None:
    found = onnxtile.profile(
        model(
            """(float[10] x) => (float[10] y, float[20] kept) {
            a = Relu (x) kept = Concat <axis = 0> (a, a) b = Neg (a) unused = Abs (a) y = Add (b, b) }"""
        )
    )
    assert [node.live_bytes for node in found.nodes] == [80, 120, 160, 200, 160]
    assert found.totals.peak_live_bytes == 200


@given(st.integers(0, 10**9), st.integers(1, 14))
def test_memory_is_that_of_a_simulation(seed: int, count: int) -> None:
    """Random networks of Sums of vectors, some with a weight added; sizes are the model's one free dimension."""
    rng = random.Random(seed)
    values, nodes, weights = ["x"], [], []
    for index in range(count):
        inputs = rng.sample(values, rng.randint(1, min(3, len(values))))
        if rng.random() < 0.4:
            weights.append(f"w{index}")
            inputs.append(weights[-1])
        nodes.append((inputs, f"v{index}"))
        values.append(f"v{index}")
    outputs = sorted({values[-1], *rng.sample(values[1:], rng.randint(0, min(2, count)))})
    graph = helper.make_graph(
        [helper.make_node("Sum", inputs, [name], name) for inputs, name in nodes],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["n"])],
        [helper.make_tensor_value_info(name, FLOAT, ["n"]) for name in outputs],
        [numpy_helper.from_array(np.ones(1, np.float32), name) for name in weights],
    )
    found = onnxtile.profile(make(graph))
    for size in (1, 7):
        resident, streamed = simulated(nodes, outputs, weights, 4 * size)
        assert with_sizes(found.totals.peak_live_bytes, {"n": size}) == resident
        assert with_sizes(found.totals.peak_live_bytes_streamed, {"n": size}) == streamed


def simulated(nodes: list[tuple[list[str], str]], outputs: list[str], weights: list[str], size: int) -> tuple[int, int]:
    """Peaks by going through the nodes with a set of what is in memory."""
    memory, resident, streamed = {"x"}, 0, 0
    if not any("x" in inputs for inputs, _ in nodes) and "x" not in outputs:
        memory.clear()
    for index, (inputs, name) in enumerate(nodes):
        memory.add(name)
        resident = max(resident, size * len(memory))
        streamed = max(streamed, size * len(memory) + 4 * sum(each in weights for each in inputs))
        later = {each for inputs, _ in nodes[index + 1 :] for each in inputs}
        memory &= later | set(outputs)
    return resident + 4 * len(weights), streamed


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_memory_does_not_grow_with_weights(tmp_path: Path) -> None:
    for width in (64, 4096):
        big = model("(float[4,n] x) => (float[4,n] y) { y = MatMul (x, W) }", W=np.ones((width, width), np.float32))
        onnx.save(big, tmp_path / f"{width}.onnx")
    code = f"""
import onnxtile
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
onnxtile.profile(r"{tmp_path / "64.onnx"}")
before = peak()
assert onnxtile.profile(r"{tmp_path / "4096.onnx"}").totals.weight_bytes == 4 * 4096**2
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4096  # kilobytes, of 65,536
