"""Inputs for a model, from a seed."""

from __future__ import annotations

from typing import Literal

import numpy as np
import onnx_ir as ir

from onnxtile.constants import constant_tensor
from onnxtile.dimensions import fed_inputs
from onnxtile.errors import UnsupportedError

Kind = Literal["normal", "whole"]
UNBOUND = 2
"""The size taken for a free dimension that isn't bound: one that would show a mix-up of axes."""


def feeds(model: ir.Model, kind: Kind, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A value for each input that must be fed.

    Floats are normal, or whole numbers from -3 to 3; integers lie within the table that they index, where they index
    one, and are 0 or 1 otherwise (8-bit ones take their whole range). Shapes must be known but for free dimensions.
    Raises UnsupportedError for an input that isn't a tensor of numbers, or whose rank isn't known.
    """
    return {str(value.name): _feed(value, kind, rng, model.ir_version) for value in fed_inputs(model)}


def _feed(value: ir.Value, kind: Kind, rng: np.random.Generator, ir_version: int) -> np.ndarray:
    if value.shape is None or value.dtype is None or not isinstance(value.type, ir.TensorType):
        raise UnsupportedError(f"input {value.name!r} isn't a tensor of known rank: no value can be made up for it")
    shape = [size if isinstance(size, int) and size >= 0 else UNBOUND for size in value.shape]
    if value.dtype.is_floating_point():
        numbers = rng.integers(-3, 4, shape) if kind == "whole" else rng.standard_normal(shape)
    elif value.dtype == ir.DataType.BOOL:
        numbers = rng.integers(0, 2, shape)
    elif value.dtype.is_integer():
        numbers = rng.integers(*_range(value, ir_version), shape)
    else:
        raise UnsupportedError(f"input {value.name!r} holds {value.dtype.name}: no value can be made up for it")
    return np.asarray(numbers).astype(value.dtype.numpy())


def _range(value: ir.Value, ir_version: int) -> tuple[int, int]:
    assert value.dtype is not None
    for use in value.uses():
        table = (
            constant_tensor(use.node.inputs[0], ir_version) if use.node.op_type == "Gather" and use.idx == 1 else None
        )
        if table is not None:
            axis = use.node.attributes["axis"].as_int() if "axis" in use.node.attributes else 0
            return 0, max(1, int(table.shape.numpy()[axis]))
    if value.dtype.bitwidth == 8:
        info = np.iinfo(value.dtype.numpy())
        return int(info.min), int(info.max) + 1
    return 0, 2
