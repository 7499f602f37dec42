"""GroupQueryAttention written out and cut: held against onnxruntime and against its documentation in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

import onnxtile
from tests.attention_cases import grouped, grouped_feeds, grouped_in_numpy
from tests.support import FORMS, run_onnxruntime, sizes_of_products

FEW = settings(max_examples=max(settings().max_examples // 5, 1))
LIMITS = (3, 5, 7)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "prompt": ({"past": (0, 0)}, {}),
    "packed": ({"packed": True, "rotary": 8}, {"do_rotary": 1}),
    "token": ({"past": (5, 7), "new": 1, "buffer": 8, "rotary": 8}, {"do_rotary": 1, "rotary_interleaved": 1}),
    "part of a head rotated": ({"past": (4,), "new": 3, "buffer": 8, "rotary": 8, "size": 32}, {"do_rotary": 1}),
    "soft cap and scale": ({"past": (4,), "new": 3, "buffer": 8}, {"softcap": 2.0, "scale": 0.3}),
    "window": ({"past": (5, 7), "new": 1, "buffer": 8}, {"local_window_size": 3}),
    "window of a prompt": ({"buffer": 8}, {"local_window_size": 2}),
    "filled up": ({"past": (0, 0), "new": 5, "valid": (5, 3)}, {}),
    "bias of a prompt": ({"past": (0, 0), "bias": (1, 4)}, {"smooth_softmax": 1}),
    "bias and sink": ({"past": (5, 7), "new": 1, "buffer": 8, "bias": (2, 1), "sink": True}, {}),
    "given positions": ({"past": (8,), "new": 2, "buffer": 8, "rotary": 8, "positions": True}, {"do_rotary": 1}),
    "positions of a prompt": ({"past": (0, 0), "rotary": 8, "positions": True}, {"do_rotary": 1}),
    "past that grows": ({"past": (8,), "new": 1, "buffer": 8}, {}),
    "both ways": ({"past": (0, 0)}, {"causal": 0}),
    "no sharing": ({"heads": 2, "kv_heads": 2, "buffer": 3, "past": (1,), "new": 2}, {}),
}


def case(name: str, **more: Any) -> tuple[onnx.ModelProto, dict[str, np.ndarray], list[np.ndarray]]:
    """The model of a case, its inputs, and what its documentation says of them."""
    sizes, attributes = CASES[name]
    heads = {"heads": 4, "kv_heads": 2} | {key: sizes[key] for key in ("heads", "kv_heads") if key in sizes}
    feeds = grouped_feeds(np.random.default_rng(7), **sizes)
    model = grouped(feeds, num_heads=heads["heads"], kv_num_heads=heads["kv_heads"], **attributes, **more)
    return model, feeds, grouped_in_numpy(feeds, **heads, **attributes)


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_operator_does(name: str) -> None:
    model, feeds, wanted = case(name)
    for form in FORMS[:2]:
        lowered = onnxtile.lower(model, LIMITS, ops="all", form=form)
        assert not [node for node in lowered.graph.node if node.domain]
        assert all(m <= 3 and k <= 5 and n <= 7 for m, k, n in sizes_of_products(lowered))
        results = run_onnxruntime(lowered, feeds)
        for result, by_operator, by_numpy in zip(results, run_onnxruntime(model, feeds), wanted, strict=True):
            assert result.shape == by_operator.shape == by_numpy.shape
            np.testing.assert_allclose(result, by_operator, atol=2e-6, rtol=2e-5)
            np.testing.assert_allclose(result, by_numpy, atol=2e-6, rtol=2e-5)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("constants", [(), ("total_sequence_length",)])
def test_it_is_proven(name: str, constants: tuple[str, ...]) -> None:
    model = case(name, constants=constants)[0]
    verdict = onnxtile.verify(model, onnxtile.lower(model, LIMITS, ops="all", form="batched"))
    assert [region.status for region in verdict.regions] == ["proven"], verdict


@pytest.mark.parametrize("form", FORMS)
def test_a_free_batch_is_lowered_and_proven_in_each_form(form: str) -> None:
    sizes = {"past": (5, 7), "new": 1, "buffer": 8, "rotary": 8, "positions": True, "bias": (1, 4)}
    feeds = grouped_feeds(np.random.default_rng(1), **sizes)
    alike = ("query", "key", "value", "past_key", "past_value", "seqlens_k", "position_ids")
    shapes = {name: ["batch", *feeds[name].shape[1:]] for name in alike}
    model = grouped(feeds, shapes=shapes, num_heads=4, kv_num_heads=2, do_rotary=1)
    lowered = onnxtile.lower(model, LIMITS, ops="all", form=form)
    for result, wanted in zip(run_onnxruntime(lowered, feeds), run_onnxruntime(model, feeds), strict=True):
        np.testing.assert_allclose(result, wanted, atol=2e-6, rtol=2e-5)
    verdict = onnxtile.verify(model, lowered)
    assert [region.status for region in verdict.regions] == ["proven"], verdict
    assert {size["total_sequence_length"] for size in verdict.regions[0].sizes} == {1, 8, 9}


def test_rows_that_are_filled_up() -> None:
    """query_seqlens says how many of the new tokens count: what comes of others isn't specified."""
    feeds = grouped_feeds(np.random.default_rng(3), past=(3, 2), new=4, buffer=12, rotary=8)
    feeds["query_seqlens"] = np.array([2, 4], np.int32)
    feeds["seqlens_k"] = np.array([4, 5], np.int32)
    feeds["total_sequence_length"] = np.array(12, np.int32)
    model = grouped(feeds, num_heads=4, kv_num_heads=2, do_rotary=1)
    lowered = onnxtile.lower(model, LIMITS, ops="all")
    results = run_onnxruntime(lowered, feeds)
    for wanted in (run_onnxruntime(model, feeds), grouped_in_numpy(feeds, 4, 2, do_rotary=1)):
        for sequence, (valid, total) in enumerate([(2, 5), (4, 6)]):
            np.testing.assert_allclose(results[0][sequence, :valid], wanted[0][sequence, :valid], atol=2e-6)
            for at in (1, 2):
                np.testing.assert_allclose(results[at][sequence, :, :total], wanted[at][sequence, :, :total], atol=2e-6)
    assert onnxtile.verify(model, lowered).regions[0].status == "proven"


@pytest.mark.parametrize("outputs", [("y",), ("y", "", "present_value"), ("y", "present_key", "")])
def test_outputs_that_nobody_reads_are_left_out(outputs: tuple[str, ...]) -> None:
    """Without present_key onnxruntime's kernel doesn't read the past, whatever it's told: numpy is right."""
    feeds = grouped_feeds(np.random.default_rng(1), past=(5,), new=1, buffer=8)
    model = grouped(feeds, outputs, num_heads=4, kv_num_heads=2)
    lowered = onnxtile.lower(model, LIMITS, ops="all")
    wanted = [array for name, array in zip(outputs, grouped_in_numpy(feeds, 4, 2), strict=False) if name]
    for result, expected in zip(run_onnxruntime(lowered, feeds), wanted, strict=True):
        np.testing.assert_allclose(result, expected, atol=2e-6, rtol=2e-5)
    assert onnxtile.verify(model, lowered).regions[0].status == "proven"


@FEW
@given(st.data())
def test_random_ones(data: st.DataObject) -> None:
    draw = data.draw
    kv_heads, shared = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    buffer = draw(st.sampled_from([None, 3, 6]))
    new = draw(st.integers(1, 4))
    batch = draw(st.integers(1, 2)) if buffer is None or new == 1 else 1
    room = (buffer or 0) - new
    choices = [[0] * batch] * (buffer is None or room >= 0) + [[buffer] * batch] * (buffer is not None)
    choices += [draw(st.lists(st.integers(1, room), min_size=batch, max_size=batch))] if room > 0 else []
    past = draw(st.sampled_from(choices))
    rotary = draw(st.sampled_from([0, 8]))
    sizes = {
        "past": past, "new": new, "heads": kv_heads * shared, "kv_heads": kv_heads, "buffer": buffer, "rotary": rotary,
        "size": draw(st.sampled_from([16, 32])), "packed": draw(st.booleans()), "positions": draw(st.booleans()),
        "bias": draw(st.sampled_from([None, (1, 1), (batch, kv_heads * shared)])), "sink": draw(st.booleans()),
    }  # fmt: skip
    attributes = {
        "do_rotary": int(rotary > 0), "rotary_interleaved": draw(st.integers(0, 1)),
        "local_window_size": draw(st.sampled_from([-1, 1, 2, 5])), "softcap": draw(st.sampled_from([0.0, 3.0])),
        "scale": draw(st.sampled_from([0.0, 0.5])),
    }  # fmt: skip
    feeds = grouped_feeds(np.random.default_rng(draw(st.integers(0, 99))), **sizes)
    heads = {"heads": kv_heads * shared, "kv_heads": kv_heads}
    model = grouped(feeds, num_heads=heads["heads"], kv_num_heads=kv_heads, **attributes)
    limits, form = draw(st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4)])), draw(st.sampled_from(FORMS[1:]))
    lowered = onnxtile.lower(model, limits, ops="all", form=form)
    results, by_operator = run_onnxruntime(lowered, feeds), run_onnxruntime(model, feeds)
    for result, one, other in zip(results, by_operator, grouped_in_numpy(feeds, **heads, **attributes), strict=True):
        np.testing.assert_allclose(result, one, atol=5e-6, rtol=5e-5)
        np.testing.assert_allclose(result, other, atol=5e-6, rtol=5e-5)
    assert onnxtile.verify(model, lowered).regions[0].status == "proven"


@pytest.mark.parametrize("dtype", [np.float16])
def test_narrow_types(dtype: Any) -> None:
    feeds = grouped_feeds(np.random.default_rng(1), past=(5,), new=1, buffer=8, rotary=8, dtype=dtype)
    model = grouped(feeds, num_heads=4, kv_num_heads=2, do_rotary=1)
    lowered = onnxtile.lower(model, LIMITS, ops="all")
    for result, wanted in zip(run_onnxruntime(lowered, feeds), run_onnxruntime(model, feeds), strict=True):
        np.testing.assert_allclose(result.astype(float), wanted.astype(float), atol=5e-3)
    assert onnxtile.verify(model, lowered).regions[0].status == "proven"


def test_in_a_local_function_and_in_a_body() -> None:
    feeds = grouped_feeds(np.random.default_rng(1), past=(4,), new=2, buffer=8, rotary=8)
    model = grouped(feeds, ("y",), num_heads=4, kv_num_heads=2, do_rotary=1)
    (node,), graph, opsets = model.graph.node, model.graph, model.opset_import
    inputs = [name for name in node.input if name]
    function = helper.make_function("own", "Attend", inputs, ["y"], [node], opsets)
    call = helper.make_node("Attend", inputs, ["y"], "call", domain="own")
    called = helper.make_model(
        helper.make_graph([call], "graph", graph.input, graph.output),
        functions=[function], opset_imports=[*opsets, helper.make_opsetid("own", 1)], ir_version=10,
    )  # fmt: skip
    branch = helper.make_graph([node], "branch", [], graph.output)
    choice = helper.make_node("If", ["chosen"], ["z"], "choice", then_branch=branch, else_branch=branch)
    z, chosen = (
        helper.make_tensor_value_info(name, kind, None if kind == 1 else []) for name, kind in (("z", 1), ("chosen", 9))
    )
    chose = helper.make_model(
        helper.make_graph([choice], "graph", [*graph.input, chosen], [z]), opset_imports=opsets, ir_version=10
    )
    wanted = grouped_in_numpy(feeds, 4, 2, do_rotary=1)[0]
    for nested, fed in ((called, feeds), (chose, feeds | {"chosen": np.array(True)})):
        lowered = onnxtile.lower(nested, LIMITS, ops="all", form="batched")
        np.testing.assert_allclose(run_onnxruntime(lowered, fed)[0], wanted, atol=2e-6, rtol=2e-5)
        assert "GroupQueryAttention" not in str(lowered)
        assert {region.status for region in onnxtile.verify(nested, lowered).regions} == {"proven"}
