"""Read what onnx itself says of operators: the types that they take, and the types and shapes of what they give."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.verification.semantics.entry import Call
from onnxtile.verification.value import UnprovenError, Value

DEFAULT = ("", "ai.onnx")
MOST_ELEMENTS = 1 << 28
Formal = tuple[frozenset[str], str]
"""The types that an input may have, and the name that it shares with others of the same type."""


def check_types(domain: str, op_type: str, opset: int, inputs: Sequence[Value | None]) -> None:
    """Raise UnprovenError for an input of another type than the operator takes, as far as onnx knows it."""
    _check(domain, op_type, opset, tuple(None if value is None else value.dtype for value in inputs))


def check_said(name: str, value: Value, said: Mapping[str, int]) -> None:
    """Raise UnprovenError for a value that the file says is of another type."""
    number = said.get(name, value.dtype.value)
    if number != value.dtype.value:
        raise UnprovenError(f"{name!r} is said to be {ir.DataType(number).name}, and is {value.dtype.name}")


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
    constrained = {each.type_param_str: frozenset(each.allowed_type_strs) for each in schema.type_constraints}
    option = onnx.defs.OpSchema.FormalParameterOption
    formals = []
    for formal in schema.inputs:
        alike = formal.type_str in constrained and not (formal.option == option.Variadic and not formal.is_homogeneous)
        types = constrained.get(formal.type_str, frozenset([formal.type_str]))  # formal.types fails in onnx 1.20
        formals.append((types, formal.type_str if alike else ""))
    variadic = bool(schema.inputs) and schema.inputs[-1].option == option.Variadic
    return tuple(formals), variadic


def _spelled(dtype: ir.DataType) -> str:
    return _NAMES.get(dtype.name, dtype.name.lower())


_NAMES = {"FLOAT": "float", "DOUBLE": "double"}


def since(call: Call) -> int:
    """The version of the operator set that brought the operator in its present form."""
    try:
        domain = "" if call.node.domain in DEFAULT else call.node.domain
        return int(onnx.defs.get_schema(call.node.op_type, call.opset, domain).since_version)
    except onnx.defs.SchemaError:
        return call.opset


def inferred(call: Call) -> list[tuple[ir.DataType, tuple[int, ...]]]:
    """The types and shapes of what an operator gives, as onnx infers them from its inputs'."""
    node = call.node
    types: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for name, value in zip(node.input, call.inputs, strict=True):
        if value is not None:
            types[name] = onnx.helper.make_tensor_type_proto(value.dtype.value, value.shape)
            if value.known is not None and value.known.size <= 1024 and value.known.dtype.kind in "biuf":
                data[name] = onnx.numpy_helper.from_array(np.asarray(value.known), name)
    try:
        schema = onnx.defs.get_schema(node.op_type, call.opset, "" if node.domain in DEFAULT else node.domain)
        opsets = [onnx.helper.make_opsetid("" if node.domain in DEFAULT else node.domain, call.opset)]
        found = onnx.shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=opsets)
    except (onnx.defs.SchemaError, onnx.shape_inference.InferenceError, RuntimeError) as error:
        raise UnprovenError(f"{node.op_type} isn't on the list, and what shape it gives isn't known") from error
    results = []
    for name in node.output:
        tensor = found[name].tensor_type if name in found else onnx.TypeProto.Tensor()
        if name and (not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim)):
            raise UnprovenError(f"{node.op_type} isn't on the list, and what shape it gives isn't known")
        shape = tuple(dim.dim_value for dim in tensor.shape.dim)
        if math.prod(shape) > MOST_ELEMENTS:
            raise UnprovenError(f"{node.op_type} gives {math.prod(shape):,} elements")
        results.append((ir.DataType(tensor.elem_type or 1), shape))
    return results
