"""Write Gemm out as the operators it stands for: Y = alpha * (A' @ B') + beta * C."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.constants import constant_tensor, declared_ir_version, drop_if_unused, raise_ir_version
from onnxtile.contraction import Contraction, attribute_float, attribute_int, contractions
from onnxtile.forms import form_of
from onnxtile.forms.product import WIDER
from onnxtile.legality import Refusal, decisions, operator_refusals
from onnxtile.limits import Limits
from onnxtile.names import Names
from onnxtile.passes.rewriting import Replacement

CONSTANTS_FROM = 4
"""Initializers that aren't graph inputs need this IR version."""


@dataclass(frozen=True)
class DecomposeGemm(ir.passes.InPlacePass):
    """Y = alpha * (A' @ B') + beta * C, for every Gemm that exceeds `max` (none given: for every Gemm).

    alpha scales the product, so that weights keep their bytes (a float16 or bfloat16 product that would have to shrink is
    scaled before it's rounded: on its operand that isn't constant); beta is folded into a constant C; a factor of one
    costs no node. Gemms in local functions are left alone. A Gemm that can't be written out, or cut afterwards, is
    refused before anything changes, or left as it is where `leave_refused` says so; `form`, `pad_tiles`: see
    TileMatMul.
    """

    max: Limits | None = None
    form: str = "unrolled"
    leave_refused: bool = False
    pad_tiles: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "max", None if self.max is None else Limits.of(self.max))
        form_of(self.form)

    def requires(self, model: ir.Model) -> None:
        for gemm, refusal in self._gemms(model):
            if refusal and not self.leave_refused:
                raise ir.passes.PreconditionError(f"Gemm {gemm.name!r}: {refusal}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        gemms = [gemm.node for gemm, refusal in self._gemms(model) if not refusal]
        names = Names(model)
        if gemms:
            raise_ir_version(model, CONSTANTS_FROM)
        for gemm in gemms:
            _write_out(gemm, model, names)
        return ir.passes.PassResult(model, modified=bool(gemms))

    def ensures(self, model: ir.Model) -> None:
        for gemm, refusal in self._gemms(model):
            if not refusal:
                raise ir.passes.PostconditionError(f"Gemm {gemm.name!r} is still there")

    def _gemms(self, model: ir.Model) -> list[tuple[Contraction, Refusal | None]]:
        if self.max is None:
            every = [(found, next(operator_refusals(found), None)) for found in contractions(model)]
        else:
            cut = [(found, decision) for found, decision in decisions(model, self.max, form_of(self.form).ability, self.pad_tiles) if decision]
            every = [(found, decision if isinstance(decision, Refusal) else None) for found, decision in cut]
        return [
            (found, refusal)
            for found, refusal in every
            if found.node.op_type == "Gemm" and found.node.domain == "" and not found.in_function
        ]


def _write_out(gemm: ir.Node, model: ir.Model, names: Names) -> None:
    a, b, c = (*gemm.inputs, None)[:3]
    assert a is not None and b is not None and a.dtype is not None
    sources, dtype = (a, b, c), a.dtype
    new = Replacement(gemm, dtype, names)
    if attribute_int(gemm, "transA", 0):
        a = new.node("Transpose", "A_transposed", [a], {"perm": [1, 0]}, _reversed(a))
    if attribute_int(gemm, "transB", 0):
        b = new.node("Transpose", "B_transposed", [b], {"perm": [1, 0]}, _reversed(b))
    alpha = np.array(attribute_float(gemm, "alpha", 1.0), dtype.numpy())
    if dtype in WIDER and abs(alpha) < 1:
        left = constant_tensor(sources[0], declared_ir_version(model)) is None
        scaled = new.node("Mul", "scaled", [a if left else b, new.constant("alpha", alpha)], shape=(a if left else b).shape)
        a, b = (scaled, b) if left else (a, scaled)
        alpha = np.array(1, dtype.numpy())
    y = new.node("MatMul", "product", [a, b], shape=gemm.outputs[0].shape)
    new.nodes[-1].name = new.prefix
    new.nodes[-1].doc_string = gemm.doc_string
    new.nodes[-1].metadata_props.update(gemm.metadata_props)
    beta = np.array(attribute_float(gemm, "beta", 1.0), dtype.numpy())
    if alpha != 1:
        y = new.node("Mul", "scaled", [y, new.constant("alpha", alpha)])
    if c is not None and beta != 0:
        tensor = constant_tensor(c, declared_ir_version(model))
        if beta != 1 and tensor is not None:
            c = new.constant("bias", tensor.numpy() * beta)
        elif beta != 1:
            c = new.node("Mul", "bias", [c, new.constant("beta", beta)])
        y = new.node("Add", "biased", [y, c])
    new.swap_in(y)
    for source in sources:
        drop_if_unused(source, model)


def _reversed(value: ir.Value) -> ir.Shape | None:
    return None if value.shape is None else ir.Shape(reversed(list(value.shape)))
