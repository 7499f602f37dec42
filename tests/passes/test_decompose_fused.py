"""onnxruntime's fused products lowered: the same in onnxruntime, legal, or refused with a reason."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import onnxtile
from onnxtile import estimate
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.ir.io.interop import to_ir
from onnxtile.passes import DecomposeFused, InferShapes
from onnxtile.passes.rewrites.activations import ACTIVATIONS
from tests.support import (
    FEWER,
    FORMS,
    Fed,
    assert_verified,
    form_for,
    newest_opset,
    parse,
    run_onnxruntime,
    run_reference,
    sizes_of_products,
    whole,
)

LIMITS = (2, 3, 2)
SIZE = st.integers(1, 7)
A, B = whole([4, 5], np.dtype(np.float32), 1), whole([5, 6], np.dtype(np.float32), 2)
HALF_A, HALF_B = A.astype(np.float16), B.astype(np.float16)


def case(
    op_type: str, *arrays: np.ndarray, axes: int = 2, opset: int = 17, constant: int | None = None, **attributes: Any
) -> Fed:
    """Operands x0, x1, ...; the one `constant` is a weight. The product has `axes` axes, and nothing says how long."""
    names = [f"x{index}" for index in range(len(arrays))]
    data_type = helper.np_dtype_to_tensor_dtype(arrays[0].dtype)
    fed = {name: array for index, (name, array) in enumerate(zip(names, arrays, strict=True)) if index != constant}
    graph = helper.make_graph(
        [
            helper.make_node(op_type, names, ["t"], "f", domain="com.microsoft", **attributes),
            helper.make_node("Identity", ["t"], ["y"]),
        ],
        "graph",
        [helper.make_tensor_value_info(name, data_type, array.shape) for name, array in fed.items()],
        [helper.make_tensor_value_info("y", data_type, [f"o{axis}" for axis in range(axes)])],
        [numpy_helper.from_array(array, name) for name, array in zip(names, arrays, strict=True) if name not in fed],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return Fed(helper.make_model(graph, opset_imports=opsets, ir_version=8), fed)


@st.composite
def fused_matmuls(draw: st.DrawFn) -> Fed:
    m, k, n = draw(SIZE), draw(SIZE), draw(SIZE)
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    flags = {name: draw(st.booleans()) for name in ("transA", "transB", "transBatchA", "transBatchB")}
    a, b = [*batch, m, k], [*batch, k, n]
    if batch and (flags["transBatchA"] or flags["transBatchB"]):
        a[0] = draw(st.sampled_from([1, a[0]]))
    else:
        flags |= {"transBatchA": False, "transBatchB": False}
        b = b[draw(st.integers(0, len(batch))) :]
    vector = draw(st.integers(0, 5))
    if vector == 0:
        a, flags["transBatchA"], flags["transBatchB"] = [k], False, False
    elif vector == 1 and not flags["transA"]:
        b, flags["transBatchA"], flags["transBatchB"] = [k], False, False
    for side, shape in (("A", a), ("B", b)):
        if flags[f"trans{side}"] and len(shape) > 1:
            shape[-2:] = shape[:-3:-1]
        if flags[f"transBatch{side}"]:
            shape.insert(0, shape.pop(-2))
    axes = max(len(a), len(b), 2) - (len(a) == 1) - (len(b) == 1)
    attributes: dict[str, Any] = {name: int(value) for name, value in flags.items() if value or draw(st.booleans())}
    if draw(st.booleans()):
        attributes["alpha"] = draw(st.sampled_from([1.0, 2.0, -3.0, 0.5, 0.0]))
    op_type = "FusedMatMul"
    if not flags["transBatchA"] and not flags["transBatchB"] and draw(st.booleans()):
        op_type = "TransposeMatMul"
        attributes = {name: value for name, value in attributes.items() if "Batch" not in name}
    dtype = np.dtype(draw(st.sampled_from(["float32", "float32", "float16"])))
    operands = (whole(a, dtype, 1), whole(b, dtype, 2))
    constant = draw(st.sampled_from([None, 0, 1]))
    return case(
        op_type, *operands, axes=axes, opset=draw(st.integers(7, newest_opset())), constant=constant, **attributes
    )


@st.composite
def fused_gemms(draw: st.DrawFn) -> Fed:
    activation = draw(st.sampled_from(sorted(ACTIVATIONS)))
    m, k, n = draw(SIZE), draw(SIZE), draw(SIZE)
    trans_a, trans_b = draw(st.booleans()), draw(st.booleans())
    opset = draw(st.integers(10, newest_opset()))
    c = draw(st.sampled_from([[], [n], [1, n], [m, 1], [m, n]] + [None] * (opset > 10)))  # type: ignore[list-item]
    shapes = [[k, m] if trans_a else [m, k], [n, k] if trans_b else [k, n], *([] if c is None else [c])]
    attributes: dict[str, Any] = {"transA": int(trans_a), "transB": int(trans_b), "activation": activation}
    attributes |= {name: draw(st.sampled_from([1.0, 2.0, 0.5])) for name in ("alpha", "beta") if draw(st.booleans())}
    for name in ACTIVATIONS[activation]:
        attributes[f"activation_{name}"] = draw(st.sampled_from([0.25, 1.0, 2.0]))
    operands = (whole(shape, np.dtype(np.float32), seed) for seed, shape in enumerate(shapes))
    return case("FusedGemm", *operands, opset=opset, constant=draw(st.sampled_from([None, 0, 1])), **attributes)


def lowered(each: Fed, form: str) -> onnx.ModelProto:
    before = each.model.SerializeToString()
    found: onnx.ModelProto = onnxtile.lower(each.model, LIMITS, form=form_for(each.model, form))
    assert each.model.SerializeToString() == before
    onnx.checker.check_model(found, full_check=True)
    if onnxtile.check(each.model, LIMITS).ok:
        assert found == each.model
    else:
        assert not [node for node in found.graph.node if node.domain not in ("", CALL_DOMAIN)]
        for sizes in sizes_of_products(found):
            assert all(size <= limit for size, limit in zip(sizes, LIMITS, strict=True))
    assert_verified(each.model, found)
    return found


@FEWER
@given(fused_matmuls(), st.sampled_from(FORMS))
def test_a_fused_matmul_lowered_is_legal_and_bit_exact(each: Fed, form: str) -> None:
    found = lowered(each, form)
    (want,) = run_onnxruntime(each.model, each.feeds)
    engines = (run_onnxruntime,) if found == each.model else (run_onnxruntime, run_reference)
    for run in engines:
        (got,) = run(found, each.feeds)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_array_equal(got, want)


EXACT = ("Relu", "LeakyRelu", "ThresholdedRelu", "HardSigmoid")
ULPS = 8
"""Units in the last place: a function is within 4 in either engine (tanh and exp of Eigen and numpy are within 2, with
one rounding each for the factors before and behind). Elu, Selu, Softplus and the like lose what `exp(x) - 1` and
`log(1 + ...)` cancel, so the unit is that of 1, or of the result where that's larger."""


@FEWER
@given(fused_gemms(), st.sampled_from(FORMS))
def test_a_fused_gemm_lowered_is_legal_and_as_exact_as_its_activation(each: Fed, form: str) -> None:
    found = lowered(each, form)
    (want,) = run_onnxruntime(each.model, each.feeds)
    activation = next(each for each in each.model.graph.node[0].attribute if each.name == "activation").s.decode()
    for run in (run_onnxruntime,) if found == each.model else (run_onnxruntime, run_reference):
        (got,) = run(found, each.feeds)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        if activation in EXACT:
            np.testing.assert_array_equal(got, want)
        assert (np.abs(got - want) <= ULPS * np.spacing(np.maximum(np.abs(want), 1))).all()


def test_nothing_is_left_for_a_second_run() -> None:
    model = to_ir(case("FusedGemm", A, B, activation="Relu").model)
    InferShapes()(model)
    assert DecomposeFused()(model).modified
    assert not DecomposeFused()(model).modified
    assert [node.op_type for node in model.graph] == ["Gemm", "Relu", "Identity"]


def test_onnxruntime_reads_a_transposed_a_with_a_vector_otherwise() -> None:
    """Why that is refused: the documentation has numpy's product of the transposed matrix."""
    a, b = whole([5, 4], np.dtype(np.float32), 1), whole([5], np.dtype(np.float32), 2)
    each = case("FusedMatMul", a, b, axes=1, transA=1)
    assert (run_onnxruntime(each.model, each.feeds)[0] != a.T @ b).any()


@pytest.mark.parametrize(
    ("each", "words"),
    [
        (case("FusedMatMul", A, B, beta=1.0), "attribute: FusedMatMul has no attribute 'beta'; remove it"),
        (case("TransposeMatMul", A, B, transBatchA=0), "attribute: TransposeMatMul has no attribute 'transBatchA'"),
        (case("FusedMatMul", A.T, B[:, 0], axes=1, transA=1), "vector: transA with a vector for B, .* make B a matrix"),
        (case("FusedMatMul", HALF_A, HALF_B, alpha=1e9), "factor: alpha is 1e.09, which FLOAT16 can't hold"),
        (case("FusedMatMulActivation", A, B, activation="Softmax"), "activation: activation is 'Softmax'"),
        (case("FusedMatMulActivation", A, B, activation="Relu", activation_axis=1), "no attribute 'activation_axis'"),
        (case("FusedGemm", A, B), "activation: activation is '', which .* doesn't know; take one of Relu, "),
        (case("FusedGemm", A, B, activation="Gelu"), "activation: activation is 'Gelu', which onnxruntime"),
        (case("FusedGemm", A, B, activation="Elu"), "activation: Elu without activation_alpha, .*default; give"),
        (case("FusedGemm", A, B, activation="Relu", opset=10), "opset: opset 10 has no Gemm without C; convert to 11"),
        (
            case("FusedGemm", A, B, B[0], activation="ThresholdedRelu", activation_alpha=1.0, opset=9),
            "opset: opset 9 has no ThresholdedRelu; convert to 10 or newer",
        ),
        (case("FusedGemm", A.astype(np.int32), B.astype(np.int32), activation="Relu"), "dtype: INT32 isn't tiled"),
    ],
    ids=lambda each: "" if isinstance(each, Fed) else str(each)[:40],
)  # fmt: skip
def test_what_is_refused(each: Fed, words: str) -> None:
    report = estimate(each.model, LIMITS)[0]
    assert [row.status for row in report.contractions] == ["refused"]
    assert re.search(words, report.contractions[0].reason or ""), report.contractions[0].reason
    assert onnxtile.lower(each.model, LIMITS) == each.model


def test_batches_of_different_ranks_contradict() -> None:
    each = case("FusedMatMul", whole([4, 2, 5], np.dtype(np.float32), 0), B, axes=3, transBatchA=1)
    with pytest.raises(onnxtile.ModelError, match="transBatchA with operands of 3 and 2 axes"):
        onnxtile.lower(each.model, LIMITS)


def test_attributes_of_another_type_are_wrong() -> None:
    for each in (case("FusedMatMul", A, B, transA=0.5), case("FusedGemm", A, B, activation="Relu", alpha=2)):
        with pytest.raises(onnxtile.ModelError, match="its attribute .* is of type .*, and onnxruntime wants"):
            onnxtile.lower(each.model, LIMITS)


def test_an_attribute_that_a_caller_gives() -> None:
    model = parse("""<ir_version: 8, opset_import: ["": 17, "own": 1, "com.microsoft": 1]>
        agraph (float[4,5] x, float[6,5] w) => (float[4,6] y) { y = own.f <side = 1> (x, w) }
        <domain: "own", opset_import: ["": 17, "com.microsoft": 1]>
        f <side> (a, b) => (c) { c = com.microsoft.FusedMatMul <transB: int = @side> (a, b) }""")
    (row,) = onnxtile.check(model, LIMITS).contractions
    assert (row.status, row.m, row.k, row.n) == ("over", 4, 5, 6)
    assert onnxtile.check(onnxtile.lower(model, LIMITS), LIMITS).ok


def test_bfloat16_needs_a_newer_opset() -> None:
    each = case("FusedMatMul", A, B, opset=12)
    for value in (*each.model.graph.input, *each.model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.BFLOAT16
    assert "opset 12 has no MatMul of BFLOAT16" in str(estimate(each.model, LIMITS)[0].contractions[0].reason)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_verify_bounds_the_product(activation: str) -> None:
    parameters = {f"activation_{name}": 0.5 for name in ACTIVATIONS[activation]}
    each = case("FusedGemm", A, B, B[0], constant=1, activation=activation, **parameters)
    found = onnxtile.lower(each.model, LIMITS)
    assert onnxtile.verify(each.model, found).equivalent
    for tensor in found.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim == 2:
            tensor.CopyFrom(numpy_helper.from_array(-array, tensor.name))
    assert not onnxtile.verify(each.model, found).equivalent


@pytest.mark.parametrize("form", FORMS)
def test_products_that_only_gpus_run_are_what_the_documentation_says(form: str) -> None:
    bias = whole([6], np.dtype(np.float32), 3)
    x = A @ B + bias
    gelu = 0.5 * x * (1 + np.tanh(x * (0.7978845608 + 0.035677408 * x * x)))
    limited = case("FusedMatMulActivation", A, B, activation="LeakyRelu", activation_alpha=0.5, alpha=2.0, constant=1)
    doubled = 2 * (A @ B)
    for each, want in (
        (case("GemmFastGelu", A, B, bias, constant=1), gelu),
        (limited, np.maximum(doubled, doubled / 2)),
    ):
        found = lowered(each, form)
        np.testing.assert_allclose(run_onnxruntime(found, each.feeds)[0], want, rtol=1e-5, atol=1e-5)
        assert [region.status for region in onnxtile.verify(each.model, found).regions] == ["proven"]
