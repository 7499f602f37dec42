"""Bind a model to what it's run on: given inputs, checked against what it takes, or random ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxtile.debugging.capture.element_types import BITS
from onnxtile.debugging.capture.report import Fed
from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.ir.constants import OVERRIDABLE_FROM, declared_ir_version
from onnxtile.ir.dimensions import fed_inputs, free_dimensions
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.manager import PassManager
from onnxtile.verification.inputs import UNBOUND


def bind_to(model: ir.Model, inputs: Mapping[str, Any] | None, bind: Mapping[str, int], seed: int) -> Fed:
    """Give all free dimensions of the model's inputs sizes: those of `bind`, of given `inputs`, or made-up ones.

    UsageError for sizes that contradict, for names that the model doesn't take, and for what's missing of `inputs`.
    """
    if not isinstance(bind, Mapping):
        raise UsageError(f"bind is {bind!r}: give sizes by name, such as {{'batch': 1}}")
    _bind(model, bind)
    if inputs is None:
        made_up = free_dimensions(model)
        _bind(model, dict.fromkeys(made_up, UNBOUND))
        return Fed("random", seed, {**bind, **dict.fromkeys(made_up, UNBOUND)}, tuple(made_up))
    _check_names(model, inputs)
    sizes = _sizes(model, inputs)
    _bind(model, sizes)
    return Fed("given", None, {**bind, **sizes})


def _bind(model: ir.Model, sizes: Mapping[str, int]) -> None:
    PassManager([BindDims(sizes)], check=False)(model)


def _check_names(model: ir.Model, inputs: Mapping[str, Any]) -> None:
    if not isinstance(inputs, Mapping):
        raise UsageError(f"inputs is a {type(inputs).__name__}: give arrays by name, such as {{'x': array}}")
    needed = [str(value.name) for value in fed_inputs(model)]
    defaults = [str(value.name) for value in model.graph.inputs if value.is_initializer()]
    known = [*needed, *(defaults if declared_ir_version(model) >= OVERRIDABLE_FROM else ())]
    for name in inputs:
        if name not in known:
            have = f"its inputs are {', '.join(known)}" if known else "it has none"
            raise UsageError(f"input {name!r} isn't one of the model's: {have}")
    for name in needed:
        if name not in inputs:
            raise UsageError(f"input {name!r} is missing: give all of {', '.join(needed)}, or none for random ones")


def _sizes(model: ir.Model, inputs: Mapping[str, Any]) -> dict[str, int]:
    """Return sizes of free dimensions by the inputs' shapes. Raises UsageError where those contradict each other."""
    free = set(free_dimensions(model))
    sizes: dict[str, int] = {}
    named_by: dict[str, str] = {}
    for value in model.graph.inputs:
        shape = np.shape(inputs[str(value.name)]) if value.name in inputs else ()
        for dim, size in zip(value.shape or (), shape, strict=False):
            name = dim.value if isinstance(dim, ir.SymbolicDim) else None
            if name is None or name not in free:
                continue
            if sizes.setdefault(name, size) != size:
                words = f"{sizes[name]} in {named_by[name]!r} and {size} in {value.name!r}"
                raise UsageError(f"the inputs' shapes contradict: {name} is {words}")
            named_by.setdefault(name, str(value.name))
    return sizes


def checked(model: ir.Model, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the inputs as a bound model takes them. Raises UsageError for another shape or type.

    Arrays of types that numpy lacks may be of ml_dtypes', or as `capture` stores them.
    """
    values = {str(value.name): value for value in model.graph.inputs}
    return {name: _checked(values[name], np.asarray(array)) for name, array in inputs.items()}


def _checked(value: ir.Value, array: np.ndarray) -> np.ndarray:
    if not isinstance(value.type, ir.TensorType):
        raise UnsupportedError(f"input {value.name!r} is no tensor, which is all that can be given")
    if value.shape is not None:
        pairs = zip(value.shape, array.shape, strict=False)
        if len(value.shape) != array.ndim or any(isinstance(dim, int) and dim != size for dim, size in pairs):
            words = f"is {_sized(array.shape)}, the model takes {_sized(value.shape)}"
            raise UsageError(f"input {value.name!r} {words}")
    converted = _of_type(array, value.type.dtype)
    if converted is None:
        wanted = "text" if value.type.dtype == ir.DataType.STRING else value.type.dtype.numpy()
        raise UsageError(f"input {value.name!r} is {array.dtype}, the model takes {wanted}")
    return converted


def _sized(shape: Iterable[Any]) -> str:
    return " x ".join(map(str, shape)) or "a number without axes"


def _of_type(array: np.ndarray, dtype: ir.DataType) -> np.ndarray | None:
    """Return the array as one of the type, if it is or is stored as `capture` or numpy (`V2`) store it; or None."""
    if dtype == ir.DataType.STRING:
        return array.astype(object) if array.dtype.kind in "USO" else None
    wanted = dtype.numpy()
    array = array.astype(array.dtype.newbyteorder("=")) if array.dtype.byteorder not in ("=", "|") else array
    if array.dtype == wanted:
        return array
    if wanted.isbuiltin == 1:
        return None
    if dtype.is_integer():
        numbers = array.astype(wanted) if array.dtype == (np.int8 if dtype.is_signed() else np.uint8) else None
        return numbers if numbers is not None and np.array_equal(numbers.astype(array.dtype), array) else None
    if array.dtype in (BITS[wanted.itemsize], np.dtype(f"V{wanted.itemsize}")):
        return np.ascontiguousarray(array).reshape(array.shape).view(wanted)
    return None
