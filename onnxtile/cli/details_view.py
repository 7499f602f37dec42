"""Nodes one by one, with the shapes of their values and their attributes."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from onnxtile.cli.output import MOST_ROWS, console
from onnxtile.cli.profile_view import VIEWS, CostsView, title
from onnxtile.profiling.record import Group, NodeProfile


class DetailsView(CostsView):
    """A block a node in place of a row: what it reads and gives, its attributes, and the columns of the view."""

    def print_rows(self) -> None:
        screen = console()
        for row in self.shown[:MOST_ROWS]:
            screen.print(title(row))
            block = Table.grid(padding=(0, 2))
            block.add_column(style="dim", no_wrap=True)
            block.add_column(overflow="fold")
            for heading, words in _lines(row, self.view):
                block.add_row(f"  {heading}", escape(words))
            screen.print(block)


def _lines(row: NodeProfile | Group, view: str) -> Iterator[tuple[str, str]]:
    if isinstance(row, NodeProfile):
        for heading, texts in (("in", row.inputs), ("out", row.outputs)):
            for index, text in enumerate(texts):
                yield "" if index else heading, text or "(left out)"
        if row.attributes:
            yield "with", ", ".join(f"{name} {text}" for name, text in row.attributes.items())
    yield "costs", ", ".join(f"{heading} {cell(row)}" for heading, cell in VIEWS[view])
