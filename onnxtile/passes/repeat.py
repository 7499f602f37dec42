"""Run passes again until nothing changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.errors import PassError, UsageError

MOST_ROUNDS = 100
"""Rounds after which passes that go on changing a model are given up, where no number of them is given."""


@dataclass(frozen=True)
class Repeat(ir.passes.PassBase):
    """model := passes(model), until a round changes nothing, `times` rounds at most (`repeat{times=3 NAME,NAME}`).

    Without `times`, passes that still change the model after 100 rounds are a PassError.
    """

    passes: tuple[ir.passes.PassBase, ...]
    times: int | None = None

    def __post_init__(self) -> None:
        if not self.passes:
            raise UsageError("repeat holds no passes: write repeat{NAME,NAME}")
        if self.times is not None and self.times < 1:
            raise UsageError(f"times is {self.times}: write a number of rounds above 0")

    @property
    def in_place(self) -> bool:
        return all(pass_.in_place for pass_ in self.passes)

    @property
    def changes_input(self) -> bool:
        return self.passes[0].changes_input

    def rounds(self) -> Iterator[tuple[ir.passes.PassBase, ...]]:
        """Yield for each round what is left behind it, if it changes something: nothing, or the rest of the rounds."""
        if self.times is not None:
            yield from ((Repeat(self.passes, left),) if left else () for left in reversed(range(self.times)))
            return
        for _ in range(MOST_ROUNDS):
            yield (self,)
        raise PassError(
            f"repeat: the passes still change the model after {MOST_ROUNDS} rounds; say repeat{{times=NUMBER ...}}"
        )

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Run the passes by themselves; a PassManager runs them one by one, with all that watches them."""
        modified = False
        for _ in self.rounds():
            changed = False
            for pass_ in self.passes:
                result = pass_(model)
                model, changed = result.model, changed or result.modified
            modified = modified or changed
            if not changed:
                break
        return ir.passes.PassResult(model, modified)


def one_by_one(passes: Iterable[ir.passes.PassBase]) -> Iterator[ir.passes.PassBase]:
    """Yield passes, those that are repeated in the place of Repeat."""
    for pass_ in passes:
        if isinstance(pass_, Repeat):
            yield from one_by_one(pass_.passes)
        else:
            yield pass_
