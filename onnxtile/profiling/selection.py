"""Select the rows of a profile that are shown, and order them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from onnxtile.errors import UsageError, wrong_name
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown
from onnxtile.profiling.results import COSTS, Costs, Group, NodeProfile, Profile

GROUPS = ("op", "module", "origin", "scope")
SORTABLE = (*COSTS.split(), "live_bytes")
Shown = TypeVar("Shown", NodeProfile, Group)


def matching(profile: Profile, ops: Sequence[str] = (), names: Sequence[str] = ()) -> tuple[NodeProfile, ...]:
    """Return the nodes of one of the operators whose name, or origin, matches one of the patterns, as in a shell.

    Without operators, or patterns, all match. Raises UsageError where nothing matches.
    """
    rows = tuple(row for row in profile.nodes if (not ops or row.op in ops) and (not names or _is_named(row, names)))
    if not rows and profile.nodes:
        have = ", ".join(sorted({row.op for row in profile.nodes})[:20])
        raise UsageError(f"no node matches {', '.join((*ops, *names))}: the model's operators are {have}")
    return rows


def _is_named(row: NodeProfile, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in (row.name, row.origin or ""))


def ordered(rows: Sequence[Shown], sort: str | None, top: int | None) -> tuple[Shown, ...]:
    """Return the first `top` rows, from the greatest `sort` on; unknown amounts come first, as they may be greater.

    Without `sort` the rows stay in their order, `top` taking those with the most macs.
    """
    if sort is not None and sort not in SORTABLE:
        raise wrong_name(f"can't sort by {sort!r}", sort, SORTABLE)
    if sort is None and top is None:
        return tuple(rows)
    return tuple(sorted(rows, key=lambda row: _greatness(row, sort or "macs"), reverse=True)[:top])


def _greatness(row: Costs, field: str) -> tuple[int, float]:
    """Return the key to sort by: unknown above all; formulas by what they are where each symbol is 1."""
    amount: Amount = getattr(row, field, 0)
    if isinstance(amount, Unknown):
        return 1, 0.0
    if isinstance(amount, Range):
        amount = amount.min if amount.max is None else amount.max
    return 0, float(amount if isinstance(amount, int) else amount.subs(dict.fromkeys(amount.free_symbols, 1)))
