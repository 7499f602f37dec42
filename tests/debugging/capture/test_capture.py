"""capture: which values of a model, lowered or not, and that they are what its nodes give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx.inliner
import onnx_graphsurgeon as gs
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import onnxtile
from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.ir.io.interop import to_ir
from onnxtile.verification.inputs import feeds
from tests.support import FLOAT, make, matmul, node_model, parse, run_onnxruntime, whole

F32 = np.dtype(np.float32)
FORMS = ("unrolled", "batched", "loop", "function")
LIMITS = (4, 8, 8)
HEAD = """<ir_version: 10, opset_import: ["" : 20, "local" : 1]>"""


def mlp() -> onnx.ModelProto:
    return parse(
        f"""{HEAD} g (float[12,24] x) => (float[12,9] y, float[12,40] s) {{
            [fc1] h = Gemm (x, w1, c1)  [act] r = Relu (h)  [fc2] y = MatMul (r, w2)  [twice] s = Add (h, h) }}""",
        w1=whole([24, 40], F32, 1),
        c1=whole([40], F32, 2),
        w2=whole([40, 9], F32, 3),
    )


X = {"x": whole([12, 24], F32, 4)}


def same(want: Any, got: Any) -> None:
    """The same values by the same names, bit for bit."""
    assert list(want) == list(got)
    for name in want:
        assert (want[name].dtype, want[name].shape) == (got[name].dtype, got[name].shape)
        assert want[name].tobytes() == got[name].tobytes(), name


# what a lowering made of a node


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", ["pretile", "split"])
def test_a_lowered_model_gives_what_the_original_gives(form: str, weights: str) -> None:
    original = onnxtile.capture(mlp(), name=["fc?"], inputs=X)
    lowered = onnxtile.capture(onnxtile.lower(mlp(), LIMITS, form=form, weights=weights), name="fc?", inputs=X)
    same(original, lowered)
    same(original, onnxtile.capture(mlp(), op=["Gemm", "MatMul"], inputs=X))
    first, last = lowered.report.values
    assert (first.value, first.node, last.value, last.node) == ("h", "fc1", "y", "fc2")
    assert min(first.nodes, last.nodes) > 6
    assert (lowered.report.skipped, lowered.report.unmatched) == ((), ())
    assert [(value.node, value.op, value.nodes) for value in original.report.values] == [
        ("fc1", "Gemm", 1),
        ("fc2", "MatMul", 1),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_all_of_a_lowered_model_is_what_the_original_has(form: str) -> None:
    lowered = onnxtile.lower(mlp(), LIMITS, form=form, accumulate="tree", pad_tiles=True)
    same(onnxtile.capture(mlp(), name="*", inputs=X), onnxtile.capture(lowered, name="*", inputs=X))


@settings(max_examples=20)
@given(st.tuples(*[st.integers(1, 14)] * 3), st.sampled_from(FORMS), st.booleans(), st.integers(1, 5))
def test_any_product_in_any_form(sizes: tuple[int, int, int], form: str, gemm: bool, limit: int) -> None:
    m, k, n = sizes
    product = "Gemm <transB = 1> (x, w)" if gemm else "MatMul (x, w)"
    weight = whole([n, k] if gemm else [k, n], F32, 1)
    model = parse(
        f"{HEAD} g (float[{m},{k}] x) => (float[{m},{n}] y) {{ [p] z = {product} [a] y = Abs (z) }}", w=weight
    )
    x = {"x": whole([m, k], F32, 2)}
    want = x["x"] @ (weight.T if gemm else weight)
    same({"z": want}, onnxtile.capture(onnxtile.lower(model, (limit,) * 3, form=form), name="p", inputs=x))


def test_a_tile_by_its_own_name() -> None:
    model = matmul([4, 16], [16, 6], [4, 6])
    weight = numpy_helper.to_array(model.graph.initializer[0])
    x = whole([4, 16], F32, 7)
    lowered = onnxtile.lower(model, (4, 4, 4))
    got = onnxtile.capture(lowered, name="product/m0_n0_k3", inputs={"X": x})
    same({"product/m0_n0_k3": x[:, 12:] @ weight[12:, :4]}, got)
    tiles = onnxtile.capture(lowered, name="product/m0_n1_k*", inputs={"X": x})
    assert list(tiles) == [f"product/m0_n1_k{k}" for k in range(4)]
    both = onnxtile.capture(lowered, name=["product", "product/m0_n0"], inputs={"X": x})
    assert list(both) == ["product/m0_n0", "Y"]
    products = onnxtile.capture(lowered, op="MatMul", name="product", inputs={"X": x})
    assert len(products) == 8


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


def test_an_attention_that_was_written_out() -> None:
    model = node_model("Attention", [[1, 2, 5, 4], [1, 2, 6, 4], [1, 2, 6, 4]], [4], opset=23)
    lowered = onnxtile.lower(model, (2, 2, 2), ops="all")
    found = onnxtile.capture(lowered, name="node")
    assert list(found) == ["Y0"]
    np.testing.assert_allclose(found["Y0"], onnxtile.capture(model, name="node")["Y0"], rtol=1e-4, atol=1e-5)


# values


def test_every_value_is_what_onnx_reference_has() -> None:
    """Several outputs, one of them left out, integers, booleans, a body that reads values around it."""
    model = parse(
        f"""{HEAD} g (float[1,4,6,6] x, bool c) => (float[1,2,2,2] y) {{
            [conv] a = Conv <kernel_shape = [3,3]> (x, w)
            [pool] p, i = MaxPool <kernel_shape = [2,2], strides = [2,2]> (a)
            [top] t, = Dropout (p)
            [cut] u, v = Split <axis = 1, num_outputs = 2> (t)
            [less] l = Less (u, v)
            [choose] y = If (c) <
                then_branch = g1 () => (float[1,2,2,2] s) {{ [add] s = Add (u, v) }},
                else_branch = g2 () => (float[1,2,2,2] r) {{ r = Sub (u, v) }}> }}""",
        w=whole([4, 4, 3, 3], F32, 1),
    )
    fed = {"x": whole([1, 4, 6, 6], F32, 2), "c": np.array(True)}
    found = onnxtile.capture(model, name="*", inputs=fed)
    assert list(found) == ["a", "p", "i", "t", "u", "v", "l", "y"]
    names = [helper.make_empty_tensor_value_info(name) for name in found]
    traced = onnx.ModelProto()
    traced.CopyFrom(model)
    del traced.graph.output[:]
    traced.graph.output.extend(names)
    same(dict(zip(found, ReferenceEvaluator(traced).run(None, fed), strict=True)), found)
    assert [(each.node, each.op, each.reason) for each in found.report.skipped] == [
        ("add", "Add", "is in choose/then_branch, where values are there only while it runs"),
        ("r", "Sub", "is in choose/else_branch, where values are there only while it runs"),
    ]
    assert [value.dtype for value in found.report.values] == ["float32"] * 2 + ["int64"] + ["float32"] * 3 + [
        "bool",
        "float32",
    ]


NARROW = {
    "BFLOAT16": ml_dtypes.bfloat16, "FLOAT8E4M3FN": ml_dtypes.float8_e4m3fn, "FLOAT8E5M2": ml_dtypes.float8_e5m2,
    "INT4": ml_dtypes.int4, "UINT4": ml_dtypes.uint4, "FLOAT16": np.float16,
}  # fmt: skip


@pytest.mark.parametrize("kind", NARROW)
def test_types_that_numpy_lacks(tmp_path: Path, kind: str) -> None:
    """They come back as they are; a file holds their bits or numbers, says so, and can be fed again."""
    dtype = np.dtype(NARROW[kind])
    code = TensorProto.DataType.Value(kind)
    nodes = [
        helper.make_node("Cast", ["x"], ["q"], "narrow", to=code),
        helper.make_node("Cast", ["q"], ["y"], "wide", to=FLOAT),
    ]
    info = helper.make_tensor_value_info
    model = make(helper.make_graph(nodes, "g", [info("x", FLOAT, [5])], [info("y", FLOAT, [5])]), 21)
    x = np.array([0 if kind == "UINT4" else -3, 1, 2, 3, 5], np.float32)
    (q,) = onnxtile.capture(model, name="narrow", inputs={"x": x}).values()
    assert q.dtype == dtype
    np.testing.assert_array_equal(q, x.astype(dtype))
    report = onnxtile.capture(model, name="narrow", inputs={"x": x}, output=tmp_path / "v.npz")
    (value,) = report.values
    assert (value.dtype, value.min, value.max) == (str(dtype), x[0], 5)
    assert value.first == (str(int(x[0])), "1", "2")
    assert value.bytes == (3 if "INT4" in kind else 5 * dtype.itemsize)
    stored = np.load(tmp_path / "v.npz")["q"]
    assert value.stored == {
        "BFLOAT16": "bits in uint16", "INT4": "numbers in int8", "UINT4": "numbers in uint8", "FLOAT16": None,
    }.get(kind, "bits in uint8")  # fmt: skip
    second = make(helper.make_graph([nodes[1]], "g", [info("q", code, ["n"])], [info("y", FLOAT, ["n"])]), 21)
    for each in (q, stored):
        np.testing.assert_array_equal(onnxtile.capture(second, name="wide", inputs={"q": each})["y"], x)


def test_text(tmp_path: Path) -> None:
    model = parse(
        f"""{HEAD} g (string[n] s, float[2] x) => (string[n] t, string[2] u) {{
            [same] t = Identity (s)  [spell] u = Cast <to = 8> (x) }}"""
    )
    fed = {"s": np.array(["a", "läng\nst", ""]), "x": np.array([1.5, np.inf], np.float32)}
    found = onnxtile.capture(model, name="*", inputs=fed)
    np.testing.assert_array_equal(found["t"], fed["s"])
    assert list(found["u"]) == ["1.5", "INF"]
    onnxtile.capture(model, name="*", inputs=fed, output=tmp_path / "t.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "t.npz")["t"], fed["s"])
    (row, _) = found.report.values
    assert (row.dtype, row.min, row.mean, row.nan) == ("string", None, None, 0)
    fed["s"] = np.array(["zero\0"], object)
    skipped = onnxtile.capture(model, name="*", inputs=fed).report.skipped
    assert [each.reason for each in skipped] == [
        "'t' holds text that ends in a zero byte, which arrays of text leave out"
    ]


def test_what_is_no_array_is_skipped_with_the_reason() -> None:
    model = parse(
        f"""{HEAD} g (float[2] x) => (float[2] y) {{
            [pair] s = SequenceConstruct (x, x)  [first] y = SequenceAt (s, zero) }}""",
        zero=np.array(0),
    )
    found = onnxtile.capture(model, name="*")
    assert list(found) == ["y"]
    assert [(each.node, each.reason) for each in found.report.skipped] == [
        ("pair", "'s' is a seq(tensor(float)), which no array is")
    ]
    words = r"nothing can be captured: SequenceConstruct 'pair': 's' is a seq\(tensor\(float\)\), which no array is"
    with pytest.raises(UsageError, match=words):
        onnxtile.capture(model, name="pair")


def test_what_the_numbers_are_like() -> None:
    model = parse(f"{HEAD} g (float[6] x, int64[3] i) => (float[6] y, int64[3] j) {{ y = Identity (x) j = Neg (i) }}")
    x = np.array([np.nan, np.inf, -np.inf, 3, -1, np.nan], np.float32)
    i = np.array([2**62, 1, -5])
    first, second = onnxtile.capture(model, name="*", inputs={"x": x, "i": i}).report.values
    assert (first.min, first.max, first.mean, first.nan, first.infinite) == (-1, 3, 1, 2, 2)
    assert first.first == ("nan", "inf", "-inf")
    assert (second.min, second.max, second.nan) == (-(2**62), 5, 0)
    model = parse(f"{HEAD} g (float[0,3] x) => (float[0,3] y) {{ [e] y = Relu (x) }}")
    (empty,) = onnxtile.capture(model, name="e").report.values
    assert (empty.min, empty.mean, empty.shape, empty.bytes, empty.first) == (None, None, (0, 3), 0, ())
    document = onnxtile.capture(model, name="e").report.to_json()
    json.dumps(document, allow_nan=False)


def test_float16_does_not_depend_on_what_else_is_captured() -> None:
    """onnxruntime leaves roundings out between nodes that it computes as float32; captured values are all rounded."""
    rng = np.random.default_rng(0)
    model = parse(
        f"""{HEAD} g (float16[8,16] x) => (float16[8,16] y) {{
            [a] a = MatMul (x, w)  [b] b = Pow (a, two)  [c] c = Reshape (b, shape)  [d] d = LayerNormalization (c, s)
            [e] e = Add (d, x)  [f] f = Tanh (e)  [g] g = Mul (f, e)  [h] y = MatMul (g, w) }}""",
        w=rng.standard_normal((16, 16)).astype(np.float16),
        s=rng.standard_normal(16).astype(np.float16),
        two=np.array(2, np.float16),
        shape=np.array([8, 16]),
    )
    together = onnxtile.capture(model, name="*")
    alone = {name: onnxtile.capture(model, name=node)[name] for node, name in zip("abcdefgh", together, strict=True)}
    same(together, alone)


def test_random_numbers_are_the_same_in_all_runs() -> None:
    model = parse(
        f"""{HEAD} g (float[4] x) => (float[4] y) {{
            [r] r = RandomNormalLike (x)  [s] s = RandomUniformLike (x)  [add] y = Add (r, s) }}"""
    )
    found = onnxtile.capture(model, name="*", seed=3)
    assert not np.array_equal(found["r"], found["s"])
    np.testing.assert_array_equal(found["y"], found["r"] + found["s"])
    for name, node in (("r", "r"), ("s", "s"), ("y", "add")):
        np.testing.assert_array_equal(onnxtile.capture(model, name=node, seed=3)[name], found[name])
    assert not np.array_equal(onnxtile.capture(model, name="r", seed=4)["r"], found["r"])


# inputs


def test_random_inputs_are_those_of_verify() -> None:
    model = mlp()
    want = feeds(to_ir(model), "normal", np.random.default_rng(5))
    found = onnxtile.capture(model, name="fc2", seed=5)
    np.testing.assert_array_equal(found["y"], run_onnxruntime(model, want, optimize=False)[0])
    assert found.report.inputs.to_json() == {"source": "random", "seed": 5, "sizes": {}, "made_up": []}


FREE = parse(
    f"""{HEAD} g (float[n,k] x, float[k,n] z, float[m] c) => (float[n,n] y, float[m] d) {{
        [p] y = MatMul (x, z)  [q] d = Neg (c) }}"""
)


def test_sizes_of_free_dimensions() -> None:
    found = onnxtile.capture(FREE, name="p", bind={"n": 3})
    assert (found["y"].shape, found.report.inputs.sizes) == ((3, 3), {"n": 3, "k": 2, "m": 2})
    assert found.report.inputs.made_up == ("k", "m")
    x = {"x": np.ones((3, 7), F32), "z": np.ones((7, 3), F32), "c": np.ones(1, F32)}
    given_ones = onnxtile.capture(FREE, name="*", inputs=x)
    assert (given_ones["y"] == 7).all()
    assert given_ones.report.inputs.to_json() == {
        "source": "given", "seed": None, "sizes": {"n": 3, "k": 7, "m": 1}, "made_up": [],
    }  # fmt: skip


GOOD = {"x": np.ones((3, 7), F32), "z": np.ones((7, 3), F32), "c": np.ones(1, F32)}
BAD_INPUTS: dict[str, dict[str, Any]] = {
    "input 'c' is missing: give all of x, z, c, or none for random ones": {"x": GOOD["x"], "z": GOOD["z"]},
    "input 'q' isn't one of the model's: its inputs are x, z, c": {**GOOD, "q": GOOD["x"]},
    "input 'x' is float64, the model takes float32": {**GOOD, "x": np.ones((3, 7))},
    "input 'x' is 3 x 7 x 1, the model takes 3 x 7": {**GOOD, "x": np.ones((3, 7, 1), F32)},
    "input 'c' is a number without axes, the model takes m": {**GOOD, "c": np.float32(1)},
    "the inputs' shapes contradict: k is 7 in 'x' and 8 in 'z'": {**GOOD, "z": np.ones((8, 3), F32)},
    "inputs is a list: give arrays by name, such as {'x': array}": [1],  # type: ignore[dict-item]  # that's the point
}


@pytest.mark.parametrize("words", BAD_INPUTS)
def test_inputs_that_are_refused(words: str) -> None:
    with pytest.raises(UsageError) as raised:
        onnxtile.capture(FREE, name="p", inputs=BAD_INPUTS[words])
    assert str(raised.value) == words


def test_inputs_that_contradict_what_is_bound() -> None:
    with pytest.raises(UsageError, match=r"^input 'x' is 3 x 7, the model takes 4 x 7$"):
        onnxtile.capture(FREE, name="p", inputs=GOOD, bind={"n": 4})
    with pytest.raises(UsageError, match="dimension 'batch' isn't a free dimension of the model"):
        onnxtile.capture(FREE, name="p", bind={"batch": 4})


def test_a_default_may_be_left_out_or_given() -> None:
    model = parse(f"{HEAD} g (float[2] x, float[2] w) => (float[2] y) {{ [a] y = Add (x, w)  [n] z = Neg (x) }}")
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 2], F32), "w"))
    x = np.zeros(2, F32)
    np.testing.assert_array_equal(onnxtile.capture(model, name="a", inputs={"x": x})["y"], [1, 2])
    np.testing.assert_array_equal(onnxtile.capture(model, name="a", inputs={"x": x, "w": x + 5})["y"], [5, 5])
    assert list(onnxtile.capture(model, name="n")) == ["z"]


# choosing

CHOICE = parse(
    f"""{HEAD} g (float[2] x, bool c) => (float[2] y) {{
        [conv_1] a = Relu (x)  [conv_2] b = Abs (a)  d = Relu (b)  [set_0] e = Neg (d)
        [if] y = If (c) <then_branch = g1 () => (float[2] s) {{ [deep] s = Sin (e) }},
                         else_branch = g2 () => (float[2] t) {{ t = Cos (e) }}> }}"""
)
for node, name in zip(CHOICE.graph.node, ("conv.1", "conv.2", "", "set[0]"), strict=False):
    node.name = name


@pytest.mark.parametrize(
    ("op", "name", "values"),
    [
        ("Relu", None, ["a", "d"]),
        (["Relu", "Abs"], None, ["a", "b", "d"]),
        (None, "conv.*", ["a", "b"]),
        (None, "d", ["d"]),
        (None, "set[0]", ["e"]),
        (None, ["conv.2", "conv.1"], ["a", "b"]),
        ("Relu", "conv.*", ["a"]),
        (None, "*", ["a", "b", "d", "e", "y"]),
        ("ai.onnx::Neg", None, ["e"]),
        (None, "if", ["y"]),
    ],
)
def test_what_is_chosen(op: Any, name: Any, values: list[str]) -> None:
    assert list(onnxtile.capture(CHOICE, op=op, name=name)) == values


NOTHING: dict[str, dict[str, Any]] = {
    "say which nodes: by operator (--op Conv), by name (--name 'features.*'), or --name '*'": {},
    "op is [3]: give a text, or several": {"op": [3]},
    "name is '': give a text, or several": {"name": ""},
    "seed is -1: give a whole number, 0 or more": {"name": "*", "seed": -1},
    "memory is 0: give a whole number, 1 or more": {"name": "*", "memory": 0},
    "bind is 3: give sizes by name, such as {'batch': 1}": {"name": "*", "bind": 3},
    "no node is a 'Rely': the model has Relu, ...": {"op": "Rely"},
    "no node is called 'conv1': it has conv.1, conv.2, ...": {"name": "conv1"},
    "no node is a 'relu': the model has Relu, ...; no node is called 'zzz': it has conv.1, conv.2, d, ...": {
        "op": "relu",
        "name": "zzz",
    },
    "no node called 'conv.1' is a Abs: leave --op or --name out": {"op": "Abs", "name": "conv.1"},
    "nothing can be captured: Sin 'deep' is in if/then_branch, where values are there only while it runs": {
        "name": "deep"
    },
    (
        "nothing can be captured: Sin 'deep' is in if/then_branch, where values are there only while it runs, "
        "and so on for 1 more"
    ): {"op": ["Sin", "Cos"]},
    "output is 3: give a path": {"name": "*", "output": 3},
    "output x.txt is neither FILE.npz nor a folder; a folder's path ends in /": {"name": "*", "output": "x.txt"},
}


@pytest.mark.parametrize("words", NOTHING)
def test_calls_that_are_refused(words: str) -> None:
    with pytest.raises(UsageError) as raised:
        onnxtile.capture(CHOICE, **NOTHING[words])
    assert str(raised.value) == words


def test_what_fits_nothing_is_told_beside_what_does() -> None:
    report = onnxtile.capture(CHOICE, op=["Relu", "Conv"], name="*").report
    assert report.unmatched == ("no node is a 'Conv': the model has Cos, ...",)


def test_a_loop_s_nodes_stand_for_nothing_but_their_origin() -> None:
    """A lowered product is in a body of a body; asked for by its original's name, its value is there."""
    lowered = onnxtile.lower(matmul([8, 8], [8, 8], [8, 8]), (4, 4, 4), form="loop")
    assert list(onnxtile.capture(lowered, name="product")) == ["Y"]
    with pytest.raises(
        UsageError, match=r"nothing can be captured: MatMul 'product/partial' is in product/stacked/body"
    ):
        onnxtile.capture(lowered, op="MatMul")


def test_a_product_in_a_body_is_skipped_however_it_was_lowered() -> None:
    model = parse(
        f"""{HEAD} g (float[8,8] x, bool c) => (float[8,8] y) {{
            [if] y = If (c) <then_branch = g1 () => (float[8,8] s) {{ [fc] s = MatMul (x, w) }},
                             else_branch = g2 () => (float[8,8] t) {{ t = Neg (x) }}> }}""",
        w=whole([8, 8], F32, 1),
    )
    for each in (model, onnxtile.lower(model, (4, 4, 4))):
        with pytest.raises(
            UsageError, match=r"^nothing can be captured: .*'fc' is in if/then_branch, where values are"
        ):
            onnxtile.capture(each, name="fc")


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


def test_every_kind_of_model(tmp_path: Path) -> None:
    proto = mlp()
    want = onnxtile.capture(proto, name="fc1", inputs=X)
    onnx.save(proto, tmp_path / "m.onnx")
    onnx.save(mlp(), tmp_path / "e.onnx", save_as_external_data=True, location="e.data", size_threshold=0)
    as_ir = ir.from_proto(proto)
    before = proto.SerializeToString(), ir.to_proto(as_ir).SerializeToString()
    for model in (tmp_path / "m.onnx", str(tmp_path / "e.onnx"), as_ir, ir.load(tmp_path / "e.onnx")):
        same(want, onnxtile.capture(model, name="fc1", inputs=X))
    same(want, onnxtile.capture(gs.import_onnx(proto), name="fc1", inputs=X))
    assert before == (proto.SerializeToString(), ir.to_proto(as_ir).SerializeToString())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.data", "e.onnx", "m.onnx"]


def test_it_shows_itself() -> None:
    found = onnxtile.capture(mlp(), name="fc*", inputs=X)
    assert repr(found) == "Captured(h: float32[12, 40], y: float32[12, 9])"
    assert len(found) == 2
    assert isinstance(found, onnxtile.Captured)


@pytest.mark.parametrize("form", ["batched", "loop", "function"])
def test_a_symbolic_m_that_is_bound_after_lowering(form: str) -> None:
    """Shapes behind a Slice of what was symbolic are doubted, through bodies too."""
    model = parse(f"{HEAD} g (float[b,24] x) => (float[b,9] y) {{ [p] y = MatMul (x, w) }}", w=whole([24, 9], F32, 1))
    lowered = onnxtile.lower(model, LIMITS, form=form)
    assert onnxtile.check(lowered, LIMITS, bind={"b": 5}).ok
    x = {"x": whole([5, 24], F32, 2)}
    same(onnxtile.capture(model, name="p", inputs=x), onnxtile.capture(lowered, name="p", inputs=x))


def test_what_no_engine_knows_is_in_nobody_s_way_but_of_what_follows() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 20, "mine" : 1]> g (float[2] x) => (float[2] y) {
            [before] a = Neg (x)  [strange] b = mine.Strange (a)  [after] y = Abs (b) }"""
    )
    assert list(onnxtile.capture(model, name="before")) == ["a"]
    with pytest.raises(UnsupportedError, match=r"what was chosen can't be computed: onnxruntime: .*Strange"):
        onnxtile.capture(model, name="after")
