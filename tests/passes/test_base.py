"""Passes that rewrite products: each product is found and judged once, or not at all where a plan has decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir
import pytest

from onnxtile import Limits
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.passes import DecomposeGemm, InferShapes, TileMatMul
from onnxtile.passes.base import Decided, ProductPass
from onnxtile.tiling.legality import Judge, Refusal

LIMITS = Limits(4, 4, 4)


def model_of(text: str) -> ir.Model:
    model = ir.from_onnx_text(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    InferShapes()(model)
    return model


GEMM = "layer (float[4,8] x, float[8,4] w) => (float[4,4] y) { [fc] y = Gemm (x, w) }"


@dataclass
class Note:
    """A plan that judges each pass's products when it's asked, and notes what it's asked and told."""

    asked: list[ProductPass] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)

    def decided(self, pass_: ProductPass, model: ir.Model) -> Iterable[Decided]:
        self.asked.append(pass_)
        return pass_.decide(model, list(contractions(model)))

    def replaced(self, product: Contraction, nodes: Sequence[ir.Node]) -> None:
        self.nodes += [f"{product.name}: {node.op_type}" for node in nodes]


def test_a_pass_alone_judges_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []
    decisions = Judge.decisions

    def count(self: Judge, products: list[Contraction], refusals: object) -> list[Decided]:
        judged.append(len(products))
        return decisions(self, products, refusals)  # type: ignore[arg-type]

    monkeypatch.setattr(Judge, "decisions", count)
    model = model_of(GEMM)
    assert DecomposeGemm(LIMITS)(model).modified
    assert TileMatMul(LIMITS)(model).modified
    assert judged == [1, 1]


def test_a_pass_follows_a_plan_and_tells_it_what_it_made() -> None:
    model, plan = model_of(GEMM), Note()
    decompose, tile = DecomposeGemm(LIMITS).following(plan), TileMatMul(LIMITS).following(plan)
    assert decompose == DecomposeGemm(LIMITS)  # as a pipeline's text has it
    assert decompose(model).modified
    assert tile(model).modified
    assert plan.asked == [decompose, tile]
    assert plan.nodes[0] == "fc: MatMul"
    assert plan.nodes[1].startswith("fc: MatMul_4x8x4_by_4x4x4")


def test_what_a_plan_refuses_stays() -> None:
    class Refuses(Note):
        def decided(self, pass_: ProductPass, model: ir.Model) -> Iterable[Decided]:
            return [(product, Refusal("test", "as planned")) for product in contractions(model)]

    model = model_of(GEMM)
    assert not DecomposeGemm(LIMITS).following(Refuses())(model).modified
    assert [node.op_type for node in model.graph] == ["Gemm"]
