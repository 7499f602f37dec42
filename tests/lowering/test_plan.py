"""Each product is judged once, whoever asks; what passes put in its place is judged when the next one asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.lowering.options import LoweringOptions
from onnxtile.lowering.plan import LoweringPlan
from onnxtile.operators import contractions
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose_gemm import DecomposeGemm
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.tile_matmul import TileMatMul
from onnxtile.tiling.plan import TilePlan
from tests.support import parse, whole

F32 = np.dtype(np.float32)
GEMM_BODY_AND_FUNCTION = """<ir_version: 10, opset_import: ["" : 18, "my" : 1]>
    g (float[6,9] x, bool c, float[6,9] u) => (float[6,10] y, float[6,10] z, float[6,10] f) {
        y = Gemm (x, w)
        z = If (c) <
            then_branch = t () => (float[6,10] p) { p = MatMul (x, w) },
            else_branch = e () => (float[6,10] q) { q = Gemm (x, w) }>
        f = my.Layer (u, w)
    }
    <opset_import: ["" : 18], domain: "my"> Layer (a, b) => (c) { c = MatMul (a, b) }
"""


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    """Return a list that grows with each call of a function of `operators.contractions`, wherever it's imported."""
    calls: list[object] = []
    function = getattr(contractions, name)

    def count(*arguments: Any) -> Any:
        calls.append(arguments[0])
        return function(*arguments)

    for module in list(__import__("sys").modules.values()):
        if getattr(module, name, None) is function:
            monkeypatch.setattr(module, name, count)
    return calls


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop", "function"])
def test_products_are_found_at_most_four_times(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = parse(GEMM_BODY_AND_FUNCTION, w=whole([9, 10], F32, 1))
    onnxtile.lower(model, (4, 4, 4), form=form, output=tmp_path / "warm.onnx")  # type: ignore[call-overload]
    calls = counted(monkeypatch, "contractions")
    report = onnxtile.lower(model, (4, 4, 4), form=form, output=tmp_path / "o.onnx")  # type: ignore[call-overload]
    assert [row.status for row in report.contractions] == ["tiled"] * 4
    assert 1 <= len(calls) <= 4


def planned(text: str, **weights: np.ndarray) -> tuple[LoweringPlan, ir.Model]:
    model = ir.from_proto(parse(text, **weights))
    InferShapes()(model)
    options = LoweringOptions.of((4, 4, 4))
    return LoweringPlan(model, options, list(contractions.contractions(model)), fit=True), model


CHAIN = """<ir_version: 10, opset_import: ["" : 18]> g (float[6,9] x) => (float[6,9] y) {
    [first] h = Gemm (x, w)
    [second] y = MatMul (h, v)
}"""


def test_what_takes_the_place_of_a_product_is_judged_in_the_order_of_the_nodes() -> None:
    plan, model = planned(CHAIN, w=whole([9, 10], F32, 1), v=whole([10, 9], F32, 2))
    decompose = next(pass_ for pass_ in plan.passes if isinstance(pass_, DecomposeGemm))
    tile = next(pass_ for pass_ in plan.passes if isinstance(pass_, TileMatMul))
    assert [(row.name, row.status) for row in plan.rows] == [("first", "tiled"), ("second", "tiled")]
    assert [product.name for product, _ in plan.decided(tile, model)] == ["second"]
    decompose(model)
    decided = plan.decided(tile, model)
    assert [product.name for product, _ in decided] == ["first", "second"]
    assert all(isinstance(decision, TilePlan) for _, decision in decided)
    tile(model)
    assert plan.decided(tile, model) == []
    assert plan.outcome(model) == plan.rows


def test_nothing_is_judged_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    refusals = TileMatMul.refusals

    def watched(self: TileMatMul, product: Contraction, model: ir.Model) -> Any:
        judged.append(product.name)
        return refusals(self, product, model)

    monkeypatch.setattr(TileMatMul, "refusals", watched)
    plan, model = planned(CHAIN, w=whole([9, 10], F32, 1), v=whole([10, 9], F32, 2))
    for pass_ in plan.passes:
        pass_(model)
    plan.outcome(model)
    assert sorted(judged) == ["first", "second"]
