"""Show the modules of a network of torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from onnxtile.cli.screen import console
from onnxtile.cli.table import Column, Name, Table, numbers
from onnxtile.cli.views.view import View
from onnxtile.ir.symbolic.rounded import count_text

if TYPE_CHECKING:
    from onnxtile.torch_frontend.tree_results import Branch, Tree


@dataclass(frozen=True)
class TreeView(View):
    """A network's modules, indented by depth, and the totals that torchinfo prints."""

    accepts: ClassVar[Collection[str]] = ("--depth",)
    tree: Tree

    def print(self) -> None:
        table = Table([Column("module", shorten="middle"), *numbers("output", "params", "MACs")])
        for branch, lines in _drawn(self.tree.branches):
            calls = f"x {branch.calls}" if branch.calls > 1 else ""
            table.add(
                Name(branch.kind, f"{branch.name} {calls}".strip(), lines),
                branch.outputs[0].partition("[")[2].rstrip("]") if branch.outputs else "-",
                f"{branch.params:,}" if branch.params else "-", count_text(branch.macs) if branch.macs else "-",
            )  # fmt: skip
        table.print()
        console().print()
        Table([Column(style="dim"), *numbers("")], list(self._totals())).print()

    def _totals(self) -> Iterator[tuple[str, str]]:
        totals = self.tree.totals
        yield "Total params", f"{totals.params:,}"
        yield "Trainable params", f"{totals.trainable:,}"
        yield "Non-trainable params", f"{totals.frozen:,}"
        yield "Total mult-adds", count_text(totals.macs)
        yield "Input size (MB)", _megabytes(totals.input_bytes)
        yield "Forward/backward pass size (MB)", _megabytes(totals.forward_backward_bytes)
        yield "Params size (MB)", _megabytes(totals.params_bytes)
        yield "Estimated total size (MB)", _megabytes(totals.total_bytes)

    def to_json(self) -> dict[str, Any]:
        return self.tree.to_json()

    def sheet(self) -> Sequence[Branch]:
        return self.tree.branches


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f}"


def _drawn(branches: Sequence[Branch]) -> Iterator[tuple[Branch, str]]:
    """Yield each module with the lines that lead to it."""
    open_at: list[bool] = []
    for branch in branches:
        open_at[branch.depth :] = [not branch.last]
        lines = "".join("│ " if going_on else "  " for going_on in open_at[1 : branch.depth])
        yield branch, lines + (("└─" if branch.last else "├─") if branch.depth else "")
