"""Attention of the original, written out where the lowered model computes it otherwise: its products have bounds."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.contraction import contractions
from onnxtile.names import Names
from onnxtile.passes.decompose_attention import DecomposeAttention
from onnxtile.provenance import PREFIX_META

Values = set[tuple[str, str]]
"""Values by scope and name."""


def write_attention_out(model: ir.Model, changed: Values) -> Values:
    """Write out, in place, the attention that computes a value of `changed`; what it becomes counts as changed too.

    An engine that runs the operator itself rounds all of its products otherwise, cut or not.
    """
    decompose, names = DecomposeAttention(), Names(model)
    nodes = {
        found.node: None
        for found in contractions(model)
        if decompose.concerns(found.node)
        and any((found.scope, str(value.name)) in changed for value in found.node.outputs)
        and not found.in_function
        and next(iter(decompose.refusals(found, model)), None) is None
    }
    for node in nodes:
        decompose.write_out(node, model, names)
    made = {
        (found.scope, str(found.node.outputs[0].name))
        for found in contractions(model)
        if PREFIX_META in found.node.meta
    }
    return changed | made if nodes else changed
