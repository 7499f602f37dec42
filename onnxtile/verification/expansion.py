"""Operators of the original that a lowered model has written out: so are they here, that their products have bounds."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.metadata import ATTENTION_META, PREFIX_META
from onnxtile.ir.names import Names
from onnxtile.operators.contractions import contractions
from onnxtile.passes.decompose_attention import DecomposeAttention
from onnxtile.passes.decompose_convolution import DecomposeConvolution
from onnxtile.passes.decompose_einsum import DecomposeEinsum
from onnxtile.passes.decompose_fused import DecomposeFused
from onnxtile.passes.decompose_recurrent import DecomposeRecurrent
from onnxtile.passes.rewrites.replacement import Replacement

EXPANDED = (DecomposeAttention, DecomposeConvolution, DecomposeEinsum, DecomposeFused, DecomposeRecurrent)
"""Passes that write operators out whose bounds can't be had from the operator itself."""
Values = set[tuple[str, str]]
"""Values by scope and name."""


def write_out(model: ir.Model, changed: Values) -> Values:
    """Write out, in place, what computes a value of `changed`; the products that it becomes count as changed too.

    An engine that runs the operator itself rounds its products otherwise, cut or not.
    """
    before = list(contractions(model))
    names = Names(model)
    for decompose in (cls() for cls in EXPANDED):
        nodes = {
            found.node: found
            for found in before
            if decompose.concerns(found.node, model)
            and any((found.scope, str(value.name)) in changed for value in found.node.outputs)
            and not found.in_function
            and found.reason is None
            and next(iter(decompose.refusals(found, model)), None) is None
        }
        for found in nodes.values():
            decompose.write_out(found, Replacement(found.node, names), model)
        made = [found for found in contractions(model) if PREFIX_META in found.node.meta]
        for found in made if isinstance(decompose, DecomposeAttention) else ():
            found.node.meta[ATTENTION_META] = True
    return changed | {(found.scope, str(found.node.outputs[0].name)) for found in made}
