from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.engine.product import Product
from onnxtile.ir.notebook import MOST_PRINTED, MOST_ROWS, Sheet, Tabular

HOSTILE = "<script>alert('x')</script>&\x1b[31m"
MODEL = onnx.helper.make_model(
    onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name=HOSTILE)],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [6, 9]), onnx.helper.make_tensor_value_info("w", 1, [9, 10])],
        [onnx.helper.make_tensor_value_info("y", 1, [6, 10])],
    ),
    opset_imports=[onnx.helper.make_opsetid("", 17)],
    ir_version=8,
)


@pytest.fixture(scope="module")
def results() -> dict[str, Tabular]:
    lowered, report = onnxtile.lower(MODEL, (4, 4, 4), report=True)
    profile = onnxtile.profile(MODEL, engine="systolic-16")
    assert profile.engine is not None
    captured = onnxtile.capture(MODEL, op="MatMul", inputs={"x": np.ones((6, 9), "f"), "w": np.ones((9, 10), "f")})
    return {
        "check": onnxtile.check(MODEL, (4, 4, 4)),
        "lower": report,
        "profile": profile,
        "engine": profile.engine,
        "verify": onnxtile.verify(MODEL, lowered),
        "capture": captured.report,
    }


def test_tables_escape_names(results: Mapping[str, Tabular]) -> None:
    for name, result in results.items():
        shown = result._repr_html_()
        assert "<script" not in shown and "\x1b" not in shown, name
        assert "&lt;script&gt;" in shown, name
        assert shown.startswith("<div><table><tr><th"), name


def test_a_report_shows_what_needs_action_and_the_engine_s_use(results: Mapping[str, Tabular]) -> None:
    shown = results["check"]._repr_html_()
    assert "1 product at 4,4,4: 1 over" in shown and "on the engine: 0 of 540 MACs (0%)" in shown
    assert "<td style='text-align: right'>9</td>" in shown
    assert "1 region: 1 proven" in results["verify"]._repr_html_()


def test_cycles_of_other_operators_are_unknown_without_a_rate() -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        g (float[6,9] x, float[9,10] w) => (float[6,10] y) { [fc] h = MatMul (x, w)  [relu] y = Relu (h) }""")
    taken = onnxtile.profile(model, engine="systolic-16").engine
    assert taken is not None
    cycles = {row[0]: row[4] for row in taken.sheet().rows}
    assert cycles["relu Relu"] == "?" and cycles["fc MatMul"].isdigit()


def test_choices_and_sweeps_are_tables() -> None:
    engine = onnxtile.Engine.load("systolic-16")
    chosen = onnxtile.choose(Product(64, 64, 64), engine)
    assert "<td style='text-align: left'>64 x 64 x 64</td>" in chosen._repr_html_()
    assert str(chosen).splitlines()[1] == f"schedule     {chosen.schedule.text()}"
    (record,) = chosen.records()
    assert record["bytes"] == chosen.cost.bytes and record["cycles"] == chosen.cost.cycles
    swept = onnxtile.sweep(MODEL, "systolic-16", {"local.size": "32KiB:64KiB:x2"})
    assert "<th style='text-align: left'>local.size</th>" in swept._repr_html_()
    assert len(swept.records()) == 2


class Rows(Tabular):
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def sheet(self) -> Sheet:
        return Sheet((), (), ())

    def records(self) -> list[dict[str, Any]]:
        return self.rows


def test_pandas_gets_the_rows_of_json(results: Mapping[str, Tabular]) -> None:
    pytest.importorskip("pandas")
    report = results["lower"].to_pandas()
    assert list(report["name"]) == [HOSTILE]
    assert report.loc[0, ["m", "k", "n", "tiles_m", "calls", "macs"]].tolist() == [6, 9, 10, 4, 18, 540]
    rows = Rows([{"name": "a", "tiles": {"m": 4}}, {"name": "b", "tiles": None, "reason": None}])
    assert list(rows.to_pandas().columns) == ["name", "tiles_m", "reason"]
    assert results["profile"].to_pandas()["macs"].tolist() == [540]
    assert results["engine"].to_pandas()["macs"].tolist() == [540]
    assert results["verify"].to_pandas()["status"].tolist() == ["proven"]
    assert results["capture"].to_pandas()["max"].tolist() == [9.0]


def test_without_pandas_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, results: Mapping[str, Tabular]
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        onnxtile.UsageError, match="^to_pandas takes pandas, which isn't installed: pip install pandas$"
    ):
        results["check"].to_pandas()


def test_a_table_of_as_many_rows_as_are_shown_and_more() -> None:
    rows: Sequence[Any] = [("a",)] * (MOST_ROWS + 2)
    shown = Sheet(["all"], ["name"], rows).html()
    assert shown.count("<td") == MOST_ROWS
    assert shown.endswith("<p>all<br>... and 2 more rows; to_pandas() has all</p></div>")
    assert "more" not in Sheet([], ["name"], rows[:MOST_ROWS]).html()
    assert Sheet(["none"], ["name"], []).html() == "<div><p>none</p></div>"


def test_a_verdict_without_regions_shows_values() -> None:
    verdict = onnxtile.verify(MODEL, MODEL, method="bound", cases=1)
    shown = verdict._repr_html_()
    assert "<th style='text-align: right'>allowed</th>" in shown
    assert verdict.records()[-1]["name"] == "y"


def test_as_many_rows_as_are_printed_and_more() -> None:
    rows: Sequence[Any] = [("a",)] * (MOST_PRINTED + 2)
    assert Sheet(["below"], ["name"], rows).text().splitlines()[MOST_PRINTED:] == ["a", "... and 2 more", "below"]
    assert "more" not in Sheet([], ["name"], rows[:MOST_PRINTED]).text()
    assert Sheet(["a\x1bb"], (), ()).text() == r"a\x1bb"
