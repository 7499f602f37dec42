from __future__ import annotations

from dataclasses import replace

import onnxtile
from onnxtile.drawing.facts import facts_of
from onnxtile.drawing.report_rows import (
    ENGINE,
    ERRORS,
    LAYERS,
    NODES,
    ON_ENGINE,
    PRODUCTS,
    REGIONS,
    engine_rows,
    layer_rows,
    left_rows,
    product_rows,
    region_rows,
    total_figures,
)
from onnxtile.tiling.limits import Limits
from onnxtile.verification.verdict import RegionVerdict, Verdict
from tests.drawing.models import lowered, network

LIMITS = Limits(6, 8, 8)


def test_products_that_need_action_are_first() -> None:
    facts = facts_of(network(), lowered(), limits=LIMITS)
    assert facts.checked is not None and facts.comparison is not None
    rows = product_rows(facts.checked)
    assert [(row[0].words, row[7].words, row[7].kind) for row in rows] == [
        ("fc", "over", "bad"), ("side", "over", "bad"), ("last", "fits", "good")
    ]  # fmt: skip
    assert len(rows[0]) == len(PRODUCTS) and rows[0][9].words == "480"
    became = product_rows(facts.checked, facts.comparison.changes, facts.left)
    assert [(row[0].words, row[7].words, row[8].words) for row in became] == [
        ("fc", "lowered", "was over"), ("side", "lowered", "was over"), ("last", "fits", "")
    ]  # fmt: skip


def test_what_is_still_over_is_not_called_lowered() -> None:
    facts = facts_of(network(), lowered(), limits=Limits(2, 2, 8))
    assert facts.checked is not None and facts.left is not None and facts.comparison is not None
    rows = product_rows(facts.checked, facts.comparison.changes, facts.left)
    assert {row[7].words for row in rows} == {"over"} and len(left_rows(facts.left)) == len(facts.left.over)


def test_costs_are_before_and_after_or_those_of_each_node() -> None:
    headings, rows = layer_rows(facts_of(network(), lowered()))
    assert headings == LAYERS and len(rows) == 3 and all(len(row) == len(LAYERS) for row in rows)
    some = onnxtile.lower(network(), (6, 8, 8))
    assert [(row[0].words, row[9].words == "1") for row in layer_rows(facts_of(network(), some))[1]] == [
        ("fc", False), ("last", True), ("side", False)
    ]  # fmt: skip
    headings, rows = layer_rows(facts_of(network()))
    assert headings == NODES and [row[0].words for row in rows] == ["fc", "relu", "last", "side", "add"]


def test_an_engine_has_its_rows_and_totals() -> None:
    facts = facts_of(network(), lowered(), engine="systolic-32")
    for headings, of in ((ENGINE, facts), (ON_ENGINE, facts_of(network(), engine="systolic-32"))):
        shown, rows = engine_rows(of)
        assert shown == headings and [row[0].words for row in rows] == ["fc", "last", "side"]
        assert all(len(row) == len(headings) for row in rows)
    assert "utilization" in dict(total_figures(facts)) and engine_rows(facts_of(network()))[1] == []
    assert [cell.words for cell in dict(total_figures(facts))["MACs"]] == ["1,128", "1,128"]


def test_regions_that_differ_are_first() -> None:
    region = RegionVerdict("fc", "MatMul", "", "exact", "", 1, 0.0, 0.0, True, tiles=12)
    wrong = replace(region, name="last", equivalent=False, reason="another function")
    verdict = Verdict(False, "exact", "", 1, 0, (), regions=(region, wrong))
    headings, rows = region_rows(verdict)
    assert headings == REGIONS
    assert [(row[0].words, row[3].words, row[3].kind, row[4].words) for row in rows] == [
        ("last", "different", "bad", "another function"), ("fc", "proven", "good", "")
    ]  # fmt: skip
    assert len(rows[0]) == len(REGIONS)
    rounded = replace(verdict, regions=(replace(region, max_abs_error=1e-6, allowed=1e-5), wrong))
    headings, rows = region_rows(rounded)
    assert headings == (*REGIONS, *ERRORS) and [cell.words for cell in rows[1][-2:]] == ["1e-06", "1e-05"]
