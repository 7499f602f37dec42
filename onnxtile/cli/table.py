"""Tables of reports: as wide as they are in a file or a pipe; on a terminal names are shortened until lines fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.cells import cell_len
from rich.text import Text

from onnxtile.cli.screen import console, terminal_width
from onnxtile.ir.printable import printable

_DOTS, _GAP = "...", "  "
_LONG = 32
_ALIGNED = {False: 100, True: 32}
"""Width to which a column, of numbers or not, is aligned where nothing is shortened; longer cells pad no others."""


@dataclass(frozen=True)
class Name:
    """A name between what says where it stands and what it is, which are shown whole."""

    name: str
    behind: str = ""
    before: str = ""

    def text(self, width: int | None = None) -> Text:
        """Return the cell; in so many places, with the middle of the name left out."""
        before, name, behind = self.parts()
        if width is not None:
            name = _without_middle(name, width - cell_len(before) - cell_len(behind))
        return Text.assemble((before, "dim"), name, (behind, "dim"))

    def parts(self) -> tuple[str, str, str]:
        """Return what stands before the name, the name, and what stands behind it, whole."""
        return self.before, printable(self.name), f" {printable(self.behind)}" if self.behind else ""


Cell = str | Text | Name


@dataclass(frozen=True)
class Column:
    """A heading; `right` for numbers; `shorten`: what is left out where a terminal is too narrow; `least` stays."""

    heading: str = ""
    right: bool = False
    shorten: Literal["", "middle", "end"] = ""
    least: int = 16
    style: str = ""

    def text(self, cell: Cell, width: int | None = None) -> Text:
        """Return a cell as it's shown, in a column of this width if there is one."""
        if isinstance(cell, Name):
            text = cell.text()
            return text if width is None or text.cell_len <= width else cell.text(width)
        text = Text(printable(cell), self.style) if isinstance(cell, str) else cell
        if width is None or text.cell_len <= width:
            return text
        if self.shorten == "middle":
            return Text(_without_middle(text.plain, width), self.style)
        return _without_end(text, width)


@dataclass
class Table:
    """Rows of cells below the columns' headings, where they have any."""

    columns: Sequence[Column]
    rows: list[Sequence[Cell]] = field(default_factory=list)

    def add(self, *cells: Cell) -> None:
        self.rows.append(cells)

    def print(self) -> None:
        screen, terminal = console(), terminal_width()
        if screen.color_system is not None:
            for line in self.lines(terminal):
                screen.print(line)
            return
        lines = self.plain_lines() if terminal is None else (line.plain for line in self.lines(terminal))
        screen.file.writelines(f"{line}\n" for line in lines)

    def plain_lines(self) -> Iterator[str]:
        """Return the table's lines without styles, nothing shortened: a file may get 100,000, and styles take time."""
        rows = [[_plain(cell) for cell in row] for row in self.rows]
        if any(column.heading for column in self.columns):
            rows.insert(0, [printable(column.heading) for column in self.columns])
        lengths = [[len(text) if text.isascii() else cell_len(text) for text in row] for row in rows]
        widths = self._aligned(lengths)
        for row, taken in zip(rows, lengths, strict=True):
            around = self._around(taken, widths)
            yield "".join(
                f"{before}{text}{behind}" for text, (before, behind) in zip(row, around, strict=True)
            ).rstrip()

    def lines(self, terminal: int | None = None) -> Iterator[Text]:
        """Return the table's lines. They are longer than the terminal is wide where no more may be left out."""
        count = len(self.columns)
        rows = [[column.text(cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]
        headings = [Text(printable(column.heading), "bold") for column in self.columns]
        if any(column.heading for column in self.columns):
            rows.insert(0, headings)
        widths = [max((row[index].cell_len for row in rows), default=0) for index in range(count)]
        if terminal is None or sum(widths) + len(_GAP) * (count - 1) <= terminal:
            widths = self._aligned([widths])
        else:
            widths = self._fitted(widths, terminal - len(_GAP) * (count - 1))
            shown = len(rows) - len(self.rows)
            rows[shown:] = [
                [column.text(cell, width) for column, cell, width in zip(self.columns, row, widths, strict=True)]
                for row in self.rows
            ]
        for row in rows:
            line = Text()
            around = self._around([text.cell_len for text in row], widths)
            for text, (before, behind) in zip(row, around, strict=True):
                line.append(before).append_text(text).append(behind)
            line.rstrip()
            yield line

    def _aligned(self, lengths: Sequence[Sequence[int]]) -> list[int]:
        """Return the columns' widths where nothing is shortened, by the places that the cells of each row take."""
        widest = map(max, zip(*lengths, strict=True))
        return [min(width, _ALIGNED[column.right]) for width, column in zip(widest, self.columns, strict=False)]

    def _around(self, lengths: Sequence[int], widths: Sequence[int]) -> Iterator[tuple[str, str]]:
        """Yield the blanks before and behind each cell of a row."""
        gap = ""
        for length, width, column in zip(lengths, widths, self.columns, strict=True):
            blank = " " * (width - length)
            yield (gap + blank, "") if column.right else (gap, blank)
            gap = _GAP

    def _fitted(self, widths: Sequence[int], room: int) -> list[int]:
        """Return widths with what is too much taken from the widest columns, from names of usual length last."""
        widths = list(widths)
        for kinds, most in ((("middle", "end"), _LONG), (("end",), 0), (("middle",), 0)):
            chosen = [index for index, column in enumerate(self.columns) if column.shorten in kinds]
            while sum(widths) > room:
                wider = [index for index in chosen if widths[index] > max(self.columns[index].least, most)]
                if not wider:
                    break
                widths[max(wider, key=widths.__getitem__)] -= 1
        return widths


def _plain(cell: Cell) -> str:
    """Return a whole cell without styles."""
    if isinstance(cell, str):
        return printable(cell)
    return cell.plain if isinstance(cell, Text) else "".join(cell.parts())


def _without_end(text: Text, width: int) -> Text:
    """Return the text in so many places, cut between words where there are any: half a number would be another one."""
    text = text.copy()
    text.truncate(width - len(_DOTS))
    last = text.plain.rfind(" ")
    return (text[: last + 1] if last > len(text) // 2 else text).append(_DOTS)


def _without_middle(text: str, width: int) -> str:
    """Return the text in so many places of the screen, a letter of each end at least.

    >>> _without_middle("layers.11.attention.query", 15)
    'layers....query'
    """
    if cell_len(text) <= width:
        return text
    head, tail, room = "", "", max(width - len(_DOTS), 2)
    while True:  # letters may be two places wide
        for at_end in (False, True):
            letter = text[-1 - len(tail)] if at_end else text[len(head)]
            if cell_len(head + tail + letter) > room:
                return f"{head}{_DOTS}{tail}"
            head, tail = (head, letter + tail) if at_end else (head + letter, tail)
