"""Einsum: a product for each pair of operands, from left to right."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, node_name
from onnxtile.ir.symbolic.amounts import Amount, Dim, Number, product, total
from onnxtile.operators.einsum_equation import Equation, EquationError, Letters
from onnxtile.operators.formula import condition, measure
from onnxtile.operators.measures import Y, sizes_of
from onnxtile.operators.registry import Products, declare
from onnxtile.operators.sizes import Size, count_of, same, shape
from onnxtile.operators.work import ELEMENTWISE, MOVEMENT


@dataclass(frozen=True)
class EinsumStep:
    """The product of what's left of the operand before and the next: C[stack, batch, m, n], letters by their part.

    A has [stack, batch, m, k], B has [batch, k, n]; `swapped`: A is the next operand, B what's left. Axes of M whose
    length isn't known are stacked in front instead, so that the others can be merged. `lengths`: those of the two; an
    axis of an ellipsis may be broadcast by an operand that comes later.
    """

    stack: Letters
    batch: Letters
    m: Letters
    k: Letters
    n: Letters
    swapped: bool
    lengths: Mapping[str, Dim]

    @property
    def result(self) -> Letters:
        return (*self.stack, *self.batch, *self.m, *self.n)

    @property
    def size(self) -> Size:
        outer = (*self.stack, *self.batch)
        return Size(self.length(self.m), self.length(self.k), self.length(self.n), self.length(outer))

    def length(self, letters: Letters) -> Dim:
        """Return the length of these letters' axes as one."""
        dims = [self.lengths[letter] for letter in letters]
        return dims[0] if len(dims) == 1 else count_of(dims)


@dataclass(frozen=True)
class Einsum:
    """An Einsum node: its equation, the length of each letter's axis, and its products."""

    equation: Equation
    lengths: Mapping[str, Dim]
    steps: tuple[EinsumStep, ...]

    @classmethod
    def of(cls, node: ir.Node) -> Einsum:
        """Read a node; UnsizedError where a shape isn't known, ModelError where the equation can't be right."""
        attribute = node.attributes.get("equation")
        if attribute is not None and attribute.is_ref():
            raise UnsizedError("its equation is given by the function's caller")
        shapes = [shape(node, index) for index in range(len(node.inputs))]
        text = "" if attribute is None else attribute.as_string()
        try:
            equation = Equation.parse(text, [len(dims) for dims in shapes])
        except EquationError as error:
            raise ModelError(f"Einsum {node_name(node)!r}: its equation {text!r} {error}") from error
        own = [_own_lengths(node, letters, dims) for letters, dims in zip(equation.terms, shapes, strict=True)]
        lengths: Mapping[str, Dim] = {}
        for lengths_of_operand in own:
            lengths = _joined(node, lengths, lengths_of_operand)
        return cls(equation, lengths, tuple(_steps(node, equation, own)))


def sizes(node: ir.Node) -> dict[str, Size]:
    """Return Einsum's products by their number; none where it has one operand."""
    if len(node.inputs) < 2:
        return {}
    einsum = Einsum.of(node)
    products = [step.size for step in einsum.steps]
    return {"" if len(products) == 1 else f"product {number}": size for number, size in enumerate(products, 1)}


def _own_lengths(node: ir.Node, letters: Letters, dims: Sequence[Dim]) -> dict[str, Dim]:
    """Return the length of each letter's axis in one operand."""
    own: dict[str, Dim] = {}
    for letter, dim in zip(letters, dims, strict=True):
        own[letter] = same(node, f"letter {letter}", own[letter], dim) if letter in own else dim
    return own


def _joined(node: ir.Node, left: Mapping[str, Dim], right: Mapping[str, Dim]) -> dict[str, Dim]:
    """Return the lengths of both; where they differ, 1 is broadcast."""
    joined = {**left, **right}
    for letter in left.keys() & right.keys():
        x, y = left[letter], right[letter]
        joined[letter] = y if x == 1 else x if y == 1 else same(node, f"letter {letter}", x, y)
    return joined


def _steps(node: ir.Node, equation: Equation, own: Sequence[Mapping[str, Dim]]) -> Iterator[EinsumStep]:
    left, lengths = equation.terms[0], own[0]
    position = {letter: index for index, letter in enumerate(equation.output)}
    for index, right in enumerate(equation.terms[1:], 1):
        later = {*position, *(letter for term in equation.terms[index + 1 :] for letter in term)}
        lengths = _joined(node, lengths, own[index])
        order = sorted(dict.fromkeys((*left, *right)), key=lambda letter: position.get(letter, len(position)))
        known = {letter for letter in order if isinstance(lengths[letter], int)}
        m = [letter for letter in order if letter in later and letter not in right]
        n = [letter for letter in order if letter in later and letter not in left]
        swapped = known.issuperset(m) and not known.issuperset(n)
        m, n = (n, m) if swapped else (m, n)
        stack = [letter for letter in m if letter not in known]
        stack = stack[:-1] if stack == m else stack
        batch = [letter for letter in order if letter in later and letter in left and letter in right]
        k = [letter for letter in order if letter not in later and letter in left and letter in right]
        rest = [letter for letter in m if letter not in stack]
        step = EinsumStep(tuple(stack), tuple(batch), tuple(rest), tuple(k), tuple(n), swapped, lengths)
        yield step
        left = step.result
        lengths = {letter: lengths[letter] for letter in left}


@measure("summed", "additions along letters that no other operand and no output has, before a product")
def _summed(node: ir.Node, opset: int | None) -> Amount:
    equation = Einsum.of(node).equation
    operands = [
        dict(zip(letters, sizes_of(value), strict=True))
        for letters, value in zip(equation.terms, node.inputs, strict=True)
    ]
    output, left, sums = set(equation.output), operands[0], []
    for index, right in enumerate(operands[1:], 1):
        later = output.union(*operands[index + 1 :])
        sums += [_additions(left, later.union(right)), _additions(right, later.union(left))]
        both = {**right, **{letter: size for letter, size in left.items() if size != 1 or letter not in right}}
        left = {letter: size for letter, size in both.items() if letter in later}
    return total([*sums, _additions(left, output)])


def _additions(sizes: dict[str, Number], kept: set[str]) -> Amount:
    """Return the additions that leave of an operand one element for each of the letters kept."""
    left = math.prod(size for letter, size in sizes.items() if letter in kept)
    return total([math.prod(sizes.values()), product([-1, left])])


@condition("one operand, and nothing summed")
def _rearranged(node: ir.Node, opset: int | None) -> bool:
    if len(node.inputs) > 1:
        return False
    equation = Einsum.of(node).equation
    return set(equation.terms[0]) == set(equation.output)


_REFUSED = (
    "types other than float, double, float16 and integers of 32, 64 bits; letters of length 0, or of length 1 in one "
    "operand and more in another; an ellipsis that the result lacks; merged letters and diagonals of unknown lengths"
)
declare(
    "Einsum",
    products=Products(
        "matmul",
        sizes,
        "a product a pair of operands; letters of both and the result: batch, of both only: K; of the first: M, of the"
        " second: N",
        "decompose-einsum",
        refused=_REFUSED,
    ),
    work=ELEMENTWISE * _summed + MOVEMENT * Y * _rearranged,
)
