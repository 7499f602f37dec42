"""Einsum: a product for each pair of operands, from left to right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.contraction.entry import Entry
from onnxtile.contraction.equation import Equation, EquationError, Letters
from onnxtile.contraction.sizes import Dim, Size, UnsizedError, count_of, node_name, same, shape
from onnxtile.errors import ModelError


@dataclass(frozen=True)
class Step:
    """The product of what's left of the operand before and the next: C[stack, batch, m, n], letters by their part.

    A has [stack, batch, m, k], B has [batch, k, n]; `swapped`: A is the next operand, B what's left. Axes of M whose
    length isn't known are stacked in front instead, so that the others can be merged.
    """

    stack: Letters
    batch: Letters
    m: Letters
    k: Letters
    n: Letters
    swapped: bool

    @property
    def result(self) -> Letters:
        return (*self.stack, *self.batch, *self.m, *self.n)


@dataclass(frozen=True)
class Einsum:
    """What an Einsum says: its equation, the length of each letter's axis, and its products."""

    equation: Equation
    lengths: Mapping[str, Dim]
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, node: ir.Node) -> Einsum:
        """Raises UnsizedError where a shape isn't known, ModelError where the equation can't be right."""
        attribute = node.attributes.get("equation")
        if attribute is not None and attribute.is_ref():
            raise UnsizedError("its equation is given by the function's caller")
        shapes = [shape(node, index) for index in range(len(node.inputs))]
        text = "" if attribute is None else attribute.as_string()
        try:
            equation = Equation.parse(text, [len(dims) for dims in shapes])
        except EquationError as error:
            raise ModelError(f"Einsum {node_name(node)!r}: its equation {text!r} {error}") from error
        lengths = _lengths(node, equation, shapes)
        return cls(equation, lengths, tuple(_steps(equation, lengths)))

    def size(self, step: Step) -> Size:
        m, k, n, batch = (
            count_of([self.lengths[letter] for letter in letters])
            for letters in (step.m, step.k, step.n, (*step.stack, *step.batch))
        )
        return Size(m, k, n, batch)


def sizes(node: ir.Node) -> dict[str, Size]:
    """Einsum's products by their number; none where it has one operand."""
    if len(node.inputs) < 2:
        return {}
    einsum = Einsum.of(node)
    products = [einsum.size(step) for step in einsum.steps]
    return {"" if len(products) == 1 else f"product {number}": size for number, size in enumerate(products, 1)}


def _lengths(node: ir.Node, equation: Equation, shapes: list[list[Dim]]) -> dict[str, Dim]:
    """The length of each letter's axis; where operands differ, 1 is broadcast."""
    lengths: dict[str, Dim] = {}
    for letters, dims in zip(equation.terms, shapes, strict=True):
        own: dict[str, Dim] = {}
        for letter, dim in zip(letters, dims, strict=True):
            own[letter] = same(node, f"letter {letter}", own[letter], dim) if letter in own else dim
        for letter, dim in own.items():
            before = lengths.get(letter, 1)
            lengths[letter] = (
                dim if before == 1 else before if dim == 1 else same(node, f"letter {letter}", before, dim)
            )
    return lengths


def _steps(equation: Equation, lengths: Mapping[str, Dim]) -> Iterator[Step]:
    def is_known(letter: str) -> bool:
        return isinstance(lengths[letter], int)

    def in_order(letters: Iterable[str]) -> Letters:
        place = {letter: index for index, letter in enumerate(equation.output)}
        return tuple(sorted(letters, key=lambda letter: place.get(letter, len(place))))

    left = equation.terms[0]
    for index, right in enumerate(equation.terms[1:], 2):
        later = {*equation.output, *(letter for term in equation.terms[index:] for letter in term)}
        shared = [letter for letter in dict.fromkeys(left) if letter in right]
        m = in_order(letter for letter in dict.fromkeys(left) if letter in later and letter not in right)
        n = in_order(letter for letter in dict.fromkeys(right) if letter in later and letter not in left)
        swapped = all(map(is_known, m)) and not all(map(is_known, n))
        m, n = (n, m) if swapped else (m, n)
        stack = tuple(letter for letter in m if not is_known(letter))
        stack = stack[:-1] if stack == m else stack
        batch = in_order(letter for letter in shared if letter in later)
        k = tuple(letter for letter in shared if letter not in later)
        step = Step(stack, batch, tuple(letter for letter in m if letter not in stack), k, n, swapped)
        yield step
        left = step.result


ONNX: dict[str, Entry] = {
    "Einsum": Entry(
        "matmul",
        sizes,
        "a product a pair of operands; letters of both and the result: batch, of both only: K; of the first: M, of the"
        " second: N",
        "decompose-einsum",
    )
}
MICROSOFT: dict[str, Entry] = {}
