"""Test what a mixture is written in: a router for all experts at once, and products of all of them."""

from __future__ import annotations

import onnxtile
from tests.passes.test_decompose_experts import HIDDEN, moe
from tests.support import operators


def test_every_expert_computes_every_token_in_one_product() -> None:
    lowered = onnxtile.lower(moe([7, HIDDEN]), (7, HIDDEN, HIDDEN), ops="all")
    assert operators(lowered) == ["MoE"]  # all its products fit
    lowered = onnxtile.lower(moe([7, HIDDEN]), (7, HIDDEN, 4), ops="all", form="batched")
    assert operators(lowered).count("TopK") == operators(lowered).count("ScatterElements") == 1
    assert operators(lowered).count("Where") == 1


def test_a_limit_of_gates_is_an_operator_and_none_costs_nothing() -> None:
    def made(**how: float) -> list[str]:
        return operators(onnxtile.lower(moe([7, HIDDEN], "swiglu", **how), (2, 3, 2), ops="all", form="batched"))

    assert "Clip" not in made()
    assert "Clip" in made(swiglu_limit=7.0)
