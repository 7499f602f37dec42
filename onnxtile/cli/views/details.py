"""Nodes one by one, with the shapes of their values and their attributes."""

from __future__ import annotations

from collections.abc import Iterator

from onnxtile.cli.output import MOST_ROWS
from onnxtile.cli.screen import console, first
from onnxtile.cli.table import Column, Table
from onnxtile.cli.views.profile import VIEWS, CostsView, title
from onnxtile.profiling.results import Group, NodeProfile


class DetailsView(CostsView):
    """A block a node in place of a row: what it reads and gives, its attributes, and the columns of the view."""

    def print_rows(self) -> None:
        screen = console()
        for row in first(self.shown, MOST_ROWS):
            screen.print(title(row).text())
            block = Table([Column(style="dim"), Column()])
            for heading, words in _lines(row, self.view):
                block.add(f"  {heading}", words)
            block.print()


def _lines(row: NodeProfile | Group, view: str) -> Iterator[tuple[str, str]]:
    if isinstance(row, NodeProfile):
        for heading, texts in (("in", row.inputs), ("out", row.outputs)):
            for index, text in enumerate(texts):
                yield "" if index else heading, text or "(left out)"
        if row.attributes:
            yield "with", ", ".join(f"{name} {text}" for name, text in row.attributes.items())
    yield "costs", ", ".join(f"{heading} {cell(row)}" for heading, cell in VIEWS[view])
