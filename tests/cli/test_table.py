from __future__ import annotations

from rich.cells import cell_len

from onnxtile.cli.screen import styled
from onnxtile.cli.table import _LONG, Column, Name, Table, numbers, plain
from tests.terminals import terminal


def shown(table: Table, terminal: int | None = None) -> list[str]:
    return [plain(line).rstrip() for line in table.lines(terminal)]


def test_cells_take_as_many_places_as_they_show() -> None:
    table = Table([Column("name", shorten="middle"), Column("n", right=True), Column("why", shorten="end")])
    for name in ("日本語" * 20, "e\u0301" * 40, "x" * 200, "plain"):
        table.add(Name(name, "MatMul"), "1,024", "because of this and that")
    for columns in (44, 60, 80):
        lines = shown(table, columns)
        assert all(cell_len(line) <= columns for line in lines)
        places = {cell_len(line[: line.index("1,024")]) for line in lines[1:]}
        assert len(places) == 1
    assert shown(table)[3] == f"{'x' * 200} MatMul  1,024  because of this and that"


def test_numbers_and_formulas_are_cut_between_words() -> None:
    table = Table([Column("n", right=True), Column("first", shorten="end")])
    table.add("1", "0.1234 -5.678 9.012 33.44")
    assert shown(table, 22) == ["n  first", "1  0.1234 -5.678 ..."]
    assert shown(table, 26)[1] == "1  0.1234 -5.678 9.012 ..."
    table.add("2", "Max(12345678901234567890)")
    assert shown(table, 22)[2] == "2  Max(123456789012..."


def test_a_long_cell_pads_no_others_in_a_pipe() -> None:
    table = Table([Column("name", shorten="middle"), Column("n", right=True, shorten="end"), Column("what")])
    table.add("a" * 1000, "1", "x")
    table.add("b", "2*n + " * 100 + "1", "y")
    table.add("c", "3", "z")
    lines = shown(table)
    assert lines[1] == f"{'a' * 1000}  {'1':>32}  x"
    assert lines[3] == f"{'c':100}  {'3':>32}  z"
    assert all(len(line) < 1100 for line in lines)


def test_rows_that_a_terminal_gets_and_how_many_more_there_are() -> None:
    table = Table([Column("name"), *numbers("size")])
    with terminal(80) as screen:
        table.print_first(range(5), lambda row: (f"row {row}", str(row)), most=2, more="--all lists them")
    assert screen.lines == ["name   size", "row 0     0", "row 1     1", "... and 3 more; --all lists them"]


def test_styled_cells_are_cut_as_others_are() -> None:
    table = Table([Column("why", shorten="end")])
    table.add(styled(("not a number", "red"), (" 1.5 2.5 3.5", "")))
    assert shown(table, 20)[1] == "not a number 1.5 ..."
    assert shown(table)[1] == "not a number 1.5 2.5 3.5"


def test_columns_are_left_out_before_names_are_cut_short() -> None:
    table = Table([Column("name", shorten="middle"), Column("last", left_out=2), Column("first", left_out=1)])
    table.add("layers.11.attention.query", "x" * 10, "y" * 10)
    with terminal(60) as screen:
        table.print()
    assert screen.lines == [
        "name                       last        first",
        f"layers.11.attention.query  {'x' * 10}  {'y' * 10}",
    ]
    with terminal(40) as screen:
        table.print()
    assert screen.lines[1:] == [f"layers.11.attention.query  {'x' * 10}", "left out at this width: first"]
    with terminal(20) as screen:
        table.print()
    assert screen.lines == ["name", "layers.11...on.query", "left out at this width: last, first"]


def test_what_a_name_says_of_its_operator_is_not_said_twice_where_it_is_narrow() -> None:
    name = Name("encoder/layer.11/output/MatMul", "MatMul")
    assert plain(name.segments(40)) == "encoder/layer.11/output/MatMul MatMul"
    assert plain(name.segments(30)) == "encoder/layer.11/output/MatMul"
    assert plain(name.segments(24)) == "encoder/lay...put/MatMul"
    assert plain(Name("encoder/output/fc", "MatMul").segments(20)) == "encod...ut/fc MatMul"


def test_a_column_is_shown_where_names_have_enough_and_left_out_where_they_have_not() -> None:
    grid = Table([Column("name", shorten="middle"), Column("size", left_out=1)], [["x" * 100, "1234"]])
    width = _LONG + 2 + 4
    assert [len(grid.narrowed(columns).columns) for columns in (width, width - 1)] == [2, 1]


def test_an_empty_column_that_is_left_out_is_not_missed() -> None:
    table = Table([Column("name"), Column("reason", left_out=1)], [["x" * 18, ""]])
    with terminal(20) as screen:
        table.print()
    assert screen.lines == ["name", "x" * 18]
