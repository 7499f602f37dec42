"""RNN, LSTM and GRU lowered: as a numpy model of their specification has them, legal, proven, or refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.passes import DecomposeRecurrent, decompose_recurrent
from tests.recurrent import DEFAULT, FUNCTIONS, Layer, layer
from tests.support import FEWER, FORMS, operators, run_onnxruntime, sizes_of_products

LIMITS = (2, 3, 4)
OP_TYPES = tuple(DEFAULT)
EXACT: dict[str, tuple[float, ...]] = {
    "Relu": (), "Affine": (2.0, -1.0), "LeakyRelu": (0.5,), "ThresholdedRelu": (1.0,), "HardSigmoid": (0.5, 0.5),
}  # fmt: skip
"""Activations that are exact on small whole numbers and halves."""


def lowered_right(
    own: Layer, max: tuple[int | None, ...] = LIMITS, exact: bool = True, opset: int = 17, free: tuple[str, ...] = (),
    constants: tuple[str, ...] = ("W", "R", "B", "P"), **how: Any,
) -> onnx.ModelProto:  # fmt: skip
    """Lower a layer; assert that it's legal, and what it gives is what the specification says, and onnxruntime's."""
    model, feeds = own.model(opset, constants, free), own.feeds(constants)
    lowered: onnx.ModelProto = onnxtile.lower(model, max, ops="all", **how)
    onnx.checker.check_model(lowered, full_check=True)
    assert not {"RNN", "LSTM", "GRU"} & set(operators(lowered))
    assert onnxtile.check(lowered, max, ops="all").ok
    wanted = [own.specified()]
    if not own.attributes.get("layout"):
        wanted.append(run_onnxruntime(model, feeds))
    got = run_onnxruntime(lowered, feeds)
    names = own.outputs or ("Y", "Y_h", "Y_c")
    for results in wanted:
        if len(results) != len(got):
            results = [result for name, result in zip(names, results, strict=False) if name]
        for one, other in zip(results, got, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            if exact:
                np.testing.assert_array_equal(other, one)
            else:  # onnxruntime computes Sigmoid and Tanh by polynomials of its own
                np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
    return lowered


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    op_type, directions = draw(st.sampled_from(OP_TYPES)), draw(st.sampled_from([1, 1, 2]))
    names = [draw(st.sampled_from(sorted(EXACT))) for _ in DEFAULT[op_type] * directions]
    attributes: dict[str, Any] = {"activations": names}
    for at, which in enumerate(("activation_alpha", "activation_beta")):
        numbers = [EXACT[name][at] for name in names if len(EXACT[name]) > at]
        attributes |= {which: numbers} if numbers else {}
    attributes["clip"] = float(draw(st.integers(1, 2)))
    if op_type == "LSTM":
        attributes |= draw(st.sampled_from([{}, {"input_forget": 1}]))
    if op_type == "GRU":
        attributes["linear_before_reset"] = draw(st.integers(0, 1))
    if directions == 1 and draw(st.booleans()):
        attributes["direction"] = "reverse"
    return layer(
        op_type, steps=draw(st.integers(1, 3)), batch=draw(st.integers(1, 3)), width=draw(st.integers(1, 5)),
        hidden=draw(st.integers(1, 5)), directions=directions, layout=draw(st.integers(0, 1)),
        biased=draw(st.booleans()), lengths=draw(st.booleans()), states=draw(st.booleans()),
        peepholes=op_type == "LSTM" and draw(st.booleans()), seed=draw(st.integers(0, 99)), **attributes,
    )  # fmt: skip


@FEWER
@given(
    layers(), st.sampled_from(FORMS), st.sampled_from(["scan", "unroll"]), st.booleans(),
    st.sampled_from([(1, 1, 1), (2, 3, 2), (None, 2, 3), (4, 4, 4)]), st.sampled_from([11, 13, 17, 20]),
)  # fmt: skip
def test_whole_numbers_are_exact(
    own: Layer, form: str, steps: str, is_constant: bool, limits: tuple[int | None, int, int], opset: int
) -> None:
    constants = ("W", "R", "B", "P") if is_constant else ()
    opset = max(opset, 14) if own.attributes.get("layout") else opset
    model, feeds = own.model(opset, constants), own.feeds(constants)
    lowered = onnxtile.lower(model, limits, ops="all", form=form, steps=steps)  # type: ignore[arg-type]
    assert onnxtile.check(lowered, limits, ops="all").ok
    if own.op_type in operators(lowered):
        return  # it fits
    for one, other in zip(own.specified(), run_onnxruntime(lowered, feeds), strict=True):
        np.testing.assert_array_equal(other, one)
    verdict = onnxtile.verify(model, lowered)
    assert [region.status for region in verdict.regions] == ["proven"], verdict.why


@pytest.mark.parametrize("steps", ["scan", "unroll"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("op_type", OP_TYPES)
def test_the_usual_layer(op_type: str, form: str, steps: str) -> None:
    lowered_right(layer(op_type, whole=False), exact=False, form=form, steps=steps)


@pytest.mark.parametrize("op_type", OP_TYPES)
def test_onnxruntime_agrees_on_lengths_states_and_directions(op_type: str) -> None:
    own = layer(op_type, directions=2, lengths=[3, 1], states=True, activations=["Relu"] * 2 * len(DEFAULT[op_type]))
    lowered_right(own)
    lowered_right(own, steps="unroll")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("op_type", OP_TYPES)
def test_a_clip_bounds_what_goes_into_gates(op_type: str, seed: int) -> None:
    activations = ["Relu"] * len(DEFAULT[op_type])
    lowered_right(layer(op_type, steps=5, activations=activations, clip=1.0, seed=seed, states=True))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_activation(name: str) -> None:
    numbers = {"Affine": (0.5, 0.25), "ScaledTanh": (1.5, 0.75), "HardSigmoid": (0.3, 0.4)}.get(name, (0.7,))
    takes = {"Affine": 2, "ScaledTanh": 2, "HardSigmoid": 2, "LeakyRelu": 1, "Elu": 1, "ThresholdedRelu": 1}.get(
        name, 0
    )
    given = {f"activation_{key}": [number] for key, number in zip(("alpha", "beta"), numbers[:takes], strict=False)}
    own = layer("RNN", whole=False, activations=[name], **given)
    lowered = lowered_right(own, exact=False)
    assert onnxtile.verify(own.model(), lowered).regions[0].status == "proven"


@pytest.mark.parametrize("name", ["LeakyRelu", "Elu", "HardSigmoid"])
def test_alpha_and_beta_have_defaults(name: str) -> None:
    lowered_right(layer("RNN", whole=False, activations=[name]), exact=False)


def test_one_product_of_all_inputs_and_a_scan() -> None:
    lowered = lowered_right(layer("LSTM", whole=False), max=(6, 4, 11), exact=False, form="batched")
    assert operators(lowered).count("Scan") == 1
    unrolled = lowered_right(layer("LSTM", whole=False), max=(6, 4, 11), exact=False, form="function", steps="unroll")
    assert "Scan" not in operators(unrolled)
    assert max(m for m, _, _ in sizes_of_products(unrolled)) == 6


def test_free_steps_and_batch() -> None:
    for free in (("steps",), ("batch",), ("steps", "batch")):
        own = layer("GRU", whole=False, lengths=[3, 1], outputs=("Y", "Y_h"))
        for limits, form in (((None, 3, 4), "unrolled"), (LIMITS, "batched")):
            lowered = lowered_right(own, limits, exact=False, free=free, form=form)
            verdict = onnxtile.verify(own.model(free=free), lowered)
            assert [region.status for region in verdict.regions] == ["proven"], verdict.why


@pytest.mark.parametrize("form", ["batched", "loop", "function"])
@pytest.mark.parametrize("op_type", OP_TYPES)
def test_an_input_of_unknown_shape_is_as_wide_as_its_weight_says(op_type: str, form: str) -> None:
    """Show that what a Reshape of the exporter hides: X has three axes in every run, and W has its input size."""
    own = layer(op_type, whole=False, lengths=[3, 1], outputs=("Y", "Y_h"))
    model = own.model()
    _, *others = model.graph.input
    model.graph.node.insert(0, onnx.helper.make_node("Reshape", ["flat", "shape"], ["X"], "hidden"))
    del model.graph.input[:]
    sizes = onnx.helper.make_tensor_value_info("shape", onnx.TensorProto.INT64, ["rank"])
    model.graph.input.extend([onnx.helper.make_tensor_value_info("flat", 1, ["count"]), sizes, *others])
    lowered = onnxtile.lower(model, LIMITS, form=form)  # type: ignore[call-overload]
    assert onnxtile.check(lowered, (None, *LIMITS[1:])).ok
    feeds = own.feeds()
    feeds |= {"flat": feeds["X"].ravel(), "shape": np.array(feeds.pop("X").shape)}
    for one, other in zip(own.specified()[:2], run_onnxruntime(lowered, feeds), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def test_an_input_of_free_width_is_proven_at_the_width_that_its_weight_has() -> None:
    own = layer("RNN", activations=["Relu"], clip=1.0)
    model = own.model()
    for dim in model.graph.input[0].type.tensor_type.shape.dim:
        dim.Clear()
    lowered = onnxtile.lower(model, LIMITS, form="batched")
    verdict = onnxtile.verify(model, lowered)
    assert [region.status for region in verdict.regions] == ["proven"], verdict.why


@pytest.mark.parametrize("outputs", [("Y",), ("", "Y_h"), ("", "", "Y_c"), ("Y", "", "Y_c")])
@pytest.mark.parametrize("steps", ["scan", "unroll"])
def test_outputs_that_are_left_out(outputs: tuple[str, ...], steps: str) -> None:
    own = layer("LSTM", activations=["Relu"] * 3, clip=1.0, outputs=outputs)
    lowered = lowered_right(own, steps=steps)
    assert {value.name for value in lowered.graph.output} == set(filter(None, outputs))


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 22])
def test_opsets(opset: int) -> None:
    own = layer("LSTM", activations=["Relu"] * 3, clip=1.0)
    lowered = lowered_right(own, opset=opset)
    assert ("Scan" in operators(lowered)) == (opset > 8)


@pytest.mark.parametrize("dtype", [np.float64])
def test_types(dtype: Any) -> None:
    own = layer("LSTM", dtype=dtype, activations=["Relu"] * 3, clip=1.0)
    lowered = onnxtile.lower(own.model(), LIMITS, ops="all")
    for one, other in zip(own.specified(), run_onnxruntime(lowered, own.feeds()), strict=True):
        np.testing.assert_array_equal(other, one)
    assert onnxtile.verify(own.model(), lowered).regions[0].status == "proven"


@pytest.mark.parametrize("size", ["steps", "batch", "width", "hidden"])
def test_no_elements(size: str) -> None:
    own = layer("LSTM", **{size: 0, "width" if size == "hidden" else "hidden": 9}, activations=["Relu"] * 3)  # type: ignore[arg-type]
    lowered = onnxtile.lower(own.model(), LIMITS, ops="all")
    for one, other in zip(own.specified(), run_onnxruntime(lowered, own.feeds()), strict=True):
        np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (layer("RNN", direction="sideways"), "direction is 'sideways'; it must be one of forward, reverse, bidir"),
        (layer("RNN", activations=["Tanh", "Tanh"]), "names 2 activations, not 1 for each of 1 directions"),
        (layer("RNN", activations=["Gelu"]), "activation 'Gelu' is unknown; take one of Relu"),
        (
            layer("RNN", activations=["ScaledTanh"]),
            "ScaledTanh without activation_alpha, of which engines take another each; give it",
        ),
        (layer("RNN", activations=["ThresholdedRelu"]), "ThresholdedRelu without activation_alpha, of which engines"),
        (layer("LSTM", activation_alpha=[0.1]), "activation_alpha has 1 numbers more than activations take"),
        (layer("GRU", clip=-1.0), "clip is -1, which bounds nothing"),
        (layer("RNN", layout=2), "layout is 2; it must be 0 or 1"),
    ],
)
def test_attributes_that_are_refused(own: Layer, words: str) -> None:
    model = own.model()
    lowered, report = onnxtile.lower(model, LIMITS, ops="all", report=True)
    assert words in str(report.having("refused")[0].reason)
    assert operators(lowered) == operators(model)


def test_lengths_above_the_steps_are_refused() -> None:
    own = layer("GRU", lengths=[4, 1])
    _, report = onnxtile.lower(own.model(constants=("W", "R", "sequence_lens")), LIMITS, ops="all", report=True)
    assert "sequence_lens has 4, and there are 3 steps" in str(report.having("refused")[0].reason)


def test_steps_that_are_no_number_are_not_unrolled() -> None:
    own = layer("GRU")
    model = own.model(free=("steps",))
    _, report = onnxtile.lower(model, (None, 3, 4), ops="all", steps="unroll", report=True)
    assert "its steps are steps, not a number, and can't be unrolled" in str(report.having("refused")[0].reason)
    with pytest.raises(onnxtile.UsageError, match="steps is 'rolled'"):
        onnxtile.lower(model, LIMITS, steps="rolled")  # type: ignore[arg-type]


@pytest.mark.parametrize("more", [0, 1])
def test_steps_that_are_as_many_as_are_unrolled_and_more(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decompose_recurrent.MOST_STEPS == 10_000
    most = 3 - more
    monkeypatch.setattr(decompose_recurrent, "MOST_STEPS", most)
    _, report = onnxtile.lower(layer("RNN").model(), (2, 2, 2), ops="rnn", steps="unroll", report=True)
    assert report.ok == (not more)
    assert not more or "3 steps are more than 2; take --steps scan" in str(report.having("refused")[0].reason)


def test_a_branch() -> None:
    own = layer("LSTM", activations=["Relu"] * 3, clip=1.0)
    model = own.model()
    node = model.graph.node[0]
    inner = onnx.helper.make_graph(
        [node], "then", [], [onnx.helper.make_tensor_value_info(o, 1, None) for o in node.output]
    )
    outputs = [f"{name}_out" for name in node.output]
    zeros = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Constant", [], [f"zero_{name}"], value_float=0.0) for name in node.output
        ], "else", [], [onnx.helper.make_tensor_value_info(f"zero_{name}", 1, []) for name in node.output],
    )  # fmt: skip
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("If", ["go"], outputs, "choice", then_branch=inner, else_branch=zeros)], "outer",
        [*model.graph.input, onnx.helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, [])],
        [onnx.helper.make_tensor_value_info(name, 1, None) for name in outputs], list(model.graph.initializer),
    )  # fmt: skip
    nested = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=8)
    for steps in ("scan", "unroll"):
        lowered = onnxtile.lower(nested, LIMITS, ops="all", steps=steps)  # type: ignore[call-overload]
        assert onnxtile.check(lowered, LIMITS, ops="all").ok
        got = run_onnxruntime(lowered, {**own.feeds(), "go": np.array(True)})
        for one, result in zip(own.specified(), got, strict=True):
            np.testing.assert_array_equal(result, one)


def test_the_pass_alone_writes_all_out() -> None:
    import onnx_ir as ir

    model = ir.from_proto(layer("LSTM", activations=["Relu"] * 3).model())
    onnxtile.PassManager(["infer-shapes", DecomposeRecurrent()])(model)
    assert "LSTM" not in [node.op_type for node in model.graph]
