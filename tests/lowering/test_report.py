"""Rows and reports: what is over, what is unknown, how much is computed."""

from __future__ import annotations

import json
from typing import Any

import pytest

import onnxtile
from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.lowering.lower import lower
from onnxtile.lowering.options import LoweringOptions
from onnxtile.lowering.report import Report
from tests.support import matmul

RAGGED = matmul([5, 6], [6, 7], [5, 7])


def lowered(model: Any = RAGGED, **options: Any) -> Report:
    return onnxtile.estimate(model, (4, 4, 4), **options)[0]


def test_multiplications_with_and_without_padding() -> None:
    report = lowered()
    (row,) = report.contractions
    assert (row.status, row.tiles) == ("tiled", (4, 4, 4))
    assert (row.macs(), row.macs(padded=True)) == (5 * 6 * 7, 8 * 8 * 8)
    assert (report.macs, report.ok, report.over, report.unknown) == (210, True, (), ())


def test_a_free_size_gives_a_formula() -> None:
    report = onnxtile.estimate(matmul(["n", 6], [6, 7], ["n", 7]), (None, 4, 4))[0]
    assert str(report.macs) == "42*n"
    document = json.loads(json.dumps(report.to_json()))
    assert document["macs"] == "42*n"
    assert document["contractions"][0]["m"] == "n"


def test_what_is_refused_is_over_and_what_nobody_knows_is_unknown() -> None:
    _, lowered_report = lower(matmul(["n", 6], [6, 7], ["n", 7]), LoweringOptions.of((4, 4, 4)))
    report = lowered_report()
    assert [row.status for row in report.over] == ["refused"]
    assert not report.ok
    report = onnxtile.check(matmul(["n", 4], [4, 4], ["n", 4]), (4, 4, 4))
    assert [row.status for row in report.unknown] == ["unknown"]
    assert not report.ok
    assert report.having("fits", "over") == ()


@pytest.mark.parametrize(("limits", "status"), [((8, 8, 8), "fits"), ((4, 8, 8), "over")])
def test_json_has_a_row_for_each_product(limits: tuple[int, int, int], status: str) -> None:
    report = onnxtile.check(RAGGED, limits)
    document = report.to_json()
    assert document["schema"] == "onnxtile.check/1"
    assert document["limits"] == dict(zip("mkn", limits, strict=True))
    assert document["over"] == (status == "over")
    assert [(row["name"], row["status"], row["tiles"]) for row in document["contractions"]] == [
        ("product", status, None)
    ]
    assert "macs" not in document


def test_a_row_without_a_size_says_why() -> None:
    report = onnxtile.check(matmul(["n", 4], [4, 4], ["n", 4]), (4, 4, 4))
    (row,) = report.contractions
    assert not isinstance(row.macs(), Unknown)  # a formula
    assert row.reason == "symbolic: M is 'n'; bind it with --bind n=INT"
