"""Types that operators take: what no engine takes isn't evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import onnx
import onnx_ir as ir

from onnxtile.verification.value import UnprovenError, Value

Formal = tuple[frozenset[str], str]
"""The types that an input may have, and the name that it shares with others of the same type."""


def check_types(domain: str, op_type: str, opset: int, inputs: Sequence[Value | None]) -> None:
    """Raise UnprovenError for an input of another type than the operator takes, as far as onnx knows it."""
    _check(domain, op_type, opset, tuple(None if value is None else value.dtype for value in inputs))


@lru_cache(maxsize=1024)
def _check(domain: str, op_type: str, opset: int, inputs: tuple[ir.DataType | None, ...]) -> None:
    formals, variadic = _signature(domain, op_type, opset)
    if not formals:
        return
    seen: dict[str, ir.DataType] = {}
    for index, dtype in enumerate(inputs):
        if dtype is None:
            continue
        if index >= len(formals) and not variadic:
            raise UnprovenError(f"{op_type} takes {len(formals)} inputs, not {len(inputs)}")
        types, name = formals[min(index, len(formals) - 1)]
        if f"tensor({_spelled(dtype)})" not in types:
            raise UnprovenError(f"input {index} of {op_type} is {dtype.name}, which it doesn't take")
        if name and seen.setdefault(name, dtype) != dtype:
            raise UnprovenError(f"{op_type} of different types")


def _signature(domain: str, op_type: str, opset: int) -> tuple[tuple[Formal, ...], bool]:
    try:
        schema = onnx.defs.get_schema(op_type, opset, domain)
    except onnx.defs.SchemaError:
        return (), False
    constrained = {constraint.type_param_str for constraint in schema.type_constraints}
    option = onnx.defs.OpSchema.FormalParameterOption
    formals = []
    for formal in schema.inputs:
        alike = formal.type_str in constrained and not (formal.option == option.Variadic and not formal.is_homogeneous)
        formals.append((frozenset(formal.types), formal.type_str if alike else ""))
    variadic = bool(schema.inputs) and schema.inputs[-1].option == option.Variadic
    return tuple(formals), variadic


def _spelled(dtype: ir.DataType) -> str:
    return _NAMES.get(dtype.name, dtype.name.lower())


_NAMES = {"FLOAT": "float", "DOUBLE": "double"}
