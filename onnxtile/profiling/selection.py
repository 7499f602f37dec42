"""Which rows of a profile are shown, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from onnxtile.errors import UsageError, wrong_name
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown
from onnxtile.profiling.results import Costs, Group, NodeProfile, Profile

GROUPS = ("op", "module", "origin", "scope")
SORTABLE = (
    "macs", "flops", "elementwise", "transcendental", "comparison", "movement", "params", "buffers", "weight_bytes",
    "input_bytes", "output_bytes", "bandwidth", "live_bytes",
)  # fmt: skip
Shown = TypeVar("Shown", NodeProfile, Group)


def matching(profile: Profile, ops: Sequence[str] = (), names: Sequence[str] = ()) -> tuple[NodeProfile, ...]:
    """The nodes of one of the operators and with a name, or origin, that matches one of the patterns (as in a shell);
    nothing given: all. Raises UsageError where nothing matches.
    """
    found = tuple(
        node
        for node in profile.nodes
        if (not ops or node.op in ops)
        and (not names or any(fnmatchcase(each, name) for name in names for each in (node.name, node.origin or "")))
    )
    if not found and profile.nodes:
        asked = ", ".join((*ops, *names))
        have = ", ".join(sorted({node.op for node in profile.nodes})[:20])
        raise UsageError(f"no node matches {asked}: the model's operators are {have}")
    return found


def ordered(rows: Sequence[Shown], sort: str | None, top: int | None) -> tuple[Shown, ...]:
    """The first `top` rows, from the greatest `sort` on; what is unknown comes first, as it may be greater than all.
    Without `sort` the rows stay in their order, `top` taking those with the most macs.
    """
    if sort is not None and sort not in SORTABLE:
        raise wrong_name(f"can't sort by {sort!r}", sort, SORTABLE)
    if sort is None and top is None:
        return tuple(rows)
    return tuple(sorted(rows, key=lambda row: _greatness(row, sort or "macs"), reverse=True)[:top])


def _greatness(row: Costs, field: str) -> tuple[int, float]:
    """What is unknown above all else; formulas by what they are where each symbol is 1."""
    amount: Amount = getattr(row, field, 0)
    if isinstance(amount, Unknown):
        return 1, 0.0
    if isinstance(amount, Range):
        amount = amount.min if amount.max is None else amount.max
    return 0, float(amount if isinstance(amount, int) else amount.subs(dict.fromkeys(amount.free_symbols, 1)))
