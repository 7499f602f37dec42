"""What a call of a torch operator computes: the one table's products, and the other operations by kind."""

from __future__ import annotations

from onnxtile.profiling.amounts import Amount, Unknown
from onnxtile.profiling.operators.work import KINDS, Operations
from onnxtile.torching.calls import Call
from onnxtile.torching.counting import NOTHING
from onnxtile.torching.operations import OPERATIONS, SILENT
from onnxtile.torching.products import PRODUCTS


def computes(call: Call) -> bool:
    """Whether the call computes or copies anything."""
    return call.operator.name not in SILENT


def macs_of(call: Call) -> Amount:
    """Multiply-accumulates of its products; Unknown where nobody knows the operator."""
    sizes = PRODUCTS.get(call.operator.name)
    if sizes is None:
        return 0 if call.operator.name in OPERATIONS else _unknown(call)
    return sum(m * k * n * batch for m, k, n, batch in sizes(call))


def operations_of(call: Call) -> Operations:
    """Its other operations; Unknown where they can't be told."""
    count = OPERATIONS.get(call.operator.name)
    if count is not None:
        return count(call)
    return NOTHING if call.operator.name in SILENT else Operations(*[_unknown(call)] * len(KINDS))


def _unknown(call: Call) -> Unknown:
    return Unknown(f"what torch's operator {call.operator.name} computes isn't known")
