from __future__ import annotations

import pytest

from onnxtile.drawing import tables
from onnxtile.drawing.svg import Element, to_html
from onnxtile.drawing.tables import Cell, add_figures, add_table, amount_cell, name_cell
from onnxtile.ir.symbolic.amounts import Range, Unknown, size_of
from tests.drawing.models import HOSTILE


def table(*rows: list[Cell]) -> str:
    body = Element("body")
    add_table(body, ("name", "size"), rows, "nothing here")
    return to_html(body)


def test_amounts_are_exact_and_sorted_by_their_size() -> None:
    assert amount_cell(1234) == Cell("1,234", 1234, "number")
    assert amount_cell(Unknown("why")) == Cell("?", float("inf"), "number unknown", "why")
    assert amount_cell(Range(1000, None)).words == "1,000 or more" and amount_cell(Range(0, 2000)).sort == 2000
    symbol = size_of("batch")
    assert symbol is not None and amount_cell(symbol).words == "batch" and amount_cell(symbol).sort == float("inf")


def test_a_table_says_by_what_it_is_sorted_and_names_are_text() -> None:
    text = table([name_cell(HOSTILE), amount_cell(5)])
    assert '<td data-sort="5" class="number">5</td>' in text and '<th scope="col" class="number">' in text
    assert "&lt;script&gt;" in text and "<script>" not in text and "\x1b" not in text
    assert "nothing here" in table()


def test_as_many_rows_as_are_shown_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    row = [Cell("a"), Cell("b")]
    for most_rows, told in ((2, 0), (1, 1)):
        monkeypatch.setattr(tables, "MOST_ROWS", most_rows)
        assert table(row, row).count("and 1 row more") == told


def test_names_as_long_as_there_is_room_and_longer() -> None:
    longest = "n" * tables.LONGEST
    assert name_cell(longest) == Cell(longest)
    assert len(name_cell(longest + "n").words) == tables.LONGEST and name_cell(longest + "n").title == longest + "n"


def test_figures_have_a_line_each_and_a_column_a_model() -> None:
    body = Element("body")
    add_figures(body, [("MACs", [amount_cell(1), amount_cell(2)])], ["a", "b"])
    assert to_html(body).count("<tr>") == 2 and '<th scope="row">MACs</th><td class="number">1</td>' in to_html(body)
