from __future__ import annotations

import pytest

from onnxtile.engine.description import Engine
from onnxtile.exploration.rows import columns_of, headings, local_size, macs_a_cycle, outcome_of
from tests.exploration.studies import figures, row


def test_figures_and_reasons_come_back_from_cells() -> None:
    assert outcome_of(row({"local.size": "1 KiB"}, 100).cells()) == figures(100)
    assert outcome_of(row({"local.size": "1 KiB"}, None).cells()) == figures(None)
    assert outcome_of(row({"local.size": "1 KiB"}, None, reason="too small").cells()) == "too small"


def test_a_row_without_a_figure_and_one_without_numbers_are_none() -> None:
    with pytest.raises(ValueError, match="a figure is missing"):
        outcome_of(row({}, 100).cells() | {"bytes": ""})
    with pytest.raises(ValueError, match="invalid literal"):
        outcome_of(row({}, 100).cells() | {"bytes": "many"})


def test_cells_are_one_line_in_the_order_of_the_headings() -> None:
    cells = row({"local.size": "1 KiB"}, None, model="a\nb.onnx").cells()
    assert list(cells) == headings(["local.size"])
    assert (cells["model"], cells["cycles"], cells["bytes"]) == ("a\\nb.onnx", "", "1000")


def test_columns_hold_numbers() -> None:
    columns = columns_of([row({"x": "1"}, 7, seconds=0.25), row({"x": "2"}, None, reason="no")], ["x"])
    assert columns["cycles"] == [7, None]
    assert columns["seconds"] == [0.25, None]
    assert columns["x"] == ["1", "2"]


def test_what_stands_for_the_area() -> None:
    array = {"M": 2, "K": 4, "N": 8}
    unit = {"types": ("int8", "int8"), "accumulate": "int32"}
    split = {"A": 1024, "B": "2 KiB", "C": 4096}
    engine = Engine.model_validate({"product": [{**unit, "array": array}], "local": {"size": split}})
    assert (macs_a_cycle(engine), local_size(engine)) == (64, 7168)
