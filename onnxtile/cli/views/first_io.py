"""Show the first input and the first output of each node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from onnxtile.cli.screen import console
from onnxtile.cli.table import print_totals
from onnxtile.cli.views.view import View, amounts_by_name
from onnxtile.profiling.conventions.first_io import FirstIo, FirstIoRow


@dataclass(frozen=True)
class FirstIoView(View):
    """Bytes of each node's first input and first output."""

    schema: ClassVar[str] = "onnxtile.profile-first-io/1"
    table: FirstIo

    def print(self) -> None:
        table = amounts_by_name("node", "input", "output", "both")
        table.print_first(self.table.rows, _cells, more="--json or --csv")
        console().print()
        print_totals([
            ("peak", f"{self.table.peak_bandwidth:,}", "bytes, first input and output of one node"),
            ("inputs", f"{self.table.total_input:,}", "first inputs of all nodes"),
            ("activations", f"{self.table.total_activation:,}", "first outputs of all nodes"),
            ("bandwidth", f"{self.table.total_bandwidth:,}", "activations, and the first node's input"),
        ])  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return {"schema": self.schema, "view": "first-io", **self.table.to_json()}

    def sheet(self) -> Sequence[FirstIoRow]:
        return self.table.rows


def _cells(row: FirstIoRow) -> tuple[str, ...]:
    return row.name, f"{row.input:,}", f"{row.output:,}", f"{row.sum:,}"
