"""Convolutions as smaller ones: each within the limits by its im2col, together exact."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

import onnxtile
from onnxtile import estimate
from onnxtile.errors import UsageError
from onnxtile.ir.io.interop import to_ir
from onnxtile.operators.windows import Geometry
from onnxtile.passes import DecomposeConvolution, InferShapes
from onnxtile.passes.decompose_convolution import MOST_NODES
from onnxtile.passes.rewrites.convolution_pieces import Pieces
from onnxtile.tiling.legality import Refusal
from onnxtile.tiling.limits import UNLIMITED
from onnxtile.tiling.plan import SplitPlan
from tests.passes.test_decompose_convolution import case, cases, holds, specified
from tests.support import FEWER, Fed, assert_verified, operators, parse, run_onnxruntime, whole


def split(each: Fed, limits: Any, **how: Any) -> Any:
    return onnxtile.lower(each.model, limits, conv="split", depthwise="gemm", **how)


def inferred(each: Fed) -> ir.Model:
    model = to_ir(each.model)
    InferShapes()(model)
    return model


@FEWER
@given(
    cases(), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4), (None, 5, 2), (7, None, None), (9, 9, 9)]),
    st.sampled_from(["chain", "tree", "sum"]), st.sampled_from([None, 2, 3]),
)  # fmt: skip
def test_pieces_are_legal_and_bit_exact(each: Fed, limits: Any, accumulate: Any, fan_in: int | None) -> None:
    lowered = split(each, limits, accumulate=accumulate, max_fan_in=fan_in)
    model = inferred(each)
    made = DecomposeConvolution(limits, conv="split", depthwise="gemm", accumulate=accumulate, max_fan_in=fan_in)
    ((product, decision),) = made.decide(model)
    if isinstance(decision, Refusal):
        assert lowered == each.model
        return
    assert onnxtile.check(lowered, limits).ok
    counts = Counter(operators(lowered))
    assert "MatMul" not in counts
    if isinstance(decision, SplitPlan) and len(each.feeds) == 1:  # weights that are fed are cut by more nodes
        pieces = Pieces.of(Geometry.of(product.node), made.max or UNLIMITED)
        assert counts["Conv"] == pieces.convolutions
        assert sum(counts.values()) == decision.nodes == pieces.nodes(accumulate, fan_in)
    if each.model.graph.input[0].type.tensor_type.elem_type == 1:
        (got,) = run_onnxruntime(lowered, each.feeds)
        np.testing.assert_array_equal(got, specified(each))
    assert_verified(each.model, lowered)


@pytest.mark.parametrize(
    ("limits", "convolutions"),
    [
        ((None, None, 2), 3),  # 6 filters
        ((None, 18, None), 2),  # 4 channels by a 3 x 3 kernel
        ((None, 9, 3), 8),
        ((10, None, None), 3),  # two rows of 5
        ((None, 3, None), 12),  # each row of the kernel
    ],
)
def test_what_is_cut(limits: Any, convolutions: int) -> None:
    each = case([1, 4, 7, 7], [6, 4, 3, 3], bias=True)
    lowered = split(each, limits)
    assert operators(lowered).count("Conv") == convolutions
    (row,) = estimate(each.model, limits, conv="split")[0].contractions
    assert all(limit is None or piece <= limit for limit, piece in zip(limits, row.tiles or (), strict=True))
    holds(each, lowered)


def test_groups_stay_together_where_only_positions_are_cut() -> None:
    each = case([1, 4, 7, 7], [6, 2, 3, 3], group=2, bias=True, pads=[1, 1, 1, 1])
    assert operators(split(each, (7, None, None))).count("Conv") == 7
    apart = split(each, (None, 9, None))
    assert operators(apart).count("Conv") == 4
    for lowered in (split(each, (7, None, None)), apart):
        holds(each, lowered)


def test_a_large_batch_is_cut_too() -> None:
    each = case([5, 2, 4], [3, 2, 3], bias=True)
    lowered = split(each, (2, None, None))
    assert onnxtile.check(lowered, (2, None, None)).ok
    holds(each, lowered)


@pytest.mark.parametrize("limits", [(None, 3, 2), (4, 3, 2)])
def test_sizes_that_run_time_knows(limits: Any) -> None:
    each = case([2, 4, 6], [6, 4, 3], bias=True, declared=["n", 4, "l"], pads=[1, 0], strides=[2])
    lowered = split(each, limits)
    (row,) = estimate(each.model, limits, conv="split")[0].contractions
    if limits[0] is not None:
        assert (row.status, lowered) == ("refused", each.model)
        return
    assert operators(lowered).count("Conv") > 1
    holds(each, lowered)


def test_weights_that_are_fed_are_cut_at_run_time() -> None:
    each = case([1, 4, 7], [6, 4, 3], fed=True, bias=True)
    holds(each, split(each, (None, 3, 2)))


def test_float16_is_added_in_float32() -> None:
    each = case([1, 4, 6], [2, 4, 3], bias=True, dtype="float16")
    lowered = split(each, (None, 6, None))
    assert operators(lowered).count("Cast") == 2
    assert_verified(each.model, lowered)


def test_narrow_products_are_added_in_float32() -> None:
    each = case([1, 4, 6], [2, 4, 3], bias=True, dtype="float16")
    lowered = split(each, (None, 6, None), narrow_products=True)
    assert [tensor.data_type for tensor in lowered.graph.initializer if "w_" in tensor.name] == [10, 10]  # float16
    assert operators(lowered).count("Cast") == 3
    assert_verified(each.model, lowered)


@pytest.mark.parametrize("accumulate", ["chain", "tree", "sum"])
def test_sums_and_joints_are_as_asked_for(accumulate: Any) -> None:
    each = case([1, 9, 7], [9, 9, 3], bias=True)
    lowered = split(each, (2, 6, 2), accumulate=accumulate, max_fan_in=3)
    holds(each, lowered)
    counts = {op: [len(node.input) for node in lowered.graph.node if node.op_type == op] for op in operators(lowered)}
    assert max(counts["Concat"]) == 3
    assert ("Sum" in counts, "Add" in counts) == (accumulate == "sum", accumulate != "sum")
    assert max(counts.get("Sum", [3])) == 3
    if accumulate != "sum":  # as it's documented: one after the other, or in pairs
        assert lowered != split(each, (2, 6, 2), accumulate="tree" if accumulate == "chain" else "chain", max_fan_in=3)


def test_weights_may_be_cut_at_run_time() -> None:
    each = case([1, 4, 7], [6, 4, 3], bias=True)
    lowered = split(each, (None, 3, 2), weights="split")
    assert {"w", "b"} <= {tensor.name for tensor in lowered.graph.initializer}
    holds(each, lowered)


def test_before_slices_have_steps() -> None:
    each = case([1, 2, 8], [4, 2, 3], strides=[2], declared=[1, 2, "n"], opset=9)
    holds(each, split(each, (None, 2, 2)))


def test_padding_that_run_time_works_out() -> None:
    each = case([1, 4, 7], [6, 4, 3], declared=["n", 4, "l"], auto_pad="SAME_LOWER", strides=[2])
    for limits, pads in (((None, 4, 2), 0), ((None, 2, 2), 1)):
        lowered = split(each, limits)
        assert operators(lowered).count("Pad") == pads  # whole windows are left to auto_pad
        holds(each, lowered)


def test_depthwise_ones_of_unknown_positions_are_no_products_all_the_same() -> None:
    each = case([1, 4, 6], [4, 1, 3], group=4, declared=["n", 4, "l"])
    (row,) = estimate(each.model, (2, 1, 1), conv="split")[0].contractions
    assert row.status == "vector"


def test_where_a_conv_may_be_and_what_it_may_be_called() -> None:
    """In a body and in a local function, of which the one reads the main graph's weight."""
    text = """<ir_version: 8, opset_import: ["" : 18, "f" : 1]>
    g (float[1,2,6] x, bool c) => (float[1,2,4] z) <float[2,2,3] w> {
        a = f.layer (x, w)
        y = If (c) <then_branch = g1 () => (float[1,2,4] p) { p = Conv (x, w) },
                    else_branch = g2 () => (float[1,2,4] q) { q = Neg (a) }>
        [b0_p0] unread = Conv (x, w)
        z = Add (a, y)
    }
    <opset_import: ["" : 18], domain: "f"> layer (u, v) => (t) { [b0_p0] t = Conv (u, v) }"""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(numpy_helper.from_array(whole([2, 2, 3], np.dtype(np.float32), 5), "w"))
    for name in ("b0_p0", "", "a/b c"):
        model.graph.node[2].name = name
        lowered = onnxtile.lower(model, (2, 3, 1), conv="split")
        assert onnxtile.check(lowered, (2, 3, 1)).ok
        for chosen in (True, False):
            feeds = {"x": whole([1, 2, 6], np.dtype(np.float32), 6), "c": np.array(chosen)}
            for want, got in zip(run_onnxruntime(model, feeds), run_onnxruntime(lowered, feeds), strict=True):
                np.testing.assert_array_equal(got, want)
        assert_verified(model, lowered)


def test_what_was_split_may_be_split_again() -> None:
    each = case([1, 8, 9, 9], [8, 8, 3, 3], bias=True)
    first = split(each, (27, 36, 4))
    second = onnxtile.lower(first, (9, 9, 2), conv="split")
    assert onnxtile.check(second, (9, 9, 2)).ok
    holds(each, second)
    boxes = {pair.value for node in second.graph.node for pair in node.metadata_props if pair.key == "onnxtile.tile"}
    assert "m9,k9,n2 of m21,k36,n4" in boxes


def test_as_many_nodes_as_may_be_and_more() -> None:
    each = case([1, 4, 8], [6, 4, 3])
    nodes = len(split(each, (2, 3, 2)).graph.node)
    assert split(each, (2, 3, 2), form="auto", max_nodes=nodes) == split(each, (2, 3, 2))
    assert split(each, (2, 3, 2), form="auto", max_nodes=nodes - 1) == each.model
    (decided,) = DecomposeConvolution((2, 3, 2), conv="split", max_nodes=nodes - 1).decide(inferred(each))
    assert str(decided[1]) == (
        f"too-many-tiles: split convolutions would be {nodes} nodes or more together, of {nodes - 1} at most; "
        "take a larger --max, or --conv gemm"
    )
    assert MOST_NODES == 200_000
    large = case([1, 1, 2], [1, 1, 1], declared=[1, 1, 10**9])
    (row,) = estimate(large.model, (1, 1, 1), conv="split")[0].contractions
    assert str(row.reason).startswith("too-many-tiles: split convolutions would be 1,000,000,000 nodes or more")


@pytest.mark.parametrize("length", [10, "n"])
def test_fused_ones_are_reported_as_what_they_became(length: int | str) -> None:
    model = parse(
        f"""<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]>
        g (float[1,4,{length}] x) => (float[o,4,m] a, float[o,4,k] d) {{
            a = com.microsoft.FusedConv <pads: ints = [1, 0], activation: string = "Relu"> (x, w)
            d = com.microsoft.FusedConv <group: int = 4> (x, u) }}""",
        w=whole([4, 4, 3], np.dtype(np.float32), 1), u=whole([4, 1, 3], np.dtype(np.float32), 1),
    )  # fmt: skip
    report = estimate(model, (4, 6, 2), conv="split")[0]
    lowered = onnxtile.lower(model, (4, 6, 2), conv="split", form="auto")
    if length == 10:
        assert [(row.op, row.status) for row in report.contractions] == [
            ("FusedConv", "split"),
            ("FusedConv", "vector"),
        ]
        assert report.contractions[0].tiles == (3, 6, 2)
        assert onnxtile.check(lowered, (4, 6, 2)).ok
        assert_verified(model, lowered)
        return
    first, second = report.contractions
    assert (first.op, first.status, second.status) == ("Conv", "refused", "vector")
    assert str(first.reason).startswith("symbolic: --conv split cuts positions whose number is known")


def test_full_tiles_are_refused() -> None:
    with pytest.raises(UsageError, match="conv split pads nothing to full tiles: leave pad_tiles out, or take conv"):
        split(case([1, 4, 7], [6, 4, 3]), (4, 4, 4), pad_tiles=True)


def test_other_forms_are_refused() -> None:
    with pytest.raises(UsageError, match="conv split writes a convolution for each piece, which form batched doesn't"):
        split(case([1, 4, 7], [6, 4, 3]), (4, 4, 4), form="batched")
    with pytest.raises(UsageError, match="conv is 'splits': take one of gemm, split"):
        onnxtile.lower(case([1, 4, 7], [6, 4, 3]).model, (4, 4, 4), conv="splits")  # type: ignore[call-overload]
