"""Report what was found and done, a row a product: for people as a table, for scripts as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from typing_extensions import NotRequired, TypedDict

from onnxtile.ir.json_encoding import JsonRecord, encode
from onnxtile.ir.notebook import Sheet, Tabular
from onnxtile.ir.printable import aligned, in_scope, several
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown, amount_text, is_known, ratio, text_of, total
from onnxtile.ir.symbolic.rounded import amount_in_line, count_text, percent_text
from onnxtile.lowering.engine_use import ANY, NO_USE, WHOLE, EngineUse, Tile, macs_of
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.sizes import Size
from onnxtile.tiling.limits import ProductLimits

if TYPE_CHECKING:
    from onnxtile.engine.scheduled import Scheduled

Status = Literal["over", "refused", "unknown", "tiled", "split", "vector", "fits", "not-asked"]
STATUSES: tuple[Status, ...] = get_args(Status)
"""Statuses of a product, those first that need action."""
TILE = "tile or why"
HEADINGS = {
    "check": ("product", "M", "K", "N", "batch", "type", "MACs", "share", "calls", "status", "reason"),
    "lower": ("product", "M", "K", "N", "batch", "type", "status", "calls", "padding", "util.", TILE),
}
"""Columns of a printed report, by command."""
NUMBERS = ("M", "K", "N", "batch", "MACs", "share", "calls", "padding", "util.", "moved", "cycles")
_ORDER = {"over": 0, "refused": 1, "unknown": 2, "tiled": 3, "split": 3, "vector": 3, "fits": 4, "not-asked": 5}
_NAMED = {
    "matmul": "matrix product", "conv": "convolution", "rnn": "recurrent product", "attention": "attention product",
    "other": "other product",
}  # fmt: skip
"""Names of a family's products in messages."""
_SHOWN = 20
"""Rows of a printed report; all are in `contractions`."""


class TileSizes(TypedDict):
    """The largest tile; null along an axis that is left whole."""

    m: int | str | None
    k: int | str | None
    n: int | str | None


class _UseOfRow(TypedDict):
    tiles: TileSizes | None
    schedule: NotRequired[str]
    macs: Amount
    calls: Amount | None
    padded_macs: Amount | None
    padding: Amount | None
    utilization: float | None


@dataclass(frozen=True)
class Row(
    JsonRecord,
    members="name op scope m k n batch written dtype status reason tiles part family origin",
    shapes=_UseOfRow,
):
    """One product. Sizes are elements: numbers, formulas in free dimensions (text), or None with a `reason`.

    `written`: independent products that are multiplied where that's more than the `batch`, as in mixtures of experts.
    `tiles` is the largest tile (m, k, n) of a tiled product, or the largest piece of a split convolution, which is
    `pieces` products; None along an axis left whole. `part` names the product where a node holds several; `family` is
    what --ops calls its operator's. `origin`: the node that was written out as this product, which couldn't be cut.
    `schedule`: how the tiles run on an engine, as the metadata of nodes has it. `within`: of a product over the limits
    these, where the engine multiplies its types. `multiples`: of M, K and N, which the engine fills calls up to.
    """

    name: str
    op: str
    scope: str
    size: Size
    dtype: str | None
    status: Status
    reason: str | None = None
    tiles: Tile | None = None
    part: str = ""
    family: str = ""
    schedule: str = ""
    origin: str | None = None
    pieces: Amount = 0
    within: Tile | None = None
    multiples: tuple[int, int, int] = ANY

    @classmethod
    def of(
        cls,
        product: Contraction,
        status: Status,
        reason: object = None,
        tiles: Tile | None = None,
        schedule: str = "",
    ) -> Row:
        dtype = None if product.dtype is None else str(product.dtype.numpy())
        return cls(
            product.name, product.node.op_type, product.scope, product.size, dtype, status,
            None if reason is None else str(reason), tiles, product.part, product.family,
            schedule,
        )  # fmt: skip

    @property
    def m(self) -> int | str | None:
        return text_of(self.size.m)

    @property
    def k(self) -> int | str | None:
        return text_of(self.size.k)

    @property
    def n(self) -> int | str | None:
        return text_of(self.size.n)

    @property
    def batch(self) -> int | str | None:
        return text_of(self.size.batch)

    @property
    def written(self) -> int | str | None:
        return text_of(self.size.written)

    @classmethod
    def not_asked(cls, product: Contraction) -> Row:
        """Return the row of a product whose family wasn't asked for."""
        return cls.of(product, "not-asked", f"family: {product.family} isn't among --ops")

    @property
    def macs(self) -> Amount:
        """Return the multiply-accumulates: M * K * N * batch."""
        return macs_of(self.size)

    @property
    def scheduled(self) -> Scheduled | None:
        """Return how its tiles run on an engine, and what that takes; None where nothing was chosen."""
        if not self.schedule:
            return None
        from onnxtile.engine.scheduled import Scheduled

        return Scheduled.parse(self.schedule)

    @property
    def is_on_engine(self) -> bool:
        """Return whether the engine multiplies it as it is in the model that the report is about."""
        return self.status in ("fits", "tiled", "split")

    def to_json(self) -> dict[str, Any]:
        tiles = None if self.tiles is None else dict(zip("mkn", self.tiles, strict=True))
        return super().to_json() | {"tiles": tiles} | ({"schedule": self.schedule} if self.schedule else {})


@dataclass(frozen=True)
class Report(Tabular, JsonRecord):
    """All products of a model against the limits; `command` is check or lower.

    `form`, `weights`: how `lower` wrote tiles; None where it didn't. `pads`: ragged tiles are computed at their full
    size.
    """

    command: Literal["check", "lower"]
    limits: ProductLimits
    contractions: tuple[Row, ...]
    nodes_before: int
    nodes_after: int
    pads: bool = False
    form: str | None = None
    weights: str | None = None

    def __str__(self) -> str:
        rows = [row for row in self.by_urgency if row.status not in ("fits", "not-asked")]
        lines = [(f"{name} {operator}", *rest) for name, operator, *rest in map(self.cells, rows[:_SHOWN])]
        more = [f"... and {len(rows) - _SHOWN:,} more"] if len(rows) > _SHOWN else []
        right = [at for at, heading in enumerate(self.headings) if heading in NUMBERS]
        return "\n".join([*(aligned([self.headings, *lines], right) if lines else ()), *more, self.summary])

    def sheet(self) -> Sheet:
        rows = [(f"{name} {operator}", *rest) for name, operator, *rest in map(self.cells, self.by_urgency)]
        right = [at for at, heading in enumerate(self.headings) if heading in NUMBERS]
        return Sheet([self.summary, self.engine_summary], self.headings, rows, right)

    def records(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.to_json()["contractions"]
        return rows

    @property
    def headings(self) -> Sequence[str]:
        """Return the headings of the columns, for people."""
        headings = HEADINGS[self.command]
        if self.command == "check" or not self.limits.by_types:
            return headings
        on_engine = {"padding": "moved", "util.": "cycles"}
        return [on_engine.get(heading, heading) for heading in headings]

    def cells(self, row: Row) -> tuple[str, ...]:
        """Return name, operator, and a cell below each further heading; `-` where there's nothing to say."""
        sizes = {axis: "?" if size is None else str(size) for axis, size in zip("MKN", row.size.axes, strict=True)}
        batch = "?" if row.batch is None else str(row.batch)
        tile = "" if row.tiles is None else "x".join("*" if size is None else str(size) for size in row.tiles)
        use, reason = self.use(row), (row.reason or "").partition(":")[0]
        reason = "" if reason == row.status else reason
        share, scheduled = ratio(row.macs, self.macs_of_all), row.scheduled
        cells = {
            **sizes, "batch": batch if row.written is None else f"{batch} of {row.written}", "type": row.dtype or "?",
            "status": row.status, "reason": reason, TILE: tile or reason,
            "MACs": count_text(row.macs), "share": percent_text(share) if is_known(row.macs) else "?",
            "calls": "-" if use is None else amount_text(use.calls) if is_known(use.calls) else "?",
            "padding": "-" if use is None else count_text(use.padding),
            "moved": "-" if scheduled is None else _bytes_text(scheduled.bytes),
            "cycles": "-" if scheduled is None or scheduled.cycles is None else count_text(scheduled.cycles),
            "util.": "-" if use is None or use.padded_macs == 0 else percent_text(use.utilization),
        }  # fmt: skip
        operator = f"{row.op} {row.part}".strip()
        return in_scope(row.scope, row.name), operator, *(cells[heading] for heading in self.headings[1:])

    def use(self, row: Row) -> EngineUse | None:
        """Return what the product takes of the engine; over the limits, what it takes once it's cut.

        None where the engine doesn't multiply it.
        """
        if row.status == "vector":
            return NO_USE
        if row.status == "split":
            filled = row.macs if row.multiples == ANY else Unknown("what fills up pieces of convolutions isn't counted")
            return EngineUse(row.pieces, row.macs, filled)
        if row.status == "over":
            return None if row.within is None else EngineUse.of(row.size, row.within, multiples=row.multiples)
        tiles = row.tiles or WHOLE
        return EngineUse.of(row.size, tiles, self.pads, row.multiples) if row.is_on_engine else None

    @cached_property
    def engine(self) -> EngineUse:
        """Return what all products that are within the limits take of the engine, in one run of each graph."""
        uses = (self.use(row) for row in self.contractions if row.is_on_engine)
        return EngineUse.of_all(use for use in uses if use is not None)

    @cached_property
    def macs_of_all(self) -> Amount:
        """Return the multiply-accumulates of all products, those that weren't asked for too."""
        return total(row.macs for row in self.contractions if row.origin is None)

    @property
    def engine_summary(self) -> str:
        """Return a line that says how much of the model the engine computes, in how many calls.

        Utilization is that of tiles as they're written, since of the array nothing is known; with an engine of its
        calls, with what it fills them up with.
        """
        use, share = self.engine, ratio(self.engine.macs, self.macs_of_all)
        if Range(0, None) in (use.macs, self.macs_of_all):
            return "on the engine: how many MACs and calls isn't known before run time"
        parts = [f"on the engine: {amount_in_line(use.macs)} of {amount_in_line(self.macs_of_all)} MACs"]
        parts[0] += "" if share is None else f" ({percent_text(share)})"
        if use.calls != 0:
            parts.append(f"{amount_in_line(use.calls)} call{'' if use.calls == 1 else 's'}")
        if use.utilization is not None:
            what = "calls" if self.limits.by_types else "tiles"
            parts.append(f"utilization of {what} {percent_text(use.utilization)}")
        words = ", ".join(parts)
        inside = any(row.scope for row in self.contractions)
        return f"{words} (bodies and functions counted once)" if inside else words

    @property
    def by_urgency(self) -> list[Row]:
        """Return all rows, those first that need action; else in the model's order."""
        return sorted(self.contractions, key=lambda row: _ORDER[row.status])

    @property
    def summary(self) -> str:
        """Return a line that says how many products there are, and what became of them."""
        told = [(status, self.having(status)) for status in STATUSES if status != "not-asked"]
        count = sum(len(rows) for _, rows in told)
        became = ", ".join(_counted(status, rows) for status, rows in told if rows)
        return f"{several(count, 'product')} at {self.limits}: {became}" if count else f"no product for {self.limits}"

    def having(self, *statuses: Status) -> tuple[Row, ...]:
        return tuple(row for row in self.contractions if row.status in statuses)

    @property
    def over(self) -> tuple[Row, ...]:
        """Return the products that exceed the limits, or may and couldn't be cut."""
        return self.having("over", "refused")

    @property
    def unknown(self) -> tuple[Row, ...]:
        """Return the products whose size isn't known."""
        return self.having("unknown")

    @property
    def macs(self) -> Amount:
        """Return the multiply-accumulates of the products that are tiled or split."""
        return total(row.macs for row in self.having("tiled", "split"))

    @property
    def padded_macs(self) -> Amount:
        """Return the multiply-accumulates that the engine computes for them, padding included."""
        return total(use.padded_macs for row in self.having("tiled", "split") if (use := self.use(row)) is not None)

    @property
    def ok(self) -> bool:
        """Return whether every product that was asked for fits."""
        return not (self.over or self.unknown)

    def to_json(self) -> dict[str, Any]:
        """Return the report for scripts; docs/reports.md says what each member is."""
        lowered = {"macs": self.macs, "padded_macs": self.padded_macs, "form": self.form, "weights": self.weights}
        engine = encode(self.engine) | {"of_macs": encode(self.macs_of_all)}
        document: dict[str, Any] = encode({
            "schema": f"onnxtile.{self.command}/1", "limits": self.limits,
            "over": len(self.over), "unknown": len(self.unknown),
            "nodes_before": self.nodes_before, "nodes_after": self.nodes_after,
            **(lowered if self.command == "lower" else {}), "engine": engine,
            "contractions": [row.to_json() | self._use_to_json(row) for row in self.contractions],
        })  # fmt: skip
        return document

    def _use_to_json(self, row: Row) -> dict[str, Any]:
        """Return what a product takes of the engine; padding only of what is multiplied."""
        use = self.use(row)
        computed = {} if use is None or row.status == "over" else use.to_json()
        return {
            "macs": encode(row.macs), "calls": None if use is None else encode(use.calls),
            **{name: computed.get(name) for name in ("padded_macs", "padding", "utilization")},
        }  # fmt: skip


def _counted(status: Status, rows: Sequence[Row]) -> str:
    """Return how many products have a status, and of those that need action which, where they aren't all MatMuls."""
    words = f"{len(rows):,} {'fit' if status == 'fits' and len(rows) > 1 else status}"
    families = Counter(row.family for row in rows) if status in ("over", "refused", "unknown") else Counter()
    if families.keys() <= {"matmul"}:
        return words
    return f"{words} ({', '.join(several(count, _NAMED[family]) for family, count in families.items())})"


def _bytes_text(count: int) -> str:
    text = count_text(count)
    return f"{text}B" if text[-1].isalpha() else f"{text} B"
