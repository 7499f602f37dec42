"""Einsum lowered: bit-exact in two engines, legal, or refused with a reason."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

import onnxtile
from onnxtile import estimate
from onnxtile.ir.io.interop import to_ir
from onnxtile.ir.io.progress import silent
from onnxtile.lowering.lower import lower_ir
from onnxtile.lowering.options import LoweringOptions
from onnxtile.passes import DecomposeEinsum, InferShapes
from tests.support import (
    FEWER,
    FORMS,
    Fed,
    assert_verified,
    make,
    operators,
    parse,
    run_onnxruntime,
    run_reference,
    sizes_of_products,
    whole,
)  # fmt: skip

LIMITS = (2, 3, 2)
CANNOT = (onnxruntime_errors.NotImplemented, onnxruntime_errors.Fail, onnxruntime_errors.InvalidArgument)
TYPES = ("float32", "float64", "float16", "int32", "int64", "uint32", "uint64")


def case(
    equation: str, *shapes: list[int], dtype: str = "float32", opset: int = 20, constant: int | None = None,
    declared: list[list[Any]] | None = None, output: list[Any] | None = None,
) -> Fed:  # fmt: skip
    """Operands x0, x1, ... of these shapes; `declared`: what the model says of them; the one `constant` is a weight."""
    arrays = [whole(list(shape), np.dtype(dtype), seed) for seed, shape in enumerate(shapes)]
    data_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    names = [f"x{index}" for index in range(len(shapes))]
    fed = [index for index in range(len(shapes)) if index != constant]
    if output is None:
        output = list(np.einsum(equation.replace(" ", ""), *(array.astype(float) for array in arrays)).shape)
    graph = helper.make_graph(
        [helper.make_node("Einsum", names, ["y"], "e", equation=equation)],
        "graph",
        [helper.make_tensor_value_info(names[index], data_type, (declared or shapes)[index]) for index in fed],
        [helper.make_tensor_value_info("y", data_type, output)],
        [numpy_helper.from_array(arrays[index], names[index]) for index in range(len(shapes)) if index == constant],
    )
    return Fed(make(graph, opset), {names[index]: arrays[index] for index in fed})


@st.composite
def cases(draw: st.DrawFn, symbolic: bool = False) -> Fed:
    """Two or three operands: letters from a few, some of them repeated, an ellipsis, an output or none.

    `symbolic`: the lengths of some letters are known only at run time.
    """
    count = draw(st.sampled_from([2, 2, 2, 3]))
    letters = "ijkLm"
    lengths = {letter: draw(st.integers(1, 4)) for letter in letters}
    broadcast = draw(st.lists(st.integers(1, 3), max_size=2))
    unknown = draw(st.sets(st.sampled_from([*letters, "..."]))) if symbolic else set()
    terms, shapes, declared = [], [], []
    for _ in range(count):
        term = draw(st.lists(st.sampled_from(letters), max_size=3))
        shape = [lengths[letter] for letter in term]
        said: list[Any] = [letter if letter in unknown else lengths[letter] for letter in term]
        if broadcast and draw(st.booleans()):
            place = draw(st.integers(0, len(term)))
            term.insert(place, "...")
            shape[place:place] = [draw(st.sampled_from([1, length])) for length in broadcast]
            named = [f"d{len(terms)}{axis}" for axis in range(len(broadcast))]
            said[place:place] = named if "..." in unknown else shape[place : place + len(broadcast)]
        terms.append(draw(st.sampled_from(["", " "])).join(term))
        shapes.append(shape)
        declared.append(said)
    equation = draw(st.sampled_from([",", " , "])).join(terms)
    if draw(st.integers(0, 3)):
        used = sorted({letter for letter in equation if letter.isalpha()})
        output = draw(st.permutations(used))[: draw(st.integers(0, len(used)))]
        if "..." in equation:
            output.insert(draw(st.integers(0, len(output))), "...")
        equation += " -> " + "".join(output)
    constant = draw(st.none() | st.integers(0, count - 1))
    axes = np.einsum(equation.replace(" ", ""), *map(np.zeros, shapes)).ndim
    output = [f"o{axis}" for axis in range(axes)] if symbolic else None
    dtype, opset = draw(st.sampled_from(TYPES)), draw(st.integers(12, 26))
    return case(equation, *shapes, dtype=dtype, opset=opset, constant=constant, declared=declared, output=output)


def holds(each: Fed, lowered: onnx.ModelProto) -> None:
    onnx.checker.check_model(lowered, full_check=True)
    for run in (run_reference, run_onnxruntime):
        try:
            (want,) = run(each.model, each.feeds)
        except CANNOT:  # the original: onnxruntime lacks types, and capitals without an output
            assert run is run_onnxruntime
            continue
        (got,) = run(lowered, each.feeds)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_array_equal(got, want)
    assert_verified(each.model, lowered)


@FEWER
@given(cases(), st.sampled_from(FORMS))
def test_an_einsum_lowered_is_legal_and_bit_exact(each: Fed, form: str) -> None:
    before = each.model.SerializeToString()
    lowered = onnxtile.lower(each.model, LIMITS, form=form)
    assert each.model.SerializeToString() == before
    assert onnxtile.lower(each.model, LIMITS, form=form).SerializeToString() == lowered.SerializeToString()
    assert onnxtile.check(lowered, LIMITS).ok
    for sizes in sizes_of_products(lowered):
        assert all(size <= limit for size, limit in zip(sizes, LIMITS, strict=True))
    holds(each, lowered)


@FEWER
@given(
    cases(symbolic=True),
    st.sampled_from([(2, 3, 2), (None, 3, 2), (None, None, 2)]),
    st.sampled_from(["batched", "loop", "function"]),
)
def test_lengths_that_run_time_knows_are_right_or_refused(each: Fed, limits: Any, form: str) -> None:
    found = onnxtile.lower(each.model, limits, form=form)
    refused = [row for row in estimate(each.model, limits)[0].contractions if row.status == "refused"]
    assert bool(refused) == ("Einsum" in operators(found) and not onnxtile.check(found, limits).ok)
    holds(each, found)


@FEWER
@given(cases())
def test_an_einsum_is_written_out_without_limits_too(each: Fed) -> None:
    model = to_ir(each.model)
    InferShapes()(model)
    assert DecomposeEinsum()(model).modified
    assert not DecomposeEinsum()(model).modified
    written = ir.to_proto(model)
    assert "Einsum" not in operators(written)
    holds(each, written)


@pytest.mark.parametrize(
    ("equation", "shapes", "declared", "limits", "form"),
    [
        ("bsd,dnh->bsnh", [[2, 4, 5], [5, 3, 2]], [["b", 4, 5], [5, 3, 2]], (2, 3, 2), "unrolled"),
        ("bsd,dnh->bsnh", [[2, 4, 5], [5, 3, 2]], [["b", "s", 5], [5, 3, 2]], (2, 3, 2), "batched"),
        ("bsd,dnh->bsnh", [[2, 4, 5], [5, 3, 2]], [["b", "s", 5], [5, 3, 2]], (None, 3, 2), "unrolled"),
        ("bihd,bjhd->bhij", [[2, 3, 4, 5], [2, 6, 4, 5]], [["b", 3, 4, 5], ["b", 6, 4, 5]], (2, 3, 2), "unrolled"),
        ("nk,bk->bn", [[4, 5], [3, 5]], [[4, 5], ["b", 5]], (None, 3, 2), "unrolled"),
        ("...ij,jk", [[2, 3, 4, 5], [5, 6]], [["a", "b", 4, 5], [5, 6]], (2, 3, 2), "unrolled"),
        ("xbd,de,by->xeb", [[2, 3, 4], [4, 5], [3, 2]], [[2, "b", 4], [4, 5], ["b", 2]], (2, 3, 2), "unrolled"),
    ],
)
def test_lengths_that_run_time_knows(equation: str, shapes: Any, declared: Any, limits: Any, form: str) -> None:
    output = [f"o{axis}" for axis in range(np.einsum(equation, *map(np.zeros, shapes)).ndim)]
    each = case(equation, *shapes, declared=declared, output=output)
    lowered = onnxtile.lower(each.model, limits, form=form)
    assert "Einsum" not in operators(lowered)
    holds(each, lowered)


def test_a_constant_is_laid_out_ahead_of_time() -> None:
    each = case("bsd,nhd->bsnh", [2, 4, 5], [3, 2, 5], constant=1)
    lowered = onnxtile.lower(each.model, LIMITS)
    assert operators(lowered).count("Transpose") == 0
    assert all(len(tensor.dims) <= 2 for tensor in lowered.graph.initializer)
    assert "x1" not in {tensor.name for tensor in lowered.graph.initializer}
    holds(each, lowered)


def test_only_nodes_that_do_something_are_made() -> None:
    options = LoweringOptions.of((4, 4, 4), form="function")
    lowered = lower_ir(to_ir(case("bij,bjk->bik", [2, 8, 8], [2, 8, 8]).model), options, {}, silent)
    assert [node.domain for node in lowered.model.graph] == ["onnxtile"]
    same = case("ij,jk->ik", [2, 3], [3, 2])
    assert onnxtile.lower(same.model, LIMITS) == same.model
    one = case("ijk->kj", [9, 9, 9])
    assert onnxtile.check(one.model, LIMITS).contractions == ()
    assert onnxtile.lower(one.model, LIMITS) == one.model


def test_sizes_of_several_products() -> None:
    rows = onnxtile.check(case("bij,bjk,kl->bil", [2, 3, 4], [2, 4, 5], [5, 6]).model, (9, 9, 9)).contractions
    assert [(row.m, row.k, row.n, row.batch) for row in rows] == [(3, 4, 5, 2), (6, 5, 6, 1)]


@pytest.mark.parametrize(
    ("each", "words"),
    [
        (case("ij,jk->ik", [4, 5], [5, 6], dtype="int8"), "dtype: INT8 isn't tiled"),
        (case("ij,jk->ik", [4, 1], [5, 6]), "broadcast: letter j is 1 in one operand and 5 in another, .* expand the"),
        (
            case("...ij,jk->ik", [2, 4, 5], [5, 6], output=[4, 6]),
            "unknown-shape: its equation has no ellipsis in its output 'ik', over whose axes engines differ; name",
        ),
        (case("ij,jk->ik", [4, 0], [0, 6]), "empty: letter j is 0, which Reshape reads otherwise"),
        (
            case("iij,jk->ik", [4, 4, 3], [3, 4], declared=[["N", "N", 3], [3, 4]], output=["N", 4]),
            "symbolic: the diagonal of letter i is of length N; bind it with --bind",
        ),
        (
            case("ijx,xjk->ik", [4, 2, 3], [3, 2, 4], declared=[[4, "N", 3], [3, "N", 4]], output=[4, 4]),
            "K is '.*N.*'; bind the model's free dimensions .N. with --bind|symbolic: K merges letters",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(each: Fed, words: str) -> None:
    report = estimate(each.model, LIMITS)[0]
    assert [row.status for row in report.contractions] == ["refused"]
    assert report.contractions[0].reason is not None
    assert re.search(words, report.contractions[0].reason), report.contractions[0].reason
    assert onnxtile.lower(each.model, LIMITS) == each.model


def test_shapes_have_to_be_known() -> None:
    model = to_ir(case("ij,jk->ik", [4, 5], [5, 6]).model)
    model.graph.inputs[0].shape = None
    with pytest.raises(
        ir.passes.PreconditionError, match="unknown-shape: the shape of input 0 .* isn't known; run infer-shapes"
    ):
        DecomposeEinsum()(model)


def test_merged_letters_without_limits_are_refused() -> None:
    each = case("ijx,xjk->ik", [4, 2, 3], [3, 2, 4], declared=[[4, "N", 3], [3, "N", 4]], output=[4, 4])
    model = to_ir(each.model)
    InferShapes()(model)
    with pytest.raises(
        ir.passes.PreconditionError, match="symbolic: K merges letters of which j is 'N'; bind .* with --bind"
    ):
        DecomposeEinsum()(model)


def test_operands_that_contradict() -> None:
    each = case("ij,jk->ik", [4, 5], [5, 6], declared=[[4, 5], [7, 6]])
    with pytest.raises(onnxtile.ModelError, match="letter j is 5 and 7|shapes contradict"):
        onnxtile.lower(each.model, LIMITS)
    each = case("iij,jk->ik", [4, 4, 5], [5, 6], declared=[[4, 3, 5], [5, 6]])
    with pytest.raises(onnxtile.ModelError, match="letter i is 4 and 3"):
        onnxtile.lower(each.model, LIMITS)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_verify_bounds_each_product(dtype: str) -> None:
    each = case("bij,bjk,kl->bil", [2, 3, 4], [2, 4, 5], [5, 6], constant=2, dtype=dtype)
    found = onnxtile.lower(each.model, LIMITS)
    assert onnxtile.verify(each.model, found).equivalent
    for tensor in found.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.dtype(dtype):
            tensor.CopyFrom(numpy_helper.from_array(array + array.dtype.type(1), tensor.name))
    assert not onnxtile.verify(each.model, found).equivalent


def test_an_einsum_in_a_body() -> None:
    model = parse("""<ir_version: 8, opset_import: ["": 17]> agraph (bool c, float[4,5] x, float[6,5] w)
        => (float[6,4] y) {
        v = Transpose <perm = [1, 0]> (x)
        y = If (c) <then_branch = then () => (float[6,4] t) { t = Einsum <equation = "ij,kj->ki"> (x, w) },
                    else_branch = other () => (float[6,4] u) { u = MatMul (w, v) }>
        }""")
    x, w = whole([4, 5], np.dtype(np.float32), 1), whole([6, 5], np.dtype(np.float32), 2)
    each = Fed(model, {"c": np.array(True), "x": x, "w": w})
    found = onnxtile.lower(model, LIMITS)
    assert "Einsum" not in onnx.printer.to_text(found)
    holds(each, found)


def test_an_einsum_whose_equation_a_caller_gives() -> None:
    model = parse("""<ir_version: 8, opset_import: ["": 17, "own": 1]>
        agraph (float[4,5] x, float[6,5] w) => (float[6,4] y) { y = own.f <equation = "ij,kj->ki"> (x, w) }
        <domain: "own", opset_import: ["": 17]>
        f <equation> (a, b) => (c) { c = Einsum <equation: string = @equation> (a, b) }""")
    (row,) = onnxtile.check(model, LIMITS).contractions
    assert (row.status, row.m, row.k, row.n) == ("over", 4, 5, 6)
    assert onnxtile.check(onnxtile.lower(model, LIMITS), LIMITS).ok
