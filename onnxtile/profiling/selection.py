"""Select the rows of a profile that are shown, and order them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import TypeVar

from onnxtile.errors import UsageError, did_you_mean, wrong_name
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown
from onnxtile.profiling.engine_costs import AMOUNTS, Layer, LayerGroup
from onnxtile.profiling.results import COSTS, Group, NodeProfile

GROUPS = ("op", "module", "origin", "scope")
SORTABLE = (*COSTS.split(), "live_bytes")
SORTABLE_ON_ENGINE = AMOUNTS.split()
FEW = 12
"""Names that an error lists."""
MOST_COMPARED = 5_000
"""Names that a pattern which none fits is compared with."""
Row = TypeVar("Row", NodeProfile, Layer)
Shown = TypeVar("Shown", NodeProfile, Group, Layer, LayerGroup)


def matching(all_rows: Sequence[Row], ops: Sequence[str] = (), names: Sequence[str] = ()) -> tuple[Row, ...]:
    """Return the rows of one of the operators whose name, or origin, matches one of the patterns, as in a shell.

    Without operators, or patterns, all match. Raises UsageError where nothing matches.
    """
    rows = tuple(row for row in all_rows if (not ops or row.op in ops) and (not names or _is_named(row, names)))
    if not rows and all_rows:
        of_op = [row for row in all_rows if not ops or row.op in ops]
        have, most = {row.op: None for row in sorted(all_rows, key=lambda row: row.op)}, 20
        what = "the model's operators are"
        if of_op:
            have, most = {name: None for row in of_op if (name := row.origin or row.name)}, FEW
            what = f"the names of its {' and '.join(ops) or 'nodes'} are"
        listed = ", ".join(islice(have, most)) + (", ..." if len(have) > most else "")
        words = f"no node matches {', '.join((*ops, *names))}: {what} {listed}"
        raise UsageError(words + _meant(all_rows, ops, names))
    return rows


def _meant(rows: Sequence[Row], ops: Sequence[str], names: Sequence[str]) -> str:
    """Return a question after the operator or node that's close to what nothing matches; no text where none is."""
    operators = dict.fromkeys(row.op for row in rows)
    called = dict.fromkeys(name for row in rows for name in (row.name, row.origin) if name)
    for wanted, known in ((ops, operators), (names, dict(islice(called.items(), MOST_COMPARED)))):
        for text in wanted:
            if text not in known and (question := did_you_mean(text, known)):
                return question
    return ""


def _is_named(row: NodeProfile | Layer, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in (row.name, row.origin or ""))


def ordered(
    rows: Sequence[Shown], sort: str | None, top: int | None, fields: Sequence[str] = SORTABLE, usual: str = "macs"
) -> tuple[Shown, ...]:
    """Return the first `top` rows, from the greatest `sort` on; unknown amounts come first, as they may be greater.

    Without `sort` rows stay in their order, `top` taking those with the most of `usual`. `fields`: those to sort by.
    """
    if sort is not None and sort not in fields:
        raise wrong_name(f"can't sort by {sort!r}", sort, fields)
    if sort is None and top is None:
        return tuple(rows)
    return tuple(sorted(rows, key=lambda row: _greatness(row, sort or usual), reverse=True)[:top])


def _greatness(row: object, field: str) -> tuple[int, float]:
    """Return the key to sort by: unknown above all; formulas by what they are where each symbol is 1."""
    amount: Amount = getattr(row, field, 0) or 0
    if isinstance(amount, Unknown):
        return 1, 0.0
    if isinstance(amount, Range):
        amount = amount.min if amount.max is None else amount.max
    return 0, float(amount if isinstance(amount, (int, float)) else amount.subs(dict.fromkeys(amount.free_symbols, 1)))
