"""Write recurrent operators out as a product of all steps' inputs, and one with the state in every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import onnx_ir as ir

from onnxtile.errors import wrong_name
from onnxtile.ir.constants import OVERRIDABLE_FROM, declared_ir_version
from onnxtile.ir.dtypes import FLOATS
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.recurrent_layer import Layer
from onnxtile.passes.rewrites.recurrent_node import Recurrent, activation_refusals, length_refusals, recurrent_of
from onnxtile.passes.rewrites.recurrent_quantized import quantized_refusals
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, type_refusals

StepsName: TypeAlias = Literal["scan", "unroll"]
STEPS = ("scan", "unroll")
SCAN_FROM = 9
"""The version of the default operator set that brought Scan in its present form."""
EXPAND_FROM = 8
MOST_STEPS = 10_000
"""Steps that are written one by one."""


@dataclass(frozen=True)
class DecomposeRecurrent(Decompose):
    """H[t] = f(X[t] W' + H[t - 1] R' + b) for every RNN, LSTM and GRU of which a product exceeds `max`.

    None given: for every one; DynamicQuantizeLSTM likewise. X W' is one product of all steps; that with the state is
    inside a Scan, or with `steps=unroll` in each of the steps, written one after the other, where there's a number of
    them. Opsets 7 and 8, whose Scan is another one, and bodies that can't see constants are unrolled anyway.
    """

    steps: StepsName = "scan"
    operators = lowered_by("decompose-recurrent")

    def __post_init__(self) -> None:
        if self.steps not in STEPS:
            raise wrong_name(f"steps is {self.steps!r}", self.steps, STEPS)
        super().__post_init__()

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        yield from type_refusals(product, FLOATS)
        if product.reason or product.opset is None:
            return
        recurrent = recurrent_of(product)
        if isinstance(recurrent, Refusal):
            yield recurrent
            return
        yield from activation_refusals(recurrent, product.opset)
        yield from quantized_refusals(recurrent, model, product.opset)
        yield from length_refusals(recurrent, model, product.opset)
        yield from _step_refusals(recurrent, product.opset, model, self._unrolls(product.opset, model))

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        recurrent, opset = recurrent_of(product), product.opset or 0
        assert isinstance(recurrent, Recurrent)
        new.swap_in(*Layer(recurrent, new, model, opset, self._unrolls(opset, model)).write())

    def _unrolls(self, opset: int, model: ir.Model) -> bool:
        return self.steps == "unroll" or _has_no_scan(opset, model)


def _has_no_scan(opset: int, model: ir.Model) -> bool:
    return opset < SCAN_FROM or declared_ir_version(model) < OVERRIDABLE_FROM


def _step_refusals(of: Recurrent, opset: int, model: ir.Model, unrolled: bool) -> Iterator[Refusal]:
    """Yield why steps and the first state can't be written."""
    if unrolled and not isinstance(of.steps, int):
        cure = "bind it" if _has_no_scan(opset, model) else "bind it, or take --steps scan"
        known = "aren't known" if of.steps is None else f"are {of.steps}, not a number,"
        yield Refusal("symbolic-steps", f"its steps {known} and can't be unrolled; {cure}")
    if unrolled and isinstance(of.steps, int) and of.steps > MOST_STEPS:
        yield Refusal("too-many-steps", f"{of.steps:,} steps are more than {MOST_STEPS:,}; take --steps scan")
    if opset < EXPAND_FROM and not isinstance(of.batch, int) and of.input(5) is None:
        yield Refusal("opset", f"opset {opset} has no Expand, which the first state needs; give the batch with --bind")
    if of.empty and not (isinstance(of.steps, int) and isinstance(of.batch, int)):
        yield Refusal("empty", "it has no elements, and the shape of that isn't a number; bind it with --bind")
