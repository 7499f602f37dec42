"""The table of operators is complete, its page fresh; what nobody knows is unknown, what isn't lowered is refused."""

from __future__ import annotations

import runpy

import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.lowering.report import Row
from onnxtile.operators.contractions import contractions
from onnxtile.operators.registry import declare
from onnxtile.operators.table import OPERATORS, PRODUCTS
from onnxtile.operators.work import NONE
from tests.support import ROOT, node_model, parse

DOCUMENT = runpy.run_path(str(ROOT / "docs" / "operators.py"))


def rows_of(model: onnx.ModelProto) -> list[Row]:
    return list(onnxtile.check(model, (1, 1, 1), ops="all").contractions)


# The table is complete


def test_an_operator_is_declared_once() -> None:
    with pytest.raises(AssertionError, match="'MatMul'. is declared twice"):
        declare("MatMul", work=NONE)


def test_work_is_declared_unless_products_cannot_be_sized() -> None:
    with pytest.raises(AssertionError, match="what Newest compute isn't declared"):
        declare("Newest")
    assert ("", "Newest") not in OPERATORS


def test_every_line_says_its_sizes_or_why_not() -> None:
    for operator, entry in PRODUCTS.items():
        assert entry.formula if entry.sizes else entry.reason, operator


def test_the_page_of_operators_is_fresh() -> None:
    text = DOCUMENT["PAGE"].read_text()
    if DOCUMENT["MADE_WITH"] not in text:
        pytest.skip(f"the page was made with other releases than {DOCUMENT['MADE_WITH']}")
    assert text == DOCUMENT["page"](), "refresh it: python docs/operators.py"


# What nobody knows, and what isn't lowered


@pytest.mark.parametrize(
    ("op", "domain", "words"),
    [
        ("Mystery", "acme", "domain acme isn't known: whether Mystery holds a product can't be told"),
        ("Mystery", "com.microsoft", "Mystery isn't among the operators known of com.microsoft: whether it holds"),
        ("MatMul", "acme", "domain acme isn't known: whether MatMul holds a product can't be told"),
    ],
)
def test_what_nobody_knows_is_unknown(op: str, domain: str, words: str) -> None:
    model = node_model(op, [[2, 2]], [2], domain=domain)
    (row,) = rows_of(model)
    assert (row.op, row.status, row.family) == (op, "unknown", "other")
    assert words in str(row.reason)
    assert not onnxtile.check(model, (1, 1, 1), ops="all").ok
    (row,) = onnxtile.check(model, (1, 1, 1)).contractions
    assert row.status == "not-asked"
    report, _ = onnxtile.estimate(model, (1, 1, 1), ops="all")
    (row,) = report.contractions
    assert row.status == "unknown"
    assert words in str(row.reason)


def test_a_newer_operator_of_onnx_is_unknown() -> None:
    model = ir.from_proto(node_model("Newest", [[2, 2]], [2]))
    (found,) = contractions(model)
    assert (found.family, found.sizable) == ("other", False)
    assert found.reason == "Newest isn't among the operators known of ai.onnx: whether it holds a product can't be told"


def test_a_local_function_is_known_by_its_body() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>
        g (float[4,4] x, float[4,4] w) => (float[4,4] y) { y = acme.Mystery (x, w) }
        <opset_import: ["" : 17], domain: "acme"> Mystery (a, b) => (c) { [inside] c = MatMul (a, b) }"""
    )
    for ops in ("matmul", "all"):
        (row,) = onnxtile.estimate(model, (8, 8, 8), ops=ops)[0].contractions
        assert (row.name, row.status) == ("inside", "fits")


def test_operators_without_a_product_are_none() -> None:
    assert rows_of(node_model("BiasGelu", [[2, 2], [2]], [2], domain="com.microsoft")) == []
    assert rows_of(node_model("Relu", [[2, 2]], [2])) == []


@pytest.mark.parametrize(
    ("ops", "model", "parts"),
    [
        ("conv", node_model("Conv", [[1, 3, 8, 8], [4, 3, 3, 3]], [4]), 1),
        ("rnn", node_model("LSTM", [[3, 2, 5], [1, 16, 5], [1, 16, 4]], [4], hidden_size=4), 2),
    ],
)
def test_families_that_are_not_lowered_yet_are_refused(ops: str, model: onnx.ModelProto, parts: int) -> None:
    for limits, status in (((4, 4, 4), "refused"), ((64, 64, 64), "fits")):
        report, _ = onnxtile.estimate(model, limits, ops=ops)
        assert [row.status for row in report.contractions] == [status] * parts
        assert all(row.reason is None or "isn't lowered yet" in row.reason for row in report.contractions)
    report, _ = onnxtile.estimate(model, (4, 4, 4))
    assert {row.status for row in report.contractions} == {"not-asked"}


def test_what_is_not_sized_is_unknown_when_lowered_too() -> None:
    model = node_model("WordConvEmbedding", [[1, 4]], [2], domain="com.microsoft")
    (row,) = onnxtile.estimate(model, (4, 4, 4), ops="conv")[0].contractions
    assert row.status == "unknown"
    assert row.reason == (
        "operator: WordConvEmbedding isn't lowered yet; "
        "WordConvEmbedding can't be sized: how long its words are is known only at run time"
    )
