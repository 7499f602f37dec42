"""Work: formulas by the kind of operation, and what they come to at a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.operators.formula import NOTHING, ONE, Formula, Known, unknown

KINDS = ("elementwise", "transcendental", "comparison", "movement")


@dataclass(frozen=True)
class Operations:
    """Operations of a node, without the multiply-accumulates of its products.

    `elementwise`: additions, multiplications, divisions, roundings, operations on bits and truth values;
    `transcendental`: exponentials, logarithms, powers, roots, trigonometric and hyperbolic functions and their
    inverses, error functions; `comparison`: comparisons, minima, maxima; `movement`: elements copied or filled in.
    """

    elementwise: Amount = 0
    transcendental: Amount = 0
    comparison: Amount = 0
    movement: Amount = 0


@dataclass(frozen=True)
class Work:
    """A formula for each kind of operation. Works add, and a formula or a number multiplies all four."""

    elementwise: Formula = NOTHING
    transcendental: Formula = NOTHING
    comparison: Formula = NOTHING
    movement: Formula = NOTHING

    def at(self, node: ir.Node, opset: int | None) -> Operations:
        """Return the operations of a node that is written in that version of the default operator set."""
        known: Known = {}
        e, t, c, m = self.elementwise, self.transcendental, self.comparison, self.movement
        return Operations(
            e.amount(node, opset, known) if e.terms else 0,
            t.amount(node, opset, known) if t.terms else 0,
            c.amount(node, opset, known) if c.terms else 0,
            m.amount(node, opset, known) if m.terms else 0,
        )

    def formulas(self) -> Iterator[Formula]:
        """Yield the formulas in the order of KINDS."""
        yield from (self.elementwise, self.transcendental, self.comparison, self.movement)

    def __add__(self, other: Work) -> Work:
        return Work(*(mine + its for mine, its in zip(self.formulas(), other.formulas(), strict=True)))

    def __mul__(self, times: Formula | int) -> Work:
        return Work(*(formula * times for formula in self.formulas()))

    __rmul__ = __mul__


NONE = Work()
ELEMENTWISE = Work(elementwise=ONE)
TRANSCENDENTAL = Work(transcendental=ONE)
COMPARISON = Work(comparison=ONE)
MOVEMENT = Work(movement=ONE)


def all_unknown(reason: str) -> Work:
    """Return work of which no kind of operation can be counted."""
    return (ELEMENTWISE + TRANSCENDENTAL + COMPARISON + MOVEMENT) * unknown(reason)
