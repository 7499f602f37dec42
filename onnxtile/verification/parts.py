"""A region's original written out as plain operators, uncut: what was made of each of them can be proven by itself.

An operator such as Attention isn't exact on whole numbers, and an engine computes it in its own way, so it's compared
within a bound. What it's written out as holds products that are exact, and everything else has to be as it is here.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnxtile.errors import OnnxtileError
from onnxtile.ir.io import load as source
from onnxtile.passes.decompose_attention import DecomposeAttention
from onnxtile.passes.decompose_fused import DecomposeFused
from onnxtile.passes.decompose_qdq import DecomposeQdq
from onnxtile.passes.decompose_quantized import DecomposeQuantized
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.verification.facts import Facts, facts_of
from onnxtile.verification.obligation import InexactError, alone
from onnxtile.verification.opened import Opened
from onnxtile.verification.pairing import Pairing, Region, pair

STEPS = (DecomposeAttention, DecomposeQdq, DecomposeQuantized, DecomposeFused)


def parts_of(
    region: Region, original: Opened, lowered: Opened, facts: Facts
) -> tuple[Pairing, Opened, Opened, Facts] | None:
    """The region's original, written out, beside what takes its place; None where that isn't known."""
    try:
        ours = onnx.ModelProto.FromString(alone(region, region.original, original, facts))
        theirs = onnx.ModelProto.FromString(alone(region, region.lowered, lowered, facts))
        model = source.from_proto(ours)
        steps = [InferShapes(), *(step(leave_refused=True) for step in STEPS)]
        if not PassManager(steps, check=False)(model).modified:
            return None
        written = Opened(ir.to_proto(model), None)
        known = facts_of(written.proto, {}, lambda place: 1)
    except (InexactError, OnnxtileError):
        return None  # it's compared as a whole, in any case
    other = Opened(theirs, None)
    pairing = pair(written, other)
    return (pairing, written, other, known) if pairing.kept or len(pairing.regions) > 1 else None
