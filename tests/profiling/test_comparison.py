"""Test that what the tiles of a lowered model compute is what `lower` said they would, padding included."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.ir.symbolic.amounts import total, with_sizes
from onnxtile.profiling.comparison import compare
from onnxtile.profiling.profile import profile_lowered
from tests.support import matmul, node_model, parse, whole

FORMS = ("unrolled", "batched", "loop", "function")
sizes = st.integers(1, 40)
limits = st.tuples(*[st.integers(3, 17) | st.none()] * 3)


def tiles_of(profile: onnxtile.Profile) -> object:
    return total(row.macs for row in profile.nodes if row.tile is not None)


@given(batch=st.integers(1, 3), m=sizes, k=sizes, n=sizes, most=limits, form=st.sampled_from(FORMS), pad=st.booleans())
def test_tiles_add_up_to_what_lower_reported(
    batch: int, m: int, k: int, n: int, most: tuple[int | None, int | None, int | None], form: str, pad: bool
) -> None:
    model = matmul([batch, m, k], [k, n], [batch, m, n])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lowered.onnx"
        report = onnxtile.lower(model, most, form=form, pad_tiles=pad and None not in most, output=path)
        profile = onnxtile.profile(path)
    assert tiles_of(profile) == report.padded_macs
    assert report.macs == (batch * m * k * n if report.having("tiled") else 0)
    if form == "unrolled" and not pad:
        assert profile.totals.macs == onnxtile.profile(model).totals.macs
        assert profile.totals.params == k * n


@pytest.mark.parametrize("form", FORMS)
def test_gemms_with_biases_and_several_products(form: str, tmp_path: Path) -> None:
    model = node_model("Gemm", [[5, 30], [30, 20], [20]], [2], transB=0)
    report = onnxtile.lower(model, (4, 16, 16), form=form, output=tmp_path / "lowered.onnx")
    assert tiles_of(onnxtile.profile(tmp_path / "lowered.onnx")) == report.padded_macs
    assert report.padded_macs == (5 * 30 * 20 if form == "unrolled" else 8 * 32 * 32)


@pytest.mark.parametrize("form", ["batched", "loop", "function"])
def test_a_length_known_at_run_time(form: str, tmp_path: Path) -> None:
    model = matmul(["rows", 12], [12, 10], ["rows", 10])
    report = onnxtile.lower(model, (8, 8, 8), form=form, output=tmp_path / "lowered.onnx")
    assert str(report.macs) == "120*rows"
    lowered = tiles_of(onnxtile.profile(tmp_path / "lowered.onnx"))
    for rows in (1, 8, 9, 100):
        tiles = -(-rows // 8) * 8 * 16 * 16
        assert with_sizes(report.padded_macs, {"rows": rows}) == tiles
        assert with_sizes(lowered, {"rows": rows}) == tiles  # type: ignore[arg-type]  # an amount
        assert tiles_of(onnxtile.profile(tmp_path / "lowered.onnx", bind={"rows": rows})) == tiles


def test_what_a_lowering_cost() -> None:
    model = matmul([4, 16], [16, 8], [4, 8])
    lowered = onnxtile.lower(model, (4, 8, 8))
    (change,) = compare(onnxtile.profile(model), onnxtile.profile(lowered)).changes
    assert (change.name, change.op, change.calls, change.padding) == ("product", "MatMul", 2, 0)
    assert change.macs == (4 * 16 * 8, 4 * 16 * 8)
    assert change.partial_sums == 4 * 8  # the second product is added to the first
    whole = 4 * (4 * 16 + 16 * 8 + 4 * 8)
    split, products, added = 4 * 2 * 64, 2 * 4 * (32 + 64 + 32), 4 * 3 * 32
    assert change.bandwidth == (whole, split + 2 * 8 + products + added)


@pytest.mark.parametrize("form", FORMS)
def test_tiles_of_independent_products_are_counted_each(form: str) -> None:
    model = matmul([3, 4, 16], [3, 16, 8], [3, 4, 8])
    (change,) = compare(onnxtile.profile(model), onnxtile.profile(onnxtile.lower(model, (4, 8, 8), form=form))).changes
    assert change.calls == 3 * 2


CONVOLUTIONS = """<ir_version: 8, opset_import: ["" : 18]>
    g (float[2,4,7,6] x) => (float[2,8,3,6] y) {
        [conv] c = Conv <group: int = 2, pads: ints = [1, 1, 0, 1], strides: ints = [2, 1]> (x, w, b)
        [dw] y = Conv <group: int = 4, pads: ints = [1, 1, 1, 1]> (c, u) }"""


def convolutions() -> onnx.ModelProto:
    shapes = {"w": [4, 2, 3, 3], "b": [4], "u": [8, 1, 3, 3]}
    return parse(CONVOLUTIONS, **{name: whole(shape, np.dtype(np.float32), 1) for name, shape in shapes.items()})


@pytest.mark.parametrize("how", [*({"form": form} for form in FORMS), {"conv": "split"}], ids=str)
def test_convolutions_are_put_together_again(how: dict[str, Any]) -> None:
    """Of 36 rows of 18 in two groups, and of 36 of 9 in four, without a product."""
    model = convolutions()
    lowered = onnxtile.lower(model, (8, 9, 1), **how)
    compared = compare(onnxtile.profile(model), onnxtile.profile(lowered))
    first, second = compared.changes
    assert (first.name, second.name, compared.unmatched) == ("conv", "dw", ())
    assert first.macs[0] == 2 * 36 * 18 * 2
    pads = how.get("form", "unrolled") != "unrolled"
    rows = 6 if "conv" in how else 5  # three pieces of 6 of each of the two pictures, or 8 after 8 of both
    assert first.padding == (2 * 4 * 18 * 2 if pads else 0)
    assert first.calls == rows * 2 * 2 * 2
    if not pads:
        assert first.partial_sums == 2 * 36 * 2
    assert (second.macs, second.padding, second.calls, second.partial_sums) == ((2 * 18 * 9 * 8, 0), 0, 0, 0)
    assert all(row.origin in ("conv", "dw") for row in onnxtile.profile(lowered).nodes if not row.stored)


@pytest.mark.parametrize("how", [{}, {"conv": "split"}], ids=str)
def test_depthwise_ones_as_products(how: dict[str, Any]) -> None:
    model = convolutions()
    lowered = onnxtile.lower(model, (None, 3, 1), depthwise="gemm", **how)
    _, change = compare(onnxtile.profile(model), onnxtile.profile(lowered)).changes
    assert change.macs == (2 * 18 * 9 * 8, 2 * 18 * 9 * 8)
    assert change.calls == 8 * 3  # filters by rows of the kernel
    assert change.partial_sums == 2 * 18 * 8 * 2


def test_a_function_of_another_opset_costs_the_same() -> None:
    """Show that a function whose nodes mean the same in both is put in the place of its calls."""
    profiles = [
        onnxtile.profile(
            parse(f"""
        <ir_version: 8, opset_import: ["" : {opset}, "f" : 1]>
        g (float[4,4] x, float[4,4] w) => (float[4,4] y) {{ a = f.layer(x, w) y = f.layer(a, w) }}
        <opset_import: ["" : 18], domain: "f"> layer (a, b) => (c) {{ t = MatMul(a, b) c = Relu(t) }}
    """)
        )
        for opset in (18, 17)
    ]
    assert profiles[0].totals == profiles[1].totals
    assert [row.op for row in profiles[1].nodes] == ["MatMul", "Relu"] * 2


def test_a_model_lowered_at_a_size_is_compared_at_that_size() -> None:
    model = parse("""<ir_version: 8, opset_import: ["" : 17]>
        g (float[batch,?,8] x, float[2] s) => (float[batch,?,8] y) { y = MatMul (x, w) }""",
                  w=whole([8, 8], np.dtype(np.float32), 1))  # fmt: skip
    bound = onnxtile.lower(model, (4, 4, 4), bind={"batch": 2, "x_1": 6})
    words = "axis 0 of 'x' has any size in the original, and 2 in the lowered model; .*: --bind batch=2,x_1=6$"
    with pytest.raises(UsageError, match=words):
        profile_lowered(bound, onnxtile.profile(model))
    sizes = {"batch": 2, "x_1": 6}
    before = onnxtile.profile(model, bind=sizes)
    assert compare(before, profile_lowered(bound, before, bind=sizes)).changes[0].padding == 0
