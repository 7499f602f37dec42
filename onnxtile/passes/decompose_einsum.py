"""Write Einsum out as MatMul: C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], for each pair of operands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import INTEGERS
from onnxtile.ir.symbolic.amounts import dimension
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.einsum import Einsum, EinsumStep
from onnxtile.operators.einsum_equation import ELLIPSIS
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.layout import Layout
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, type_refusals

TYPES = (*INTEGERS, ir.DataType.FLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE)


@dataclass(frozen=True)
class DecomposeEinsum(Decompose):
    """C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], for every Einsum of more than one operand that exceeds `max`.

    A letter is b, m, n or k by which of both operands and the result have it; letters of a part are merged by Reshape.
    Operands are taken from left to right. Diagonals are cut out, and letters of one operand only summed, beforehand.
    """

    operators = lowered_by("decompose-einsum")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, TYPES)
        if product.reason:
            return
        einsum = Einsum.of(product.node)
        yield from _axis_refusals(einsum, product.node)
        for step in einsum.steps:
            for axis, letters in (("K", step.k), ("N", step.n)):
                unknown = [letter for letter in letters if not isinstance(einsum.lengths[letter], int)]
                if unknown and len(letters) > 1:
                    words = f"{axis} merges letters of which {unknown[0]} is {str(einsum.lengths[unknown[0]])!r}"
                    yield Refusal("symbolic", f"{words}; bind the model's free dimensions with --bind")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, opset = product.node, product.opset or 0
        einsum, version = Einsum.of(node), declared_ir_version(model)
        left, left_letters = node.inputs[0], einsum.equation.terms[0]
        for index, step in enumerate(einsum.steps, 1):
            number = f"_{index}" * (len(einsum.steps) > 1)
            right, right_letters = node.inputs[index], einsum.equation.terms[index]
            assert left is not None and right is not None
            sides = [(left, left_letters), (right, right_letters)]
            operands = []
            for leaf, (value, letters) in zip(("A", "B"), reversed(sides) if step.swapped else sides, strict=True):
                layout = _operand(step, leaf, value, letters, opset)
                operands.append(layout.apply(new, f"{leaf}{number}", constant_tensor(value, version)))
            result = new.node("MatMul", f"product{number}", operands, shape=_shape(step))
            new.stand_in(f"/product{number}" * (len(einsum.steps) > 1))
            left_letters = step.result if index < len(einsum.steps) else einsum.equation.output
            left = _separated(step, result, left_letters).apply(new, f"result{number}", None)
        assert left is not None
        new.swap_in(left)


def _axis_refusals(einsum: Einsum, node: ir.Node) -> Iterator[Refusal]:
    """Yield why axes can't be brought into order."""
    lengths = einsum.lengths
    for letter, length in lengths.items():
        if length == 0:
            yield Refusal("empty", f"letter {letter} is 0, which Reshape reads otherwise; the product has no elements")
    for letters, value in zip(einsum.equation.terms, node.inputs, strict=True):
        assert value is not None and value.shape is not None
        for letter, dim in zip(letters, value.shape, strict=True):
            if letters.count(letter) > 1 and not isinstance(dim, int):
                yield Refusal("symbolic", f"the diagonal of letter {letter} is of length {dim}; bind it with --bind")
            if dim == 1 != lengths[letter] and not letter.startswith(ELLIPSIS):
                words = f"letter {letter} is 1 in one operand and {lengths[letter]} in another"
                yield Refusal("broadcast", f"{words}, which ONNX has for ellipses only; expand the operand first")


def _operand(step: EinsumStep, leaf: str, value: ir.Value, letters: tuple[str, ...], opset: int) -> Layout:
    """Return the operand with an axis for each part of its product, in the order that MatMul has them."""
    outer = (*step.stack, *step.batch) if leaf == "A" else step.batch
    parts = (step.m, step.k) if leaf == "A" else (step.k, step.n)
    kept = (*outer, *parts[0], *parts[1])
    layout = Layout(value, letters)
    layout.diagonal()
    layout.sum_over(set(letters) - set(kept), opset)
    layout.arrange(kept)
    layout.dims[len(outer) :] = [step.lengths[letter] for part in parts for letter in part]
    layout.reshape([*layout.dims[: len(outer)], *(step.length(part) for part in parts)])
    return layout


def _shape(step: EinsumStep) -> ir.Shape:
    """Return the shape of the product."""
    outer = [step.lengths[letter] for letter in (*step.stack, *step.batch)]
    return ir.Shape(map(dimension, [*outer, step.length(step.m), step.length(step.n)]))


def _separated(step: EinsumStep, product: ir.Value, letters: tuple[str, ...]) -> Layout:
    """Return the product with an axis for each letter again, in this order."""
    layout = Layout(product, ())
    layout.reshape([step.lengths[letter] for letter in step.result], step.result)
    layout.arrange(letters)
    return layout
