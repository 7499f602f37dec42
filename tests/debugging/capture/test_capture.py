"""capture: which values of a model, lowered or not, and that they are what its nodes give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnx_graphsurgeon as gs
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import onnxtile
from onnxtile.errors import UsageError
from tests.support import matmul, node_model, parse, whole

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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", ["pretile", "split"])
def test_a_lowered_model_gives_what_the_original_gives(form: str, weights: str) -> None:
    original = onnxtile.capture(mlp(), name=["fc?"], inputs=X)
    lowered = onnxtile.capture(onnxtile.lower(mlp(), LIMITS, form=form, weights=weights), name="fc?", inputs=X)
    same(original, lowered)
    same(original, onnxtile.capture(mlp(), op=["Gemm", "MatMul"], inputs=X))
    first, last = lowered.report.values
    assert (first.value, first.node, last.value, last.node) == ("h", "fc1", "y", "fc2")
    assert min(first.nodes, last.nodes) > 5
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


WAYS: dict[str, dict[str, Any]] = {
    **{form: {"form": form} for form in FORMS},
    "split": {"conv": "split", "depthwise": "gemm"},
    "depthwise as products": {"depthwise": "gemm"},
}


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
def test_convolutions_however_they_were_written(how: dict[str, Any]) -> None:
    """By default the second one, a depthwise one, is no product."""
    model = parse(
        f"""{HEAD} g (float[2,4,7,6] x, float[4,1,3] u) => (float[2,6,3,6] y, float[9,4,6] z) {{
            [conv] c = Conv <group: int = 2, pads: ints = [1, 1, 0, 1], strides: ints = [2, 1]> (x, w, b)
            [act] y = Relu (c)  [flat] f = Reshape (c, shape)
            [dw] d = Conv <group: int = 4, pads: ints = [1, 1]> (f, u)  [neg] n = Neg (d)  z = Add (n, d) }}""",
        w=whole([6, 2, 3, 3], F32, 1), b=whole([6], F32, 2), shape=np.array([9, 4, 6]),
    )  # fmt: skip
    feeds = {"x": whole([2, 4, 7, 6], F32, 3), "u": whole([4, 1, 3], F32, 4)}
    lowered = onnxtile.lower(model, LIMITS, **how)
    found = onnxtile.capture(lowered, name=["conv", "dw"], inputs=feeds)
    same(onnxtile.capture(model, name=["conv", "dw"], inputs=feeds), found)
    assert [value.node for value in found.report.values] == ["conv", "dw"]
    assert min(value.nodes for value in found.report.values) > 6
    same(onnxtile.capture(model, name="*", inputs=feeds), onnxtile.capture(lowered, name="*", inputs=feeds))


def test_convolutions_inside_functions() -> None:
    text = f"""{HEAD}
    g (float[1,4,9] x) => (float[1,4,5] y) {{ [one] a = local.layer (x, w)  [two] y = local.layer (a, w) }}
    <opset_import: ["" : 20], domain: "local"> layer (u, v) => (r) {{ t = Conv (u, v)  r = Relu (t) }}"""
    model = parse(text, w=whole([4, 4, 3], F32, 1))
    feeds = {"x": whole([1, 4, 9], F32, 2)}
    for how in ({}, {"conv": "split"}):
        lowered = onnxtile.lower(model, (3, 6, 2), **how)  # type: ignore[call-overload]
        found = onnxtile.capture(lowered, name="one/t", inputs=feeds)
        (value,) = onnxtile.capture(model, name="one/t", inputs=feeds).values()
        (got,) = found.values()
        assert got.tobytes() == value.tobytes()


def test_an_attention_that_was_written_out() -> None:
    model = node_model("Attention", [[1, 2, 5, 4], [1, 2, 6, 4], [1, 2, 6, 4]], [4], opset=23)
    lowered = onnxtile.lower(model, (2, 2, 2), ops="all")
    found = onnxtile.capture(lowered, name="node")
    assert list(found) == ["Y0"]
    np.testing.assert_allclose(found["Y0"], onnxtile.capture(model, name="node")["Y0"], rtol=1e-4, atol=1e-5)


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
    assert [(skipped.node, skipped.op, skipped.reason) for skipped in found.report.skipped] == [
        ("add", "Add", "is in choose/then_branch, where values are there only while it runs"),
        ("r", "Sub", "is in choose/else_branch, where values are there only while it runs"),
    ]
    assert [value.dtype for value in found.report.values] == ["float32"] * 2 + ["int64"] + ["float32"] * 3 + [
        "bool",
        "float32",
    ]


def test_what_is_no_array_is_skipped_with_the_reason() -> None:
    model = parse(
        f"""{HEAD} g (float[2] x) => (float[2] y) {{
            [pair] s = SequenceConstruct (x, x)  [first] y = SequenceAt (s, zero) }}""",
        zero=np.array(0),
    )
    found = onnxtile.capture(model, name="*")
    assert list(found) == ["y"]
    assert [(skipped.node, skipped.reason) for skipped in found.report.skipped] == [
        ("pair", "'s' is a seq(tensor(float)), which no array is")
    ]
    words = r"nothing can be captured: SequenceConstruct 'pair': 's' is a seq\(tensor\(float\)\), which no array is"
    with pytest.raises(UsageError, match=words):
        onnxtile.capture(model, name="pair")


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


@pytest.mark.parametrize("form", ["batched", "loop", "function"])
def test_a_symbolic_m_that_is_bound_after_lowering(form: str) -> None:
    """Shapes behind a Slice of what was symbolic are doubted, through bodies too."""
    model = parse(f"{HEAD} g (float[b,24] x) => (float[b,9] y) {{ [p] y = MatMul (x, w) }}", w=whole([24, 9], F32, 1))
    lowered = onnxtile.lower(model, LIMITS, form=form)
    assert onnxtile.check(lowered, LIMITS, bind={"b": 5}).ok
    x = {"x": whole([5, 24], F32, 2)}
    same(onnxtile.capture(model, name="p", inputs=x), onnxtile.capture(lowered, name="p", inputs=x))
