"""Count what a call of a torch operator computes: the one table's products, and the other operations by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import onnx_ir as ir

from onnxtile.ir.io.checker import one_line
from onnxtile.ir.symbolic.amounts import Amount, Unknown
from onnxtile.operators.work import KINDS, Operations
from onnxtile.torch_frontend.aten.operations import OPERATIONS, SILENT
from onnxtile.torch_frontend.aten.products import PRODUCTS
from onnxtile.torch_frontend.trace.calls import Call, NoSizesError

Counted = TypeVar("Counted")
_NO_NODE = ir.Node("", "Identity", [])
"""Sizes in the work of a call are numbers, so that nothing is read off a node."""


def computes(call: Call) -> bool:
    """Return whether the call computes or copies anything."""
    return call.operator.name not in SILENT


def macs_of(call: Call) -> Amount:
    """Return the multiply-accumulates of its products; Unknown where nobody knows the operator, or it can't be told."""
    sizes = PRODUCTS.get(call.operator.name)
    if sizes is None:
        return 0 if call.operator.name in OPERATIONS else unknown(call)
    return counted(call, lambda call: sum(m * k * n * batch for m, k, n, batch in sizes(call)))


def operations_of(call: Call) -> Operations:
    """Return its other operations; Unknown where they can't be told."""
    name = call.operator.name
    count = OPERATIONS.get(name)
    if count is None:
        return Operations() if name in SILENT else Operations(*[unknown(call)] * len(KINDS))
    operations = counted(call, lambda call: count(call).at(_NO_NODE, None))
    return Operations(*[operations] * len(KINDS)) if isinstance(operations, Unknown) else operations


def counted(call: Call, count: Callable[[Call], Counted]) -> Counted | Unknown:
    """Return what a formula gives for a call; Unknown where it can't say, whatever it was called with.

    The network has run by then, so that a formula which fails is a fault of the formula, and only this count is lost.
    """
    name = call.operator.name
    try:
        for value in (*call.inputs, *call.outputs):
            len(value.shape)  # formulas for a block of numbers are wrong for others, be it that they run
        return count(call)
    except NoSizesError as error:
        return Unknown(f"torch's operator {name} {error}")
    except Exception as error:  # of any kind, as arguments are
        words = f"{type(error).__name__}: {one_line(error)}"
        return Unknown(f"what torch's operator {name} computes can't be told: its formula fails with {words}")


def unknown(call: Call) -> Unknown:
    return Unknown(f"what torch's operator {call.operator.name} computes isn't known")
