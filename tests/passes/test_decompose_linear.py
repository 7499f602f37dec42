"""Linear models of ai.onnx.ml lowered: right by numpy and onnxruntime, proven, or refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from onnxtile.passes import DecomposeLinear
from tests.decomposed import is_refused, one_node, rightly_decomposed
from tests.support import FEWER, FORMS, form_for, run_onnxruntime, whole

ML = "ai.onnx.ml"
F32 = np.dtype(np.float32)
REGRESSOR = {"coefficients": whole([35], F32, 1).tolist(), "targets": 5}
CLASSIFIER = {"coefficients": whole([35], F32, 2).tolist(), "classlabels_ints": [9, 8, 7, 6, 5]}


def regressor(shape: list[Any], opset: int = 21, fed: type[np.generic] = np.float32, **more: Any) -> onnx.ModelProto:
    return one_node(
        "LinearRegressor", {"x": shape}, {"y": (TensorProto.FLOAT, 2)}, ML, opset, fed, **{**REGRESSOR, **more}
    )


def classifier(shape: list[Any], opset: int = 21, fed: type[np.generic] = np.float32, **more: Any) -> onnx.ModelProto:
    attributes = {key: value for key, value in {**CLASSIFIER, **more}.items() if value is not None}
    text = "classlabels_strings" in attributes
    outputs = {"label": (TensorProto.STRING if text else TensorProto.INT64, 1), "scores": (TensorProto.FLOAT, 2)}
    return one_node("LinearClassifier", {"x": shape}, outputs, ML, opset, fed, **attributes)


def scores_of(x: np.ndarray, model: onnx.ModelProto) -> np.ndarray:
    """Return what the specification says of scores before they're transformed, in numpy."""
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in model.graph.node[0].attribute}
    x = np.atleast_2d(x).astype(np.float32)
    product = x @ np.array(attributes["coefficients"], np.float32).reshape(-1, x.shape[1]).T
    return np.asarray(product + np.array(attributes.get("intercepts", 0), np.float32))


@st.composite
def linear_models(draw: st.DrawFn) -> tuple[onnx.ModelProto, np.ndarray]:
    features, rows = draw(st.integers(5, 7)), draw(st.integers(1, 5))  # more than any limit: all is lowered
    given_shape = draw(st.sampled_from([[draw(st.integers(1, 6)), features], [features]]))
    dtype = draw(st.sampled_from([np.float32, np.float32, np.float64, np.int64, np.int32]))
    more: dict[str, Any] = {"coefficients": whole([rows * features], F32, rows).tolist()}
    if draw(st.booleans()):
        more["intercepts"] = whole([rows], F32, 3).tolist()
    opset = draw(st.integers(11, 24))
    if draw(st.booleans()):
        return regressor(given_shape, opset, dtype, targets=rows, **more), whole(given_shape, np.dtype(dtype), 4)
    labels: dict[str, Any] = {"classlabels_ints": [7 * label - 9 for label in range(max(rows, 2))]}
    if draw(st.booleans()):
        labels = {"classlabels_ints": None, "classlabels_strings": [f"l{label}" for label in range(max(rows, 2))]}
    post = "LOGISTIC" if rows == 1 else "NONE"
    made = classifier(given_shape, opset=opset, fed=dtype, post_transform=post, **more, **labels)
    return made, whole(given_shape, np.dtype(dtype), 4)


@FEWER
@given(linear_models(), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4)]), st.sampled_from(FORMS))
def test_any_linear_model_is_lowered_bit_for_bit(
    case: tuple[onnx.ModelProto, np.ndarray], limits: tuple[int, int, int], form: str
) -> None:
    model, x = case
    scores = scores_of(x, model)
    wanted = [scores]
    if model.graph.node[0].op_type == "LinearClassifier":
        labels = next(
            onnx.helper.get_attribute_value(each)
            for each in model.graph.node[0].attribute
            if each.name.startswith("classlabels")
        )
        scores = np.concatenate([-scores, scores], 1) if scores.shape[1] == 1 else scores
        names = [label.decode() if isinstance(label, bytes) else label for label in labels]
        kind = object if isinstance(names[0], str) else np.int64
        one = len(model.graph.node[0].attribute) and scores_of(x, model).shape[1] == 1
        transformed = 1 / (1 + np.exp(-scores)) if one else scores
        wanted = [np.array(names, kind)[scores.argmax(1)], transformed.astype(np.float32)]
        rightly_decomposed(model, limits, {"x": x}, wanted, form_for(model, form), atol=1e-6 if one else 0)
        return
    rightly_decomposed(model, limits, {"x": x}, wanted, form_for(model, form))


@pytest.mark.parametrize("post", ["LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"])
@pytest.mark.parametrize("opset", [11, 21])
def test_scores_are_transformed_as_onnxruntime_does(post: str, opset: int) -> None:
    x = np.random.default_rng(1).uniform(0, 0.1, [6, 7]).astype(np.float32)
    weights = np.random.default_rng(2).uniform(0.1, 0.9, 35)
    weights[:7] = 0 if post == "SOFTMAX_ZERO" else weights[:7]
    for model in (
        regressor([6, 7], opset, coefficients=weights.tolist(), post_transform=post),
        classifier([6, 7], opset=opset, coefficients=weights.tolist(), intercepts=[0.0] * 5, post_transform=post),
    ):
        wanted = run_onnxruntime(model, {"x": x})
        assert all(np.isfinite(array).all() for array in wanted)
        rightly_decomposed(model, (2, 3, 2), {"x": x}, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", ["batched", "loop", "function"])
def test_how_many_rows_there_are_may_be_free(form: str) -> None:
    for model in (regressor(["rows", 7]), classifier(["rows", 7], intercepts=[0.0] * 5)):
        x = whole([5, 7], F32, 1)
        rightly_decomposed(model, (2, 3, 2), {"x": x}, run_onnxruntime(model, {"x": x}), form)


REFUSED = [
    (regressor([4, 7], post_transform="NONESUCH"), "post_transform is 'NONESUCH'"),
    (regressor([4, 7], coefficients=[1.0] * 34), "34 coefficients, no rows of 7"),
    (regressor([4, 7], intercepts=[1.0] * 3), "3 intercepts for 5 rows"),
    (regressor([4, 7], targets=1, coefficients=[1.0] * 7, post_transform="LOGISTIC"), "onnxruntime leaves out"),
    (classifier([4, 7], classlabels_ints=[1, 2]), "2 labels for 5 rows"),
    (classifier([4, 7], classlabels_ints=None), "no labels"),
    (classifier([4, 7], coefficients=[1.0] * 7, classlabels_ints=[1, 2]), "different scores"),
    (regressor([4, 7], 8, post_transform="PROBIT"), "opset 8 has no Where"),
]


@pytest.mark.parametrize(("model", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_written_out_is_refused(model: onnx.ModelProto, words: str) -> None:
    is_refused(model, words)


def test_x_of_more_axes_is_refused() -> None:
    is_refused(regressor([2, 4, 7]), "X has 3 axes")


def test_none_given_writes_every_one_out() -> None:
    found = ir.from_proto(regressor([1, 7]))
    assert DecomposeLinear()(found).modified
    assert [node.op_type for node in found.graph] == ["MatMul"]
    assert not DecomposeLinear()(found).modified
