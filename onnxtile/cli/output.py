"""What people and scripts see: tables and progress on standard error, JSON on standard output."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from onnxtile.progress import silent

if TYPE_CHECKING:
    from onnxtile.costs import Cost
    from onnxtile.instrument import Step
    from onnxtile.profiling.amounts import Amount
    from onnxtile.progress import Progress
    from onnxtile.report import Report, Row

_STYLES = {"tiled": "green", "fits": "green", "over": "red", "refused": "red", "unknown": "yellow", "not-asked": "dim"}
MOST_ROWS = 60
"""Rows of a table on the screen; --json and --report have all."""


_UNBOUNDED = 1_000_000


def console() -> Console:
    """Where tables and lines go: as wide as the terminal, and without a terminal as wide as what is printed."""
    fits = sys.stderr.isatty() or "COLUMNS" in os.environ
    return Console(stderr=True, highlight=False, width=None if fits else _UNBOUNDED)


def print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """A bar with what is being done, how far it is and how fast, on a terminal only; gone when it's over."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    screen = console()
    if not screen.is_terminal:
        yield silent
        return
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(show_speed=True)]
    with Progress(*columns, TimeElapsedColumn(), console=screen, transient=True) as bar:
        task = bar.add_task(escape(label), total=None)
        state = {"words": ""}

        def say(words: str, done: int = 0, total: int | None = None) -> None:
            kind = words.partition(" ")[0]
            if kind != state["words"]:
                bar.reset(task)  # another kind of work: its rate is its own
                state["words"] = kind
            bar.update(task, description=escape(f"{label}: {words}"), completed=done, total=total)

        yield say


def print_report(report: Report, words: str) -> None:
    """The products as a table, then a line that sums up."""
    screen = console()
    asked = [row for row in report.contractions if row.status != "not-asked"]
    if asked:
        screen.print(_table(asked[:MOST_ROWS]))
    if len(asked) > MOST_ROWS:
        screen.print(f"... and {len(asked) - MOST_ROWS} more; --json lists them all", style="dim")
    for reason, names in _reasons(asked).items():
        screen.print(f"{reason}  ({names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''})", markup=False)
    left_out = Counter(row.family for row in report.having("not-asked"))
    if left_out:
        counts = ", ".join(f"{count} {family}" for family, count in left_out.items())
        screen.print(f"not asked: {counts} (--ops)", style="dim")
    screen.print(words, style="green" if report.ok else "red", markup=False)


def _reasons(rows: list[Row]) -> dict[str, list[str]]:
    """The products' names by reason."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.reason:
            found.setdefault(row.reason, []).append(row.name)
    return found


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("product", overflow="fold", ratio=3)
    for heading in ("M", "K", "N"):
        table.add_column(heading, justify="right", overflow="fold")
    for heading in ("type", "status", "tile, or reason"):
        table.add_column(heading, overflow="fold", ratio=4 if "," in heading else None)
    for row in rows:
        place = (f"{row.scope}: {row.name}" if row.scope else row.name).replace("\n", "\\n")
        op = escape(f"{row.op} {row.part}".strip())
        sizes = ("?" if size is None else str(size) for size in (row.m, row.k, row.n))
        what = (
            row.reason.partition(":")[0]
            if row.reason
            else ("" if row.tiles is None else " x ".join("*" if t is None else str(t) for t in row.tiles))
        )
        status = f"[{_STYLES[row.status]}]{row.status}[/]"
        table.add_row(f"{escape(place)} [dim]{op}[/]", *sizes, row.dtype or "?", status, escape(what))
    return table


def print_costs(found: list[Cost]) -> None:
    """What each form would cost, for all tiled products together."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("form")
    for heading in ("nodes", "MB of nodes", "MB of tiles", "MACs, padded"):
        table.add_column(heading, justify="right")
    for cost in found:
        if cost.impossible:
            table.add_row(cost.form, escape(cost.impossible))
            continue
        megabytes = (f"{size / 1e6:,.1f}" for size in (cost.node_bytes, cost.weight_bytes))
        table.add_row(cost.form, f"{cost.nodes:,}", *megabytes, amount_text(cost.macs))
    console().print(table)


def print_steps(steps: Sequence[Step]) -> None:
    """What each pass took, its share of all, and nodes before and after it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pass", overflow="fold")
    for heading in ("seconds", "share", "nodes before", "after"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in steps_to_json(steps):
        nodes = (f"{row[key]:,}" for key in ("nodes_before", "nodes_after"))
        changed = "changed" if row["modified"] else "[dim]changed nothing[/]"
        table.add_row(escape(row["name"]), f"{row['seconds']:.4f}", f"{row['share']:.0%}", *nodes, changed)
    console().print(table)


def steps_to_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The same for scripts; `share` is of the time of all passes."""
    total = sum(step.seconds for step in steps) or 1.0
    return [dataclasses.asdict(step) | {"share": step.seconds / total} for step in steps]


def amount_text(amount: Amount) -> str:
    """An amount with its thousands set apart; formulas and ranges in words."""
    return f"{amount:,}" if isinstance(amount, int) else str(amount)


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def summary(report: Report) -> str:
    """One line: how many products, and what became of them."""
    counts = {status: len(report.having(status)) for status in ("tiled", "fits", "over", "refused", "unknown")}
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "none"
    total = sum(counts.values())
    return f"{_several(total, 'product')} at {report.limits}: {said}"
