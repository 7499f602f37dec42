"""Conv lowered: legal and bit-exact in every form, or refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import onnxtile
from onnxtile import estimate
from onnxtile.ir.io.interop import to_ir
from onnxtile.passes import DecomposeConvolution, InferShapes
from tests.support import (
    FEWER,
    FORMS,
    Fed,
    assert_verified,
    form_for,
    make,
    operators,
    rightly_lowered,
    run_onnxruntime,
    run_reference,
    sizes_of_products,
    whole,
)  # fmt: skip

LIMITS = (2, 3, 2)


def convolved(x: np.ndarray, w: np.ndarray, b: np.ndarray | None, attributes: dict[str, Any]) -> np.ndarray:
    """Conv by its specification, one window at a time."""
    axes, group = x.ndim - 2, attributes.get("group", 1)
    strides, dilations = (attributes.get(name, [1] * axes) for name in ("strides", "dilations"))
    pads, auto_pad = attributes.get("pads", [0] * (2 * axes)), attributes.get("auto_pad", "NOTSET")
    extents = [(size - 1) * dilation + 1 for size, dilation in zip(w.shape[2:], dilations, strict=True)]
    if auto_pad != "NOTSET":
        totals = [
            max((-(-size // stride) - 1) * stride + extent - size, 0)
            for size, stride, extent in zip(x.shape[2:], strides, extents, strict=True)
        ]
        less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
        pads = {"VALID": [0] * (2 * axes), "SAME_UPPER": less + more, "SAME_LOWER": more + less}[auto_pad]
    x = np.pad(x, [(0, 0), (0, 0), *zip(pads[:axes], pads[axes:], strict=True)])
    out = [(size - extent) // stride + 1
           for size, extent, stride in zip(x.shape[2:], extents, strides, strict=True)]  # fmt: skip
    y = np.zeros((x.shape[0], w.shape[0], *out), x.dtype)
    of_group, filters = w.shape[1], w.shape[0] // group
    for position in np.ndindex(*out):
        box = tuple(
            slice(at * stride, at * stride + extent, dilation)
            for at, stride, extent, dilation in zip(position, strides, extents, dilations, strict=True)
        )
        for f in range(w.shape[0]):
            first = f // filters * of_group
            window = x[(slice(None), slice(first, first + of_group), *box)]
            y[(slice(None), f, *position)] = (window * w[f]).reshape(len(x), -1).sum(1, dtype=x.dtype)
    return y if b is None else y + b.reshape(-1, *[1] * axes)


def case(
    x: list[int], w: list[int], *, bias: bool = False, dtype: str = "float32", opset: int = 20, fed: bool = False,
    declared: list[Any] | None = None, **attributes: Any,
) -> Fed:  # fmt: skip
    """One Conv of whole numbers. `fed`: its weight is an input; `declared`: what the model says of x."""
    arrays = {"x": whole(x, np.dtype(dtype), 1), "w": whole(w, np.dtype(dtype), 2)}
    arrays |= {"b": whole(w[:1], np.dtype(dtype), 3)} if bias else {}
    data_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    inputs = {"x": declared or x} | ({"w": w} if fed else {})
    graph = helper.make_graph(
        [helper.make_node("Conv", list(arrays), ["y"], "conv", **attributes)],
        "graph",
        [helper.make_tensor_value_info(name, data_type, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", data_type, [None] * len(x))],
        [numpy_helper.from_array(array, name) for name, array in arrays.items() if name not in inputs],
    )
    return Fed(make(graph, opset, 8), {name: arrays[name] for name in inputs})


def specified(each: Fed) -> np.ndarray:
    """Return what a case gives by the specification."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in each.model.graph.initializer} | each.feeds
    (node,) = each.model.graph.node
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    attributes = {name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()}
    return convolved(arrays["x"], arrays["w"], arrays.get("b"), attributes)


@st.composite
def cases(draw: st.DrawFn, symbolic: bool = False) -> Fed:
    """Convs of every attribute. `symbolic`: some of batch and positions are known only at run time."""
    axes, group = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3]))
    w = [group * draw(st.integers(1, 3)), draw(st.integers(1, 3)), *(draw(st.integers(1, 3)) for _ in range(axes))]
    x = [draw(st.integers(1, 2)), group * w[1], *(draw(st.integers(5, 7)) for _ in range(axes))]
    attributes: dict[str, Any] = {"group": group} if group > 1 else {}
    if draw(st.booleans()):
        attributes["strides"] = [draw(st.integers(1, 3)) for _ in range(axes)]
    if draw(st.booleans()):
        attributes["kernel_shape"] = w[2:]
    auto_pad = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if auto_pad != "NOTSET":
        attributes["auto_pad"] = auto_pad
    elif draw(st.booleans()):
        attributes["pads"] = [draw(st.integers(0, 2)) for _ in range(2 * axes)]
    if draw(st.booleans()):
        attributes["dilations"] = [draw(st.integers(1, 2)) for _ in range(axes)]
    free = draw(st.sets(st.sampled_from([0, *range(2, axes + 2)]))) if symbolic else set()
    declared = [f"s{axis}" if axis in free else size for axis, size in enumerate(x)]
    return case(
        x, w, bias=draw(st.booleans()), dtype=draw(st.sampled_from(["float32", "float32", "float64"])),
        opset=draw(st.sampled_from([11, 13, 18, 22]) if symbolic else st.integers(7, 24)), fed=draw(st.booleans()),
        declared=declared, **attributes,
    )  # fmt: skip


def holds(each: Fed, lowered: onnx.ModelProto) -> None:
    want = specified(each)
    for run in (run_reference, run_onnxruntime):
        (got,) = run(lowered, each.feeds)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_array_equal(got, want)
    assert_verified(each.model, lowered)


def refused(each: Fed, limits: Any) -> list[str]:
    rows = estimate(each.model, limits, ops="conv")[0].contractions
    return [str(row.reason) for row in rows if row.status == "refused"]


@FEWER
@given(cases(), st.sampled_from(FORMS), st.sampled_from([(1, 1, 1), LIMITS, (4, 4, 4)]))
def test_a_conv_lowered_is_legal_and_bit_exact(each: Fed, form: str, limits: Any) -> None:
    form = form_for(each.model, form)
    before = each.model.SerializeToString()
    lowered = onnxtile.lower(each.model, limits, ops="conv", form=form)
    assert each.model.SerializeToString() == before
    if any("auto-pad" in words for words in refused(each, limits)):
        assert lowered == each.model
        return
    onnx.checker.check_model(lowered, full_check=True)
    assert onnxtile.check(lowered, limits, ops="all").ok
    for sizes in sizes_of_products(lowered):
        assert all(size <= limit for size, limit in zip(sizes, limits, strict=True))
    if "Conv" not in operators(lowered):
        holds(each, lowered)


@FEWER
@given(cases(symbolic=True), st.sampled_from(["batched", "loop", "function"]), st.sampled_from([LIMITS, (None, 3, 2)]))
def test_sizes_that_run_time_knows(each: Fed, form: str, limits: Any) -> None:
    lowered = onnxtile.lower(each.model, limits, ops="conv", form=form)
    if "Conv" in operators(lowered):
        assert refused(each, limits) or onnxtile.check(each.model, limits, ops="conv").ok
        return
    holds(each, lowered)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("limits", [LIMITS, (None, 3, 2)])
def test_a_free_batch_is_no_part_of_m(form: str, limits: Any) -> None:
    each = case([2, 4, 5, 5], [6, 2, 3, 3], bias=True, group=2, declared=["n", 4, 5, 5], pads=[1, 1, 1, 1])
    lowered = onnxtile.lower(each.model, limits, ops="conv", form=form)
    assert "Conv" not in operators(lowered)
    holds(each, lowered)


def test_a_weight_is_laid_out_ahead_of_time() -> None:
    each = case([1, 4, 5, 5], [6, 4, 3, 3], bias=True, strides=[2, 2], pads=[1, 1, 1, 1])
    lowered = rightly_lowered(each.model, (8, 18, 4), each.feeds, ops="conv")
    assert operators(lowered)[:10] == ["Pad", "Transpose", *["Slice"] * 3, "Concat", *["Slice"] * 3, "Concat"]
    assert "w" not in {tensor.name for tensor in lowered.graph.initializer}


def test_a_kernel_of_one_is_no_window() -> None:
    each = case([2, 4, 3, 3], [6, 4, 1, 1])
    lowered = onnxtile.lower(each.model, (None, 4, 4), ops="conv")
    assert "Slice" not in operators(lowered)
    holds(each, lowered)


def test_float16_is_rounded_once() -> None:
    each = case([1, 3, 6], [4, 3, 3], bias=True, dtype="float16", pads=[1, 1])
    lowered = onnxtile.lower(each.model, LIMITS, ops="conv")
    (got,) = run_onnxruntime(lowered, each.feeds)
    np.testing.assert_array_equal(got, specified(each))
    assert_verified(each.model, lowered)


def test_without_limits_every_conv_is_written_out() -> None:
    each = case([1, 4, 5, 5], [6, 2, 3, 3], group=2)
    model = to_ir(each.model)
    InferShapes()(model)
    assert DecomposeConvolution()(model).modified
    assert not DecomposeConvolution()(model).modified
    holds(each, ir.to_proto(model))


@pytest.mark.parametrize(
    ("each", "words"),
    [
        (case([1, 1, 8], [4, 1, 1], strides=[4], auto_pad="SAME_UPPER"), "auto-pad: auto_pad would pad by a negative"),
        (case([1, 1, 8], [4, 1, 2], pads=[-1, 0]), "pads: its pads are negative"),
        (
            case([1, 1, 8], [4, 1, 3], strides=[2], declared=[1, 1, "n"], opset=9),
            "opset 9 lacks slices with steps, for strides along an axis of unknown length; convert to 10 or newer",
        ),
        (
            case([1, 1, 8], [4, 1, 3], strides=[2], declared=[1, 1, "n"], opset=10, auto_pad="SAME_LOWER"),
            "opset 10 lacks pads that follow from the data's shape; convert to 11 or newer",
        ),
    ],
)
def test_what_is_refused(each: Fed, words: str) -> None:
    (reason,) = refused(each, (None, 1, 1))
    assert words in reason
    assert onnxtile.lower(each.model, (None, 1, 1), ops="conv", form="batched") == each.model


def test_the_bias_of_another_length_is_refused() -> None:
    each = case([1, 2, 5], [4, 2, 3], bias=True)
    each.model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "b"))
    assert refused(each, LIMITS) == ["shape: its bias is of shape [1], not [4]"]


@pytest.mark.parametrize("options", [{}, {"form": "batched"}, {"form": "loop"}, {"conv": "split"}])
def test_data_of_unknown_rank_has_that_of_the_weight(options: dict[str, Any]) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 18]> g (float[2,n] x, int64[r] shape) => (float[a,b,c] y)
        <float[4,3,2] w> { t = Reshape (x, shape)  y = Conv <strides = [2], pads = [1, 0]> (t, w) }"""
    )
    model.graph.initializer.append(numpy_helper.from_array(whole([4, 3, 2], np.dtype(np.float32), 5), "w"))
    limits = (None, 3, 2)
    lowered = onnxtile.lower(model, limits, **options)
    assert onnxtile.check(lowered, limits).ok
    feeds = {"x": whole([2, 21], np.dtype(np.float32), 6), "shape": np.array([2, 3, 7])}
    for want, got in zip(run_onnxruntime(model, feeds), run_onnxruntime(lowered, feeds), strict=True):
        np.testing.assert_array_equal(got, want)


def test_where_a_conv_may_be() -> None:
    """In a body and in a local function, of which the one reads the main graph's weight."""
    text = """<ir_version: 8, opset_import: ["" : 18, "f" : 1]>
    g (float[1,2,6] x, bool c) => (float[1,2,4] z) <float[2,2,3] w> {
        a = f.layer (x, w)
        y = If (c) <then_branch = g1 () => (float[1,2,4] p) { p = Conv (x, w) },
                    else_branch = g2 () => (float[1,2,4] q) { q = Neg (a) }>
        z = Add (a, y)
    }
    <opset_import: ["" : 18], domain: "f"> layer (u, v) => (t) { t = Conv (u, v) }"""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(numpy_helper.from_array(whole([2, 2, 3], np.dtype(np.float32), 5), "w"))
    for form in FORMS:
        feeds = {"x": whole([1, 2, 6], np.dtype(np.float32), 6), "c": np.array(True)}
        lowered = onnxtile.lower(model, LIMITS, ops="conv", form=form)
        assert onnxtile.check(lowered, LIMITS, ops="all").ok
        for want, got in zip(run_onnxruntime(model, feeds), run_onnxruntime(lowered, feeds), strict=True):
            np.testing.assert_array_equal(got, want)
        assert_verified(model, lowered)
