"""The table of operators is complete, its page fresh; what nobody knows is unknown, what isn't lowered is refused."""

from __future__ import annotations

import runpy
from importlib.metadata import EntryPoint

import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import PluginWarning
from onnxtile.ir import plugins
from onnxtile.operators.matmul import matmul
from onnxtile.operators.measures import X
from onnxtile.operators.registry import declare, one_product, unsized
from onnxtile.operators.table import ENTRY_POINTS, OPERATORS, PRODUCTS, declare_plugged, operations_of
from onnxtile.operators.work import ELEMENTWISE
from tests.support import ROOT, node_model

DOCUMENT = runpy.run_path(str(ROOT / "docs" / "operators.py"))


# The table is complete


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
    ("ops", "model", "parts"),
    [
        ("conv", node_model("DeformConv", [[1, 3, 8, 8], [4, 3, 3, 3], [1, 18, 6, 6]], [4]), 1),
    ],
)
def test_families_that_are_not_lowered_yet_are_refused(ops: str, model: onnx.ModelProto, parts: int) -> None:
    for limits, status in (((4, 4, 4), "refused"), ((64, 64, 64), "fits")):
        report, _ = onnxtile.estimate(model, limits, ops=ops)
        assert [row.status for row in report.contractions] == [status] * parts
        assert all(row.reason is None or "isn't lowered" in row.reason for row in report.contractions)
    report, _ = onnxtile.estimate(model, (4, 4, 4), ops="matmul")
    assert {row.status for row in report.contractions} == {"not-asked"}


def test_what_is_not_sized_is_unknown_when_lowered_too() -> None:
    model = node_model("WordConvEmbedding", [[1, 4]], [2], domain="com.microsoft")
    (row,) = onnxtile.estimate(model, (4, 4, 4), ops="conv")[0].contractions
    assert row.status == "unknown"
    assert row.reason == (
        "operator: WordConvEmbedding isn't lowered yet; "
        "WordConvEmbedding can't be sized: how long its words are is known only at run time"
    )


def test_plugins_declare_all_of_their_operators_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", f"{__name__}:declare_well", ENTRY_POINTS)
    monkeypatch.setattr(plugins, "entry_points", lambda **_: [point])
    before = dict(OPERATORS)
    try:
        assert list(declare_plugged()) == [("mine.domain", "Twice")]
        node = ir.Node("mine.domain", "Twice", [ir.Value(shape=ir.Shape([2, 3]))])
        assert operations_of(node, 17).elementwise == 6
    finally:
        OPERATORS.clear()
        OPERATORS.update(before)
    for name, words in {
        "declare_again": "ValueError: MatMul of domain ai.onnx is declared already",
        "declare_no_family": "ValueError: the family of Odd is 'odd': take one of matmul, conv, rnn, attention, other",
        "declare_no_work": "ValueError: what Odd compute isn't declared: give work, ",
        "declare_no_body": "ValueError: the body of Odd isn't a function as ONNX text: ",
        "declare_other_body": "ValueError: the body of Odd is that of Even of domain mine.domain: give it ",
        "OPERATORS": "TypeError: 'dict' object is not callable",
    }.items():
        point = EntryPoint("mine", f"{__name__}:{name}", ENTRY_POINTS)
        with pytest.warns(PluginWarning, match=rf"plugin 'mine' \(onnxtile.operators\) is broken: {words}"):
            assert declare_plugged() == {}
        assert before == OPERATORS


def declare_well() -> None:
    declare("Twice", "mine.domain", work=ELEMENTWISE * X)


def declare_again() -> None:
    declare_well()
    declare("MatMul", work=ELEMENTWISE * X)


def declare_no_work() -> None:
    declare("Odd", "mine.domain", products=one_product("matmul", matmul, "numpy.matmul"))


def declare_no_body() -> None:
    declare("Odd", "mine.domain", work=ELEMENTWISE * X, body="y = Neg (x)")


def declare_other_body() -> None:
    body = '<domain: "mine.domain", opset_import: ["" : 13]> Even (x) => (y) { y = Neg (x) }'
    declare("Odd", "mine.domain", work=ELEMENTWISE * X, body=body)


def declare_no_family() -> None:
    declare("Odd", "mine.domain", products=unsized("odd", "isn't sized"))
