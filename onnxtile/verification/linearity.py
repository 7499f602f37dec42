"""Find weights that results are linear in: weights drawn as outer products must not be squared."""

from __future__ import annotations

from collections.abc import Sequence

from onnxtile.verification.semantics import functions
from onnxtile.verification.semantics.entry import Call, Entry
from onnxtile.verification.value import Value

SUMS = frozenset(
    (
        "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Concat", "Split", "Slice",
        "Gather", "Pad", "Add", "Sub", "Neg", "Sum", "ReduceSum", "Cast", "CastLike", "Where", "Div", "Shape", "Size",
    )
)  # fmt: skip
"""Linear in all their operands. (Div is, or it's a function.)"""
PRODUCTS = frozenset(("Mul", "MatMul", "Gemm", "FusedMatMul", "TransposeMatMul", "Einsum", "Conv"))
"""Linear in one operand at a time."""
CONTROL = frozenset(("If", "Loop", "Scan"))
"""What's inside says it."""


class NonlinearError(Exception):
    """An operator that may not be linear in a weight: weights have to be taken as they are."""


def note(call: Call, entry: Entry | None, results: Sequence[Value | None]) -> None:
    """Let results know the weights that they're linear in. Raises NonlinearError."""
    sets = [value.linear for value in call.inputs if value is not None and value.linear]
    if not sets:
        return
    op_type = call.node.op_type
    if entry is None or op_type in CONTROL or entry.evaluate.__module__ == functions.__name__:
        return
    linear = sets[0].union(*sets[1:])
    squared = op_type in PRODUCTS and sum(map(len, sets)) > len(linear)
    if squared or not (op_type in SUMS or op_type in PRODUCTS):
        raise NonlinearError(op_type)
    for value in results:
        if value is not None:
            value.linear = linear
