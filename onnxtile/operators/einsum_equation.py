"""Einsum's equations: which letter stands for which axis of which operand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from onnxtile.ir.attributes import UnsizedError

Letters = tuple[str, ...]
"""A letter an axis; the axes of an ellipsis are `...0`, `...1` and so on."""
ELLIPSIS = "..."
_TERM = re.compile(r"([A-Za-z]*)(\.\.\.)?([A-Za-z]*)")


class EquationError(ValueError):
    """The equation can't be read, or doesn't go with its operands; the message says why."""


@dataclass(frozen=True)
class Equation:
    """Output[output] = sum over the other letters of the product of the operands [terms]."""

    terms: tuple[Letters, ...]
    output: Letters

    @classmethod
    def parse(cls, text: str, ranks: Sequence[int]) -> Equation:
        """Read `ij,jk->ik` for operands of these numbers of axes, by ONNX's rules.

        Without `->` the output has the ellipsis and then the letters that occur once, capitals first. Raises
        EquationError, and UnsizedError for an ellipsis that the output lacks, which engines read differently.
        """
        left, arrow, right = text.replace(" ", "").partition("->")
        written = left.split(",")
        if len(written) != len(ranks):
            raise EquationError(f"has {len(written)} terms for {len(ranks)} operands")
        counts = {
            rank - len(term.replace(ELLIPSIS, "")) for term, rank in zip(written, ranks, strict=True) if "." in term
        }
        if len(counts) > 1:
            raise EquationError(f"has ellipses of different lengths, {', '.join(map(str, sorted(counts)))}")
        ellipsis = tuple(f"{ELLIPSIS}{axis}" for axis in range(max(counts, default=0)))
        terms = tuple(_letters(term, ellipsis) for term in written)
        for term, letters, rank in zip(written, terms, ranks, strict=True):
            if len(letters) != rank:
                raise EquationError(f"names {len(letters)} axes in {term!r}, and the operand has {rank}")
        if arrow:
            return cls(terms, _output(right, ellipsis, terms))
        every = left.replace(".", "").replace(",", "")
        once = sorted(letter for letter in set(every) if every.count(letter) == 1)
        return cls(terms, (*ellipsis, *once))

    def shrinks(self, operand: int) -> bool:
        """Return whether a diagonal is taken of an operand, or some of its axes are summed up by themselves."""
        letters = self.terms[operand]
        others = {letter for index, term in enumerate(self.terms) if index != operand for letter in term}
        return len(set(letters)) < len(letters) or not others.union(self.output).issuperset(letters)


def _letters(term: str, ellipsis: Letters) -> Letters:
    match = _TERM.fullmatch(term)
    if match is None:
        raise EquationError(f"has the term {term!r}, which isn't letters and at most one ellipsis")
    return (*match[1], *(ellipsis if match[2] else ()), *match[3])


def _output(right: str, ellipsis: Letters, terms: Sequence[Letters]) -> Letters:
    output = _letters(right, ellipsis)
    known = {letter for term in terms for letter in term}
    if len(set(output)) < len(output):
        raise EquationError(f"repeats a letter in its output {right!r}")
    if not set(output) <= known:
        raise EquationError(f"has a letter in its output {right!r} that no operand has")
    if ellipsis and ELLIPSIS not in right:
        words = f"its equation has no ellipsis in its output {right!r}, over whose axes engines differ"
        raise UnsizedError(f"{words}; name the axes, or write it there")
    return output
