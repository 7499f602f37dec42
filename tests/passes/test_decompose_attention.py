"""Attention written out and cut: onnx's own cases, and random ones in two engines."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx.backend.test.loader
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

import onnxtile
from onnxtile.verification.roundoff import gamma
from tests.support import (
    FORMS,
    OLD_ONNXRUNTIME,
    assert_verified,
    run_onnxruntime,
    run_reference,
    sizes_of_products,
    whole,
)

CANNOT = (
    onnxruntime_errors.NotImplemented, onnxruntime_errors.Fail, onnxruntime_errors.InvalidGraph,
    onnxruntime_errors.InvalidArgument, onnxruntime_errors.RuntimeException,
)  # fmt: skip
UNITS = {np.float16: 2.0**-11, ml_dtypes.bfloat16: 2.0**-8, np.float32: 2.0**-24, np.float64: 2.0**-53}
FEW = settings(max_examples=max(settings().max_examples // 5, 1))
"""A case takes a tenth of a second."""
LIMITS = [(1, 1, 1), (2, 3, 2), (4, 4, 4), (None, 2, None)]


@dataclass(frozen=True)
class Case:
    """One Attention, its inputs, and what's needed to bound its rounding."""

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]
    limits: tuple[int | None, int | None, int | None]
    form: str

    def __repr__(self) -> str:
        shapes = {name: (array.dtype, array.shape) for name, array in self.feeds.items()}
        return f"{onnx.printer.to_text(self.model)} limits {self.limits} {self.form} {shapes}"


def attention(
    feeds: dict[str, np.ndarray], outputs: list[str], opset: int, op_type: str = "Attention", **attributes: Any
) -> onnx.ModelProto:
    """A model of one node whose inputs are `feeds`; those that aren't fed are left out."""
    domain = "ai.onnx.preview" if op_type == "FlexAttention" else ""
    schema = onnx.defs.get_schema(op_type, 1 if domain else opset, domain)
    names = [formal.name if formal.name in feeds else "" for formal in schema.inputs]
    while not names[-1]:
        names.pop()
    node = helper.make_node(op_type, names, outputs, "attn", domain=domain or None, **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    graph = helper.make_graph([node], "graph", infos, [onnx.ValueInfoProto(name=name) for name in outputs if name])
    untyped = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    model = onnx.shape_inference.infer_shapes(untyped, strict_mode=True, data_prop=True)
    onnx.checker.check_model(model, full_check=True)
    del model.graph.value_info[:]
    return model


@st.composite
def operands(draw: st.DrawFn, dtype: Any, exact: bool) -> tuple[dict[str, np.ndarray], dict[str, Any], int, int]:
    """Q, K, V and a past, of heads in 3 or 4 axes; the attributes for it, and the lengths of queries and keys."""
    size = st.integers(1, 5)
    batch, kv_heads, group = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    queries, keys, head, value = draw(size), draw(size), draw(size), draw(size)
    past = draw(st.none() | st.integers(0, 3))
    rng = np.random.default_rng(draw(st.integers(0, 9)))

    def made(heads: int, length: int, width: int) -> np.ndarray:
        shape = (batch, heads, length, width)
        return (rng.integers(-3, 4, shape) if exact else rng.standard_normal(shape)).astype(dtype)

    heads = kv_heads * group
    feeds = {"Q": made(heads, queries, head), "K": made(kv_heads, keys, head), "V": made(kv_heads, keys, value)}
    attributes: dict[str, Any] = {}
    if draw(st.booleans()):
        feeds = {name: each.swapaxes(1, 2).reshape(batch, each.shape[2], -1) for name, each in feeds.items()}
        attributes = {"q_num_heads": heads, "kv_num_heads": kv_heads}
    if past is not None:
        feeds |= {"past_key": made(kv_heads, past, head), "past_value": made(kv_heads, past, value)}
    return feeds, attributes, queries, keys + (past or 0)


@st.composite
def masks(draw: st.DrawFn, dtype: Any, feeds: dict[str, np.ndarray], heads: int, shape: tuple[int, int]) -> np.ndarray:
    batch = feeds["Q"].shape[0]
    before = draw(st.sampled_from([(), (1,), (heads,), (batch, 1), (1, heads), (batch, heads)]))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    if draw(st.booleans()):
        return rng.standard_normal((*before, *shape)).astype(dtype)
    return rng.random((*before, *shape)) < 0.7


@st.composite
def cases(draw: st.DrawFn) -> Case:
    dtype = draw(st.sampled_from(sorted(UNITS, key=str)))
    opset = draw(st.integers(23, 28))
    feeds, attributes, queries, keys = draw(operands(dtype, exact=False))
    heads = attributes.get("q_num_heads", feeds["Q"].shape[1])
    if draw(st.booleans()):
        feeds["attn_mask"] = draw(masks(dtype, feeds, heads, (queries, keys)))
    if opset >= 24 and "past_key" not in feeds and draw(st.booleans()):
        batch = feeds["Q"].shape[0]
        feeds["nonpad_kv_seqlen"] = np.array(draw(st.lists(st.integers(1, keys), min_size=batch, max_size=batch)))
    choices: dict[str, st.SearchStrategy[Any]] = {
        "is_causal": st.integers(0, 1), "scale": st.sampled_from([0.25, 1.0, 0.3]),
        "softcap": st.sampled_from([0.0, 2.5]),
        "qk_matmul_output_mode": st.integers(0, 3), "softmax_precision": st.sampled_from([1, 10, 11, 16]),
    }  # fmt: skip
    if opset >= 25:
        choices |= {"left_window_size": st.integers(-1, 3), "right_window_size": st.integers(-1, 3)}
    attributes |= {name: draw(choice) for name, choice in choices.items() if draw(st.booleans())}
    if attributes.get("softcap") and not attributes.get("qk_matmul_output_mode"):
        attributes["qk_matmul_output_mode"] = 1  # onnx.reference caps the raw scores of mode 0 too
    outputs = [
        "Y",
        *[name if draw(st.booleans()) else "" for name in ("present_key", "present_value", "qk_matmul_output")],
    ]
    if "past_key" not in feeds or not outputs[1] or not outputs[2]:
        outputs[1:3] = ["", ""]
    while not outputs[-1]:
        outputs.pop()
    model = attention(feeds, outputs, opset, **attributes)
    return Case(model, feeds, draw(st.sampled_from(LIMITS)), draw(st.sampled_from(FORMS)))


def lowered(case: Case) -> onnx.ModelProto:
    before = case.model.SerializeToString()
    result: onnx.ModelProto = onnxtile.lower(case.model, case.limits, ops="attention", form=case.form)
    assert case.model.SerializeToString() == before
    onnx.checker.check_model(result, full_check=True)
    assert [value.name for value in result.graph.output] == [value.name for value in case.model.graph.output]
    if case.model.graph.node[0].op_type == "LinearAttention":  # onnx's inference leaves out the body of its Scan
        assert all(row.status == "fits" for row in onnxtile.check(result, case.limits, ops="all").contractions)
        return result
    for sizes in sizes_of_products(result):
        assert all(limit is None or size <= limit for size, limit in zip(sizes, case.limits, strict=True)), sizes
    return result


@FEW
@given(cases())
def test_attention_lowered_is_legal_and_within_the_bound_of_rounding(case: Case) -> None:
    result = lowered(case)
    want = run_reference(case.model, case.feeds)
    for got in engines(result, case.feeds):
        close(case, got, want, rounding(case))
    assert_verified(case.model, result)


def rounding(case: Case) -> dict[str, float]:
    """Return how far two ways to compute each output may be apart, whatever the order of summation.

    A score is a sum of `head` terms and moves by gamma(head + 12) of their magnitudes each way; a weight by the
    exponential of that, besides the roundings of softmax; an output is a mean of values by weights.
    """
    attributes = {each.name: helper.get_attribute_value(each) for each in case.model.graph.node[0].attribute}
    stash = {1: np.float32, 10: np.float16, 11: np.float64, 16: ml_dtypes.bfloat16}
    q, past = case.feeds["Q"], case.feeds.get("past_key", np.zeros([0, 0, 0, 0]))
    unit = max(UNITS[each] for each in (q.dtype.type, stash.get(attributes.get("softmax_precision", 0), np.float64)))
    head = q.shape[3] if q.ndim == 4 else q.shape[2] // attributes["q_num_heads"]
    keys = case.feeds["K"].shape[-2] + past.shape[2]
    largest = {
        name: max(float(np.abs(np.float64(case.feeds[each])).max(initial=0)) for each in names if each in case.feeds)
        for name, names in {"q": "Q", "k": ("K", "past_key"), "v": ("V", "past_value")}.items()
    }
    scale = attributes.get("scale", head**-0.5)
    mask = case.feeds.get("attn_mask", np.zeros(1))
    bias = float(np.abs(np.float64(mask)).max(initial=0))
    rounded = gamma(head + 12, unit) + gamma(4, UNITS[np.float32])  # the scale is a float32 in the body
    score = 2 * rounded * (head * largest["q"] * largest["k"] * scale + bias + attributes.get("softcap", 0))
    weight = np.expm1(2 * score) + 2 * gamma(keys + 12, unit)
    last = weight if attributes.get("qk_matmul_output_mode") == 3 else score
    return {"Y": 2 * weight * largest["v"], "present_key": 0, "present_value": 0, "qk_matmul_output": last}


def close(case: Case, got: list[np.ndarray], want: list[np.ndarray], bounds: dict[str, float]) -> None:
    for name, one, other in zip([value.name for value in case.model.graph.output], got, want, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        np.testing.assert_allclose(np.float64(one), np.float64(other), rtol=0, atol=bounds[name], err_msg=name)


@st.composite
def exact_cases(draw: st.DrawFn) -> Case:
    """Whole numbers; the mask leaves each query one key, whose weight is then 1, the others' 0."""
    dtype = draw(st.sampled_from(sorted(UNITS, key=str)))
    feeds, attributes, queries, keys = draw(operands(dtype, exact=True))
    chosen = draw(st.lists(st.integers(0, keys - 1), min_size=queries, max_size=queries))
    feeds["attn_mask"] = np.eye(keys, dtype=bool)[chosen]
    outputs = ["Y", *(["present_key", "present_value"] if "past_key" in feeds else ["", ""]), "qk_matmul_output"]
    model = attention(feeds, outputs, draw(st.integers(23, 28)), scale=1.0, **attributes)
    return Case(model, feeds, draw(st.sampled_from(LIMITS)), draw(st.sampled_from(FORMS)))


@FEW
@given(exact_cases())
def test_attention_to_one_key_is_bit_exact(case: Case) -> None:
    result = lowered(case)
    want = run_reference(case.model, case.feeds)
    for got in [run_reference(result, case.feeds)] if OLD_ONNXRUNTIME else engines(result, case.feeds):
        close(case, got, want, dict.fromkeys(("Y", "present_key", "present_value", "qk_matmul_output"), 0.0))
    if not OLD_ONNXRUNTIME:
        assert_verified(case.model, result)


def engines(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    """The outputs in each engine that runs the model."""
    try:
        return [run_reference(model, feeds), run_onnxruntime(model, feeds)]
    except CANNOT:
        return [run_reference(model, feeds)]


@st.composite
def flex_cases(draw: st.DrawFn) -> Case:
    """Whole numbers, and a scale that leaves weight to the largest scores only."""
    size = st.integers(1, 5)
    batch, kv_heads, group, length = (
        draw(st.integers(1, 2)),
        draw(st.integers(1, 2)),
        draw(st.integers(1, 3)),
        draw(size),
    )
    head, value = draw(size), draw(size)
    shapes = {"Q": [batch, kv_heads * group, draw(size), head], "K": [batch, kv_heads, length, head]}
    shapes["V"] = [batch, kv_heads, length, value]
    feeds = {name: whole(shape, np.dtype(np.float32), seed) for seed, (name, shape) in enumerate(shapes.items())}
    model = attention(feeds, ["Y"], draw(st.integers(26, 28)), "FlexAttention", scale=256.0)
    return Case(model, feeds, draw(st.sampled_from(LIMITS)), draw(st.sampled_from(FORMS)))


@st.composite
def linear_cases(draw: st.DrawFn) -> Case:
    """Whole numbers, a state that doesn't decay."""
    batch, kv_heads, group = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    length, head, value = (draw(st.integers(1, 4)) for _ in range(3))
    rule = draw(st.sampled_from(["linear", "gated", "delta", "gated_delta"]))
    widths = {"query": kv_heads * group * head, "key": kv_heads * head, "value": kv_heads * value}
    widths |= {"decay": kv_heads * head} if "gated" in rule else {}
    widths |= {"beta": kv_heads} if "delta" in rule else {}
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    feeds = {name: rng.integers(-1, 2, [batch, length, width]).astype(np.float32) for name, width in widths.items()}
    if "gated" in rule:
        feeds["decay"] *= 0
    if draw(st.booleans()):
        feeds["past_state"] = rng.integers(-1, 2, [batch, kv_heads, head, value]).astype(np.float32)
    heads = {"q_num_heads": kv_heads * group, "kv_num_heads": kv_heads}
    opset = draw(st.integers(27, 28))
    model = attention(feeds, ["Y", "S"], opset, "LinearAttention", update_rule=rule, scale=1.0, **heads)
    return Case(model, feeds, draw(st.sampled_from(LIMITS)), draw(st.sampled_from(FORMS)))


@FEW
@given(flex_cases())
def test_flex_attention_lowered_is_legal_and_equal(case: Case) -> None:
    bound = 2 * 3 * gamma(case.feeds["K"].shape[2] + 2, UNITS[np.float32])
    result = lowered(case)
    close(case, run_reference(result, case.feeds), run_reference(case.model, case.feeds), {"Y": bound})
    assert_verified(case.model, result)


@FEW
@given(linear_cases())
def test_linear_attention_lowered_is_legal_and_bit_exact(case: Case) -> None:
    result = lowered(case)
    close(case, run_reference(result, case.feeds), run_reference(case.model, case.feeds), {"Y": 0.0, "S": 0.0})
    assert_verified(case.model, result)


def backend_cases() -> dict[str, onnx.backend.test.loader.TestCase]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cases of other operators overflow on purpose
        every = onnx.backend.test.loader.load_model_tests(kind="node")
    return {
        case.name.removeprefix("test_"): case
        for case in every
        if "attention" in case.name and "expanded" not in case.name
    }


BACKEND = backend_cases()
QUICK = [name for number, name in enumerate(BACKEND) if number % 8 == 0]
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@pytest.mark.parametrize("name", BACKEND if LONG else QUICK)
def test_onnx_s_own_cases(name: str) -> None:
    """A float16 may be 2 units in the last place off, as onnx's own runner allows bfloat16: each tile is rounded."""
    case = BACKEND[name]
    result = onnxtile.lower(case.model, (4, 4, 4), ops="attention")
    assert all(row.status == "fits" for row in onnxtile.check(result, (4, 4, 4), ops="all").contractions)
    for inputs, outputs in case.data_sets:
        got = run_reference(result, dict(zip([value.name for value in result.graph.input], inputs, strict=True)))
        for one, other in zip(got, outputs, strict=True):
            assert one.dtype == other.dtype
            rtol = max(case.rtol, 4 * UNITS[one.dtype.type])
            np.testing.assert_allclose(np.float64(one), np.float64(other), rtol=rtol, atol=case.atol)
