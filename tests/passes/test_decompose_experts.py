"""Mixtures of experts lowered: right by numpy and onnxruntime, proven, or refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

import onnxtile
from onnxtile.operators.block_packing import pack
from tests.decomposed import is_refused, one_node, rightly_decomposed
from tests.support import FEWEST, FORMS, loads, run_onnxruntime, whole

EXPERTS, HIDDEN, INNER = 4, 6, 5
F32 = np.dtype(np.float32)
LIMITS = (2, 3, 2)


def moe(
    shape: list[Any], act: str = "relu", bias: bool = True, fed: type[np.generic] = np.float32, opset: int = 21,
    gate: bool = False, **attributes: Any,
) -> onnx.ModelProto:  # fmt: skip
    """A MoE named fc; of k = 2 experts a token unless `attributes` say otherwise."""
    fused = 2 if act == "swiglu" and attributes.setdefault("swiglu_fusion", 1) else 1
    dtype = np.dtype(fed)
    tokens = shape[0] if len(shape) == 2 else shape[0] * shape[1] if isinstance(shape[0], int) else "tokens"
    inputs: dict[str, Any] = {
        "x": shape, "router": [tokens, EXPERTS],
        "fc1": whole([EXPERTS, fused * INNER, HIDDEN], dtype, 1),
        "b1": whole([EXPERTS, fused * INNER], dtype, 2) if bias else None,
        "fc2": whole([EXPERTS, HIDDEN, INNER], dtype, 3),
        "b2": whole([EXPERTS, HIDDEN], dtype, 4) if bias else None,
        "fc3": whole([EXPERTS, INNER, HIDDEN], dtype, 5) if gate else None,
    }  # fmt: skip
    data_type = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    attributes = {"k": 2, "activation_type": act, **attributes}
    return one_node("MoE", inputs, {"y": (data_type, len(shape))}, "com.microsoft", opset, fed, **attributes)


def qmoe(bits: int = 4, block: int = 0, zeros: bool = False, bias: bool = True, **attributes: Any) -> onnx.ModelProto:
    """A QMoE named fc of hidden size 32, inner size 16 and five tokens."""
    rng, inputs = np.random.default_rng(bits), dict[str, Any]()
    inputs |= {"x": [5, 32], "router": [5, EXPERTS]}
    points = dict[str, Any]()
    for name, n, k in (("fc1", 16, 32), ("fc2", 32, 16)):
        scales = (EXPERTS, n, k // block) if block else (EXPERTS, n)
        inputs[name] = pack(rng.integers(0, 1 << bits, (EXPERTS, n, k)).astype(np.uint8), bits)
        inputs[f"{name}_scales"] = np.exp2(rng.integers(-2, 1, scales)).astype(np.float32)
        inputs[f"{name}_bias"] = whole([EXPERTS, n], F32, n) if bias else None
        points[f"{name}_zeros"] = pack(rng.integers(0, 1 << bits, scales).astype(np.uint8), bits) if zeros else None
    inputs |= dict.fromkeys(("fc3", "fc3_scales", "fc3_bias")) | points
    attributes = {"k": 2, "expert_weight_bits": bits, "normalize_routing_weights": 1, **attributes}
    attributes |= {"block_size": block} if block else {}
    return one_node("QMoE", inputs, {"y": (TensorProto.FLOAT, 2)}, "com.microsoft", 21, **attributes)


def fed(model: onnx.ModelProto, tokens: int, hidden: int = HIDDEN, dtype: Any = F32) -> dict[str, np.ndarray]:
    """Whole numbers for tokens, and logits of which many are equal."""
    rank = len(model.graph.input[0].type.tensor_type.shape.dim)
    shape = [tokens, hidden] if rank == 2 else [2, tokens // 2, hidden]
    return {"x": whole(shape, np.dtype(dtype), 6), "router": whole([tokens, EXPERTS], np.dtype(dtype), 7)}


def by_hand(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """Return what onnxruntime's documentation says of MoE, in numpy, expert by expert."""
    node = model.graph.node[0]
    given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    weights = {each.name: onnx.numpy_helper.to_array(each).astype(np.float32) for each in model.graph.initializer}
    x = feeds["x"].reshape(-1, feeds["x"].shape[-1]).astype(np.float32)
    logits, y = feeds["router"].astype(np.float32), np.zeros_like(x)
    for token, row in enumerate(logits):
        chances = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        chosen = sorted(range(len(row)), key=lambda expert: (-row[expert], -expert))[: given["k"]]
        total = chances[chosen].sum() if given.get("normalize_routing_weights") else 1
        for expert in chosen:
            up = weights["fc1"][expert] @ x[token] + weights.get("b1", np.zeros([len(row), 1]))[expert]
            gate = weights["fc3"][expert] @ x[token] if "fc3" in weights else None
            inner = activated(up, gate, given)
            down = weights["fc2"][expert] @ inner + weights.get("b2", np.zeros([len(row), 1]))[expert]
            y[token] += chances[expert] / total * down
    return np.asarray(y.reshape(feeds["x"].shape).astype(feeds["x"].dtype))


def activated(up: np.ndarray, gate: np.ndarray | None, given: dict[str, Any]) -> np.ndarray:
    def sigmoid(x: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))))

    name = given["activation_type"].decode()
    if name == "swiglu":
        half, fusion = len(up) // 2, given["swiglu_fusion"]
        linear = gate if gate is not None else up[1::2] if fusion == 1 else up[half:]
        g = up if gate is not None else up[::2] if fusion == 1 else up[:half]
        limit = given.get("swiglu_limit", np.inf)
        g, linear = np.minimum(g, limit), np.clip(linear, -limit, limit)
        return np.asarray(
            g * sigmoid(given.get("activation_alpha", 1) * g) * (linear + given.get("activation_beta", 0))
        )
    curve = {
        "relu": np.maximum(up, 0), "identity": up, "silu": up * sigmoid(up),
        "gelu": 0.5 * up * (1 + np.tanh(0.7978845608 * (up + 0.044715 * up**3))),
    }  # fmt: skip
    return np.asarray(curve[name])


WAYS: list[dict[str, Any]] = [
    {"act": "relu"}, {"act": "identity", "normalize_routing_weights": 1}, {"act": "silu", "bias": False},
    {"act": "gelu", "k": 1}, {"act": "swiglu"},
    {"act": "swiglu", "swiglu_limit": 3.0, "activation_alpha": 1.5, "activation_beta": 1.0, "k": 4},
]  # fmt: skip


@FEWEST
@given(st.data(), st.sampled_from(FORMS), st.sampled_from([(1, 1, 1), LIMITS, (4, 4, 4)]))
def test_random_mixtures(data: st.DataObject, form: str, limits: tuple[int, int, int]) -> None:
    how = {
        "act": st.sampled_from(["relu", "identity", "silu", "gelu", "swiglu"]), "k": st.integers(1, EXPERTS),
        "normalize_routing_weights": st.integers(0, 1), "bias": st.booleans(),
        "opset": st.sampled_from([14, 17, 18, 21, 23]),
    }  # fmt: skip
    tokens = data.draw(st.integers(1, 5))
    shape = data.draw(st.sampled_from([[tokens, HIDDEN], [2, tokens, HIDDEN]]))
    model = moe(shape, **{name: data.draw(drawn) for name, drawn in how.items()})
    feeds = fed(model, tokens * (len(shape) - 1))
    rightly_decomposed(model, limits, feeds, [by_hand(model, feeds)], form, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", WAYS, ids=[each["act"] for each in WAYS])
@pytest.mark.parametrize("shape", [[7, HIDDEN], [2, 3, HIDDEN]])
def test_any_mixture_is_lowered(how: dict[str, Any], form: str, shape: list[int]) -> None:
    model = moe(shape, **how)
    feeds = fed(model, 7 if len(shape) == 2 else 6)
    wanted = by_hand(model, feeds)
    if loads(model):
        np.testing.assert_allclose(run_onnxruntime(model, feeds)[0], wanted, rtol=1e-5, atol=1e-4)
    rightly_decomposed(model, LIMITS, feeds, [wanted], form, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("how", [{"swiglu_fusion": 2}, {"swiglu_fusion": 0, "gate": True}], ids=["halves", "fc3"])
def test_gates_that_no_engine_here_runs_are_what_the_documentation_says(how: dict[str, Any]) -> None:
    model = moe([7, HIDDEN], "swiglu", **how)
    feeds = fed(model, 7)
    rightly_decomposed(model, LIMITS, feeds, [by_hand(model, feeds)], "batched", rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("limits", [(1, 1, 1), (4, 4, 4)])
def test_of_halves_it_is_rounded_once(limits: tuple[int, int, int]) -> None:
    model = moe([4, HIDDEN], "identity", fed=np.float16, k=1, normalize_routing_weights=1)
    feeds = fed(model, 4, dtype=np.float16)
    rightly_decomposed(model, limits, feeds, [by_hand(model, feeds)])


@pytest.mark.parametrize("form", ["batched", "function"])
def test_how_many_tokens_there_are_may_be_free(form: str) -> None:
    model = moe(["batch", "length", HIDDEN])
    feeds = fed(model, 6)
    lowered = rightly_decomposed(model, LIMITS, feeds, [by_hand(model, feeds)], form, rtol=1e-5, atol=1e-4)
    empty = {"x": np.zeros([2, 0, HIDDEN], np.float32), "router": np.zeros([0, EXPERTS], np.float32)}
    assert run_onnxruntime(lowered, empty)[0].shape == (2, 0, HIDDEN)


def test_infinity_stays_with_the_tokens_that_are_sent_to_it() -> None:
    model = moe([4, HIDDEN], k=1)
    bias = next(each for each in model.graph.initializer if each.name == "b2")
    numbers = onnx.numpy_helper.to_array(bias).copy()
    numbers[1] = np.inf
    bias.CopyFrom(onnx.numpy_helper.from_array(numbers, "b2"))
    router = np.eye(4, dtype=np.float32)
    made = onnxtile.lower(model, LIMITS, ops="all")
    (y,) = run_onnxruntime(made, {"x": whole([4, HIDDEN], F32, 1), "router": router})
    assert np.isinf(y[1]).all()
    assert np.isfinite(y[[0, 2, 3]]).all()


@pytest.mark.parametrize(("bits", "block"), [(4, 0), (4, 16), (8, 0), (8, 16), (2, 0)])
@pytest.mark.parametrize("zeros", [False, True])
def test_packed_weights_become_numbers(bits: int, block: int, zeros: bool) -> None:
    model = qmoe(bits, block, zeros)
    feeds = fed(model, 5, 32)
    lowered_to = run_onnxruntime(model, feeds)
    near = 0.02 * float(np.abs(lowered_to[0]).max()) if bits == 8 and block else 1e-2  # it multiplies bytes there
    rightly_decomposed(model, (2, 8, 8), feeds, lowered_to, "batched", rtol=1e-5, atol=near)


def without_shape(model: onnx.ModelProto, name: str, dims: list[int]) -> onnx.ModelProto:
    """The model with a weight of other sizes."""
    tensor = next(each for each in model.graph.initializer if each.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(dims, np.float32), name))
    return model


REFUSED = [
    (moe([7, HIDDEN], "geglu"), "activation_type is 'geglu'"),
    (moe([7, HIDDEN], use_sparse_mixer=1), "use_sparse_mixer is set"),
    (moe([7, HIDDEN], "silu", gate=True), "silu with fc3"),
    (moe([7, HIDDEN], "swiglu", swiglu_fusion=0), "swiglu without fc3"),
    (moe([7, HIDDEN], k=5), "5 experts of 4"),
    (moe([7, HIDDEN], opset=13), "opset 13 lacks"),
    (without_shape(moe([7, HIDDEN]), "b1", [4, 3]), "fc1 bias have the shape [4, 3]"),
    (qmoe(normalize_routing_weights=0), "weigh differently"),
    (qmoe(weights_prepacked=1), "weights_prepacked is 1"),
    (qmoe(quant_type="fp4"), "quant_type is 'fp4'"),
]


@pytest.mark.parametrize(("model", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_written_out_is_refused(model: onnx.ModelProto, words: str) -> None:
    is_refused(model, words)
