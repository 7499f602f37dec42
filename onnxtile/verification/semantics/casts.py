"""Casts: to a type that holds the numbers nothing changes, else they're rounded or wrapped, or it's a function."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from onnxtile.verification.field import DIGITS, holds
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.value import SIZE, Value


@operator("Cast", attributes="to saturate")
def _cast(call: Call) -> Value:
    return cast(call, call.value(0), ir.DataType(call.attributes.get("to", 1)))


@operator("CastLike")
def _cast_like(call: Call) -> Value:
    return cast(call, call.value(0), call.value(1).dtype)


def cast(call: Call, value: Value, to: ir.DataType) -> Value:
    """The value in another type."""
    call.run.types.add(to)
    if to == value.dtype:
        return value
    if value.known is not None and value.known.dtype.kind not in "OSU":
        if value.sized == SIZE and not to.is_integer():
            call.run.look("Cast", value)
        if _is_sure(value.known, value.dtype, to):
            with np.errstate(all="ignore"):
                return Value.constant(call.field, value.known.astype(to.numpy()), to, value.sized)
    held = holds(to, value.dtype)
    if not held and not _rounds(value.dtype, to):
        return call.run.function(
            call, [value], value.shape, to, f"Cast {value.dtype.name} {to.name} {call.attributes.get('saturate', 1)}"
        )
    if not held and to.is_floating_point():
        call.run.narrowed.add(to)
    if value.outer is not None:
        made = replace(value, dtype=to, _zeros=None)
        if not held:
            made.round()
        return made
    if held and value.product is not None:
        return replace(value, dtype=to)
    numbers = value.lanes if held else call.field.rounded(value.lanes, to)
    if value.dtype.is_integer() and not to.is_integer() and not call.run.exact_scales:
        numbers = call.field.magnitudes(numbers)  # sums of whole numbers are exact, whatever cancels in them
    made = Value.computed(value, numbers, to)
    made.met = value.met
    if value.dtype.is_integer():
        made.bound = value.largest if held or not to.is_integer() else None
        made.factor = None if to.is_integer() else ()
    return made


def _is_sure(known: np.ndarray, dtype: ir.DataType, to: ir.DataType) -> bool:
    """Return whether it's known what a constant is cast to: numbers beyond a type's are up to the engine."""
    if to == ir.DataType.BOOL or dtype == ir.DataType.BOOL:
        return True
    if to.is_integer() and dtype.is_floating_point():
        numbers = np.trunc(known.astype(np.float64))
        return bool(np.all((numbers >= to.min) & (numbers <= to.max)))  # neither is so of NaN
    return to.name in DIGITS or to.is_integer()


def _rounds(dtype: ir.DataType, to: ir.DataType) -> bool:
    """Return whether a cast rounds a number, or wraps a whole one: sums and products of those wrap alike."""
    if to.name in DIGITS:
        return dtype.name in DIGITS or dtype.is_integer()
    return dtype.is_integer() and to.is_integer() and (to.bitwidth < dtype.bitwidth or to.bitwidth == 64)
