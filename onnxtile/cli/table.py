"""Lay out tables of reports: whole in a file or a pipe; on a terminal names are shortened until lines fit."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from rich.cells import cell_len
from rich.text import Text

from onnxtile.cli.screen import Segments, console, first, print_rest, terminal_width
from onnxtile.ir.printable import printable

MOST_ROWS = 60
"""Rows of a table on a terminal; files, pipes, --json and --report get all."""
_DOTS, _GAP = "...", "  "
_LONG = 32
_ALIGNED = {False: 100, True: 32}
"""Width to which a column, of numbers or not, is aligned where nothing is shortened; longer cells pad no others."""
_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Name:
    """A name between what says where it stands and what it is, which are shown whole."""

    name: str
    behind: str = ""
    before: str = ""

    def segments(self, width: int | None = None) -> Segments:
        """Return the cell; where it's wider than `width` without what it says twice, and the middle of the name."""
        name, behind = printable(self.name), f" {printable(self.behind)}" if self.behind else ""
        if width is not None and len(self.before) + cell_len(name + behind) > width:
            if self.behind and name.endswith(f"/{self.behind}"):
                behind = ""  # exporters call nodes so
            name = _without_middle(name, width - cell_len(self.before) - cell_len(behind))
        return (self.before, "dim"), (name, ""), (behind, "dim")


Cell = str | Segments | Name


@dataclass(frozen=True)
class Column:
    """A heading; `right` for numbers; `shorten`: what is left out where a terminal is too narrow; `least` stays.

    `wrap`: such words, of a last column, go on below instead. `left_out`: whether the whole column is, before names are
    shortened much; 1 first, then 2, and so on; 0 never.
    """

    heading: str = ""
    right: bool = False
    shorten: Literal["", "middle", "end", "wrap"] = ""
    least: int = 16
    style: str = ""
    left_out: int = 0

    def segments(self, cell: Cell, width: int | None = None) -> Segments:
        """Return a cell as it's shown, in a column of this width if there is one."""
        if isinstance(cell, Name):
            return cell.segments(width)
        segments = ((printable(cell), self.style),) if isinstance(cell, str) else cell
        if width is None or self.shorten == "wrap" or _length(segments) <= width:
            return segments
        if self.shorten == "middle":
            return ((_without_middle(plain(segments), width), self.style),)
        return _without_end(segments, width)


def numbers(*headings: str, shorten: Literal["", "end"] = "", least: int = 16) -> list[Column]:
    """Return columns of numbers; formulas may be long, and lose their ends with `shorten`."""
    return [Column(heading, right=True, shorten=shorten, least=least) for heading in headings]


@dataclass
class Table:
    """Rows of cells below the columns' headings, where they have any."""

    columns: Sequence[Column]
    rows: list[Sequence[Cell]] = field(default_factory=list)

    def add(self, *cells: Cell) -> None:
        self.rows.append(cells)

    def print(self) -> None:
        screen, terminal = console(), terminal_width()
        if screen.quiet:
            return
        table = self if terminal is None else self.narrowed(terminal)
        if screen.color_system is None:
            screen.file.writelines(f"{plain(line).rstrip()}\n" for line in table.lines(terminal))
        else:
            for line in table.lines(terminal):
                text = Text.assemble(*line)
                text.rstrip()
                screen.print(text)
        if len(table.columns) < len(self.columns):
            said = [any(row[at] for row in self.rows) for at in range(len(self.columns))]
            hidden = [c.heading for c, some in zip(self.columns, said, strict=True) if some and c not in table.columns]
            if hidden:
                screen.print(f"left out at this width: {', '.join(hidden)}", style="dim")

    def narrowed(self, terminal: int) -> Table:
        """Return the table without the columns that a terminal of this width may do without."""
        rows = [self._cells(row) for row in self.rows]
        widths = [
            max(len(column.heading), *(_length(row[at]) for row in rows), 0) for at, column in enumerate(self.columns)
        ]
        for at, column in enumerate(self.columns):
            if column.shorten:
                most = _LONG if column.shorten == "middle" else max(column.least, len(column.heading))
                widths[at] = min(widths[at], most)
        kept = list(range(len(self.columns)))
        for at in sorted(kept, key=lambda at: self.columns[at].left_out):
            if self.columns[at].left_out and sum(widths[one] + len(_GAP) for one in kept) - len(_GAP) > terminal:
                kept.remove(at)
        return Table([self.columns[at] for at in kept], [[row[at] for at in kept] for row in self.rows])

    def print_first(
        self, rows: Sequence[_Row], cells: Callable[[_Row], Sequence[Cell]], most: int = MOST_ROWS,
        more: str = "--json lists them all",
    ) -> None:  # fmt: skip
        """Print the rows that a terminal gets, if there are any, and how many more there are."""
        shown = first(rows, most)
        self.rows += map(cells, shown)
        if self.rows:
            self.print()
        print_rest(len(rows) - len(shown), more)

    def lines(self, terminal: int | None = None) -> Iterator[Segments]:
        """Yield the table's lines. They are longer than the terminal is wide where no more may be left out."""
        headings: Sequence[Segments] = [((printable(column.heading), "bold"),) for column in self.columns]
        above = [headings] if any(column.heading for column in self.columns) else []
        rows = above + [self._cells(row) for row in self.rows]
        lengths = [list(map(_length, row)) for row in rows]
        widths = [max(column) for column in zip(*lengths, strict=True)]
        gaps = len(_GAP) * (len(self.columns) - 1)
        if terminal is None or sum(widths) + gaps <= terminal:
            widths = [min(width, _ALIGNED[column.right]) for width, column in zip(widths, self.columns, strict=False)]
        else:
            widths = self._fitted(widths, terminal - gaps)
            rows = above + [self._cells(row, widths) for row in self.rows]
            lengths = [list(map(_length, row)) for row in rows]
        for row, taken in zip(rows, lengths, strict=True):
            line: list[tuple[str, str]] = []
            for cell, length, width, column in zip(row, taken, widths, self.columns, strict=True):
                blank, gap = " " * (width - length), _GAP if line else ""
                below = _wrapped(cell, width) if column.shorten == "wrap" and length > width else [cell]
                line += [(gap + blank, ""), *below[0]] if column.right else [(gap, ""), *below[0], (blank, "")]
            yield tuple(line)
            yield from (((" " * (sum(widths[:-1]) + gaps), ""), *cell) for cell in below[1:])

    def _cells(self, row: Sequence[Cell], widths: Sequence[int | None] = ()) -> Sequence[Segments]:
        limits = widths or [None] * len(row)
        return [column.segments(cell, limit) for column, cell, limit in zip(self.columns, row, limits, strict=True)]

    def _fitted(self, widths: Sequence[int], room: int) -> list[int]:
        """Return widths with what is too much taken from the widest columns, from names of usual length last."""
        widths = list(widths)
        cells = zip(*self.rows, strict=True) if self.rows else [()] * len(widths)
        leasts = [
            max(column.least, len(column.heading), *map(_least, of_column))
            for column, of_column in zip(self.columns, cells, strict=True)
        ]
        for kinds, most in ((("middle", "end", "wrap"), _LONG), (("end", "wrap"), 0), (("middle",), 0)):
            chosen = [index for index, column in enumerate(self.columns) if column.shorten in kinds]
            while sum(widths) > room:
                wider = [index for index in chosen if widths[index] > max(leasts[index], most)]
                if not wider:
                    break
                widths[max(wider, key=widths.__getitem__)] -= 1
        return widths


def print_totals(lines: Sequence[tuple[str, str, str]]) -> None:
    """Print a line for each total: its heading, the amount, and words about it."""
    words = Column(style="dim", shorten="wrap", least=24)
    Table([Column(style="dim"), *numbers("", shorten="end", least=24), words], list(lines)).print()


def _least(cell: Cell) -> int:
    """Return in how many places a name still tells something beside what it is."""
    return min(len(cell.before) + len(cell.behind) + 10, 28) if isinstance(cell, Name) else 0


def plain(segments: Segments) -> str:
    """Return the text without styles."""
    return "".join([text for text, _ in segments])


def _length(segments: Segments) -> int:
    """Return how many places of the screen a cell takes."""
    return sum([len(text) if text.isascii() else cell_len(text) for text, _ in segments])


def _wrapped(segments: Segments, width: int) -> list[Segments]:
    """Return the cell in lines between blanks, each in the style of the first of its texts."""
    lines = textwrap.wrap(plain(segments), width, break_long_words=False, break_on_hyphens=False)
    style = next((style for text, style in segments if text), "")
    return [((line, style),) for line in lines]


def _without_end(segments: Segments, width: int) -> Segments:
    """Return the cell in so many places, cut between words where there are any: half a number would be another one."""
    text, room = plain(segments), max(width - len(_DOTS), 0)
    count = 0
    while count < len(text) and room >= cell_len(text[count]):
        room -= cell_len(text[count])
        count += 1
    last = text.rfind(" ", 0, count)
    count = last + 1 if last > count // 2 else count
    kept = []
    for part, style in segments:
        kept.append((part[:count], style))
        count = max(count - len(part), 0)
    return (*kept, (_DOTS, ""))


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
