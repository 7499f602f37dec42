"""Report what was found and done, a row a product: for people as a table, for scripts as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from onnxtile.ir.json_encoding import JsonRecord, encode
from onnxtile.ir.printable import aligned, in_scope, several
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown, amount_of, fill, product, text_of, total
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.sizes import Size
from onnxtile.tiling.limits import ProductLimits

Status = Literal["tiled", "split", "vector", "fits", "over", "refused", "unknown", "not-asked"]
HEADINGS = ("product", "M", "K", "N", "type", "status", "tile, or reason")
_URGENCY = {"over": 0, "refused": 0, "unknown": 0, "tiled": 1, "split": 1, "vector": 1, "fits": 2, "not-asked": 3}
_NAMED = {
    "matmul": "product", "conv": "convolution", "rnn": "recurrent product", "attention": "attention product",
    "other": "other product",
}  # fmt: skip
"""What products of a family are called."""
_SHOWN = 20
"""Rows of a printed report; all are in `contractions`."""


@dataclass(frozen=True)
class Row(JsonRecord, members="name op scope m k n batch dtype status reason tiles part family"):
    """One product. Sizes are elements: numbers, formulas in free dimensions (text), or None with a `reason`.

    `tiles` is the largest tile (m, k, n) of a tiled product, or the largest piece of a split convolution; None along an
    axis left whole. `part` names the product where a node holds several; `family` is what --ops calls its operator's.
    `schedule`: how the tiles run on an engine, as the metadata of nodes has it.
    """

    name: str
    op: str
    scope: str
    size: Size
    dtype: str | None
    status: Status
    reason: str | None = None
    tiles: tuple[int | None, int | None, int | None] | None = None
    part: str = ""
    family: str = ""
    schedule: str = ""

    @classmethod
    def of(
        cls,
        product: Contraction,
        status: Status,
        reason: object = None,
        tiles: tuple[int | None, int | None, int | None] | None = None,
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
    def cells(self) -> tuple[str, ...]:
        """Return name, operator, M, K, N, type, status, and the largest tile or the reason's code, for people."""
        tile = "" if self.tiles is None else " x ".join("*" if size is None else str(size) for size in self.tiles)
        sizes = ("?" if size is None else str(size) for size in (self.m, self.k, self.n))
        operator, reason = f"{self.op} {self.part}".strip(), (self.reason or "").partition(":")[0]
        return in_scope(self.scope, self.name), operator, *sizes, self.dtype or "?", self.status, tile or reason

    @classmethod
    def not_asked(cls, product: Contraction) -> Row:
        """Return the row of a product whose family wasn't asked for."""
        return cls.of(product, "not-asked", f"family: {product.family} isn't among --ops")

    def macs(self, padded: bool = False) -> Amount:
        """Return the multiply-accumulates: M * K * N * batch; `padded`: with each axis filled up to whole tiles."""
        tiles = (*self.tiles, None) if padded and self.tiles is not None else (None,) * 4
        sizes: list[Amount] = []
        for dim, tile in zip((*self.size.axes, self.size.batch), tiles, strict=True):
            size = amount_of("a size", dim)
            if isinstance(size, (Unknown, Range)):
                return Unknown(self.reason) if self.reason else size
            sizes.append(fill(size, tile))
        return product(sizes)

    def to_json(self) -> dict[str, Any]:
        tiles = None if self.tiles is None else dict(zip("mkn", self.tiles, strict=True))
        return super().to_json() | {"tiles": tiles} | ({"schedule": self.schedule} if self.schedule else {})


@dataclass(frozen=True)
class Report(JsonRecord):
    """All products of a model against the limits; `command` is check or lower.

    `pads`: ragged tiles are computed at their full size.
    """

    command: str
    limits: ProductLimits
    contractions: tuple[Row, ...]
    nodes_before: int
    nodes_after: int
    pads: bool = False

    def __str__(self) -> str:
        rows = [row for row in self.by_urgency if row.status not in ("fits", "not-asked")]
        lines = [(f"{name} {operator}", *rest) for name, operator, *rest in (row.cells for row in rows[:_SHOWN])]
        more = [f"... and {len(rows) - _SHOWN:,} more"] if len(rows) > _SHOWN else []
        return "\n".join([*(aligned([HEADINGS, *lines], right=(1, 2, 3)) if lines else ()), *more, self.summary])

    @property
    def by_urgency(self) -> list[Row]:
        """Return all rows, those first that need action; else in the model's order."""
        return sorted(self.contractions, key=lambda row: _URGENCY[row.status])

    @property
    def summary(self) -> str:
        """Return a line that says how many products there are, and what became of them."""
        told: tuple[Status, ...] = ("tiled", "split", "vector", "fits", "over", "refused", "unknown")
        counts = {status: len(self.having(status)) for status in told}
        words: dict[Status, str] = {"fits": "fit"} if counts["fits"] != 1 else {}
        became = [f"{count:,} {words.get(status, status)}" for status, count in counts.items() if count]
        over = Counter(row.family for row in self.over)
        left = ", ".join(several(count, _NAMED[family]) for family, count in over.items())
        said = f"; {left} over the limits" if over.keys() - {"matmul"} else ""
        return f"{several(sum(counts.values()), 'product')} at {self.limits}: {', '.join(became) or 'none'}{said}"

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
        return total(row.macs() for row in self.having("tiled", "split"))

    @property
    def padded_macs(self) -> Amount:
        """Return the multiply-accumulates that the engine computes for them, padding included."""
        return total(row.macs(self.pads and row.status == "tiled") for row in self.having("tiled", "split"))

    @property
    def ok(self) -> bool:
        """Return whether every product that was asked for fits."""
        return not (self.over or self.unknown)

    def to_json(self) -> dict[str, Any]:
        """Return the report for scripts: `over` and `unknown` are counts; `contractions` has a row each."""
        computed = {"macs": self.macs, "padded_macs": self.padded_macs} if self.command == "lower" else {}
        document: dict[str, Any] = encode({
            "schema": f"onnxtile.{self.command}/1", "limits": self.limits,
            "over": len(self.over), "unknown": len(self.unknown),
            "nodes_before": self.nodes_before, "nodes_after": self.nodes_after,
            **computed, "contractions": self.contractions,
        })  # fmt: skip
        return document
