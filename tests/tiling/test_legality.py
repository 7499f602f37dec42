"""Words and codes of refusals, what fits, and what is cut: products judged against limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from onnxtile.ir.dtypes import FLOATS
from onnxtile.ir.io.load import from_proto
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.tiling.legality import Ability, Decision, Judge, Refusal, legality, type_refusals, why_unknown
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.plan import TilePlan
from tests.support import parse


def model(a: list[Any], b: list[Any], opset: int = 18, data_type: int = TensorProto.FLOAT) -> ir.Model:
    """Y = MatMul(A, B)."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["A", "B"], ["Y"], "product")], "g",
        [helper.make_tensor_value_info("A", data_type, a), helper.make_tensor_value_info("B", data_type, b)],
        [helper.make_tensor_value_info("Y", data_type, None)],
    )  # fmt: skip
    read = from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8))
    InferShapes()(read)
    return read


def product(*shapes: list[Any], **how: Any) -> Contraction:
    (found,) = contractions(model(*shapes, **how))
    return found


@pytest.mark.parametrize(
    ("a", "b", "limits", "answer"),
    [
        ([4, 4], [4, 4], "4,4,4", "fits"), ([5, 4], [4, 4], "4,4,4", "over"), ([4, 5], [5, 4], "*,*,*", "fits"),
        (["M", 4], [4, 4], "4,4,4", "unknown"), (["M", 4], [4, 4], "*,4,4", "fits"),
        (["M", 5], [5, 4], "4,4,4", "over"), ([0, 4], [4, 4], "1,4,4", "fits"), ([9, 4, 4], [4, 4], "4,4,4", "fits"),
        ([4], [4, 5], "4,4,4", "over"),
    ],
)  # fmt: skip
def test_a_product_against_limits(a: list[Any], b: list[Any], limits: str, answer: str) -> None:
    assert legality(product(a, b), Limits.parse(limits)) == answer


def decide(judged: ir.Model, limits: str, ability: Ability | None = None, full: bool = False) -> Decision:
    ((_, decision),) = Judge(judged, Limits.parse(limits), ability or Ability(), full).decisions(
        contractions(judged), lambda found: type_refusals(found, FLOATS)
    )
    return decision


@pytest.mark.parametrize(
    ("judged", "limits", "how", "words"),
    [
        (
            ([4, "K"], ["K", 4]), "4,4,4", {},
            "symbolic-k: K is 'K'; bind it with --bind K=INT",
        ),
        (
            ([4, 8], [8, "N"]), "4,4,4", {},
            "symbolic-n: N is 'N'; bind it with --bind N=INT",
        ),
        (
            (["M", 8], [8, 4]), "4,4,4", {},
            "symbolic-m: M is 'M'; bind it with --bind M=INT, leave M unlimited (--max *,K,N), or take --form batched",
        ),
        (
            (["M", 8], [8, 4], 10), "4,4,4", {},
            "symbolic-m: M is 'M'; bind it with --bind M=INT, leave M unlimited (--max *,K,N)",
        ),
        (
            (["M", 8], [8, 4], 10), "4,4,4", {"ability": Ability(symbolic_m=True)},
            "symbolic-m: M is 'M'; bind it with --bind M=INT; opset 10 can't cut it at run time",
        ),
        (
            ([8, 8], [8, 8], 9), "4,4,4", {"ability": Ability(first_opset=11)},
            "opset: opset 9 lacks what this form is made of, which 11 has",
        ),
        (
            ([8, 8], [8, 8], 6), "4,4,4", {},
            "opset: opset 6 isn't one of 7 to 28; convert the model (onnx.version_converter)",
        ),
        (
            ([8, 8], [8, 8], 18, TensorProto.INT32), "4,4,4", {},
            "dtype: INT32 isn't tiled",
        ),
        (
            ([8], [8, 8]), "4,4,4", {"full": True},
            "vector: a vector isn't padded to full tiles; make it a matrix of one row or column",
        ),
        (
            ([10**5, 10**5], [10**5, 10**5]), "1,1,1", {"ability": Ability(writes_each_tile=True)},
            "too-many-tiles: it makes 1,000,000,000,000,000 tiles, more than 16,000,000; "
            "take a larger --max, or --form batched",
        ),
        (
            ([2**62 + 1, 2], [2, 2]), "4611686018427387904,1,1", {"full": True},
            "too-large: a side of 9,223,372,036,854,775,808 with its last tile filled up is no size; "
            "take a smaller one",
        ),
        (
            (["M", 0], [0, 4]), "4,4,2", {"ability": Ability(symbolic_m=True)},
            "symbolic-m: M is 'M' in a product without elements; bind it with --bind M=INT, "
            "or leave M unlimited (--max *,K,N)",
        ),
    ],
)  # fmt: skip
def test_the_words_of_a_refusal(judged: tuple[Any, ...], limits: str, how: dict[str, Any], words: str) -> None:
    decision = decide(model(*judged), limits, **how)
    assert isinstance(decision, Refusal)
    assert str(decision) == words


@pytest.mark.parametrize(
    ("shapes", "limits", "tile", "count"),
    [
        (([5, 6], [6, 7]), "4,4,4", (4, 4, 4), 8), (([5, 6], [6, 7]), "*,4,*", (5, 4, 7), 2),
        ((["M", 6], [6, 7]), "*,4,4", (None, 4, 4), 4), (([0, 6], [6, 7]), "4,4,4", (1, 4, 4), 4),
    ],
)  # fmt: skip
def test_a_plan(shapes: tuple[Any, ...], limits: str, tile: tuple[Any, ...], count: int) -> None:
    plan = decide(model(*shapes), limits)
    assert isinstance(plan, TilePlan)
    assert plan.tile == tile
    assert plan.products == count


def test_what_fits_stays_unless_tiles_have_to_be_full() -> None:
    assert decide(model([3, 4], [4, 4]), "4,4,4") is None
    assert decide(model([4, 4], [4, 4]), "4,4,4", full=True) is None
    plan = decide(model([3, 4], [4, 4]), "4,4,4", full=True)
    assert isinstance(plan, TilePlan)
    assert plan.padded.m.size == 4


def test_a_doubt_names_each_axis_and_the_cure() -> None:
    found = product(["a", 4], [4, "b"])
    assert str(why_unknown(found, Limits(4, 4, 4), ["a", "b"])) == (
        "symbolic: M is 'a', N is 'b'; bind them with --bind a=INT,b=INT"
    )
    assert "N is" not in str(why_unknown(found, Limits(4, 4, None), ["a", "b"]))


def test_a_product_of_a_function_waits_for_specialization() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18, "l" : 1]>
    g (float[8,8] x) => (float[8,8] y) { y = l.f (x, w) }
    <domain: "l", opset_import: ["" : 18]> f (a, b) => (c) { c = MatMul (a, b) }"""
    read = from_proto(parse(text, w=np.ones([8, 8], np.float32)))
    InferShapes()(read)
    decision = decide(read, "4,4,4")
    assert str(decision) == "scope: it is in function l::f; run specialize-functions first"
