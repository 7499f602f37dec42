"""Write values and attributes as text of bounded length; no tensor's numbers are read."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import onnx_ir as ir

from onnxtile.ir.printable import SHORT, printable

MOST_ITEMS = 16
"""Numbers or strings of a list, or axes of a shape, that are shown; what is longer ends in the number of the others."""
_LARGEST_FLOAT = float(np.finfo(np.float32).max)
_WRAPPERS: dict[type, str] = {ir.SequenceType: "sequence of ", ir.OptionalType: "optional "}


def value_text(value: ir.Value) -> str:
    """Return a value as `name: float32[1,3,224,224]`; see `type_text`."""
    return f"{printable(value.name or '(nameless)', SHORT)}: {type_text(value.type, value.shape)}"


def type_text(value_type: ir.TypeProtocol | None, shape: ir.Shape | None) -> str:
    """Return a type with its shape: free sizes by name, `?` where there is no name, `[...]` without a shape.

    >>> type_text(ir.TensorType(ir.DataType.FLOAT), ir.Shape(["batch", 3, None]))
    'float32[batch,3,?]'
    """
    return type_name(value_type) + shape_text(shape)


def type_name(value_type: ir.TypeProtocol | None) -> str:
    """Return a type without its shape: `float32`, `sequence of int64`; `?` where it isn't known."""
    before, inner = "", value_type
    while isinstance(inner, (ir.SequenceType, ir.OptionalType)) and len(before) < SHORT:
        before, inner = before + _WRAPPERS[type(inner)], inner.elem_type
    if isinstance(inner, ir.SparseTensorType):
        before += "sparse "
    return before + dtype_text(None if value_type is None else value_type.dtype)


def shape_text(shape: ir.Shape | None) -> str:
    """Return the axes of a value or tensor, as `type_text` shows them."""
    return "[...]" if shape is None else _list([dimension_text(dim) for dim in shape.dims[:MOST_ITEMS]], len(shape))


def dimension_text(dim: int | ir.SymbolicDim) -> str:
    """Return a size, a name or formula, or `?`."""
    return str(dim) if isinstance(dim, int) else "?" if dim.value is None else printable(dim.value, SHORT)


@lru_cache(maxsize=64)
def dtype_text(dtype: ir.DataType | None) -> str:
    """Return a type by numpy's name; `?` where it isn't known."""
    if dtype is None or dtype == ir.DataType.UNDEFINED:
        return "?"
    return "string" if dtype == ir.DataType.STRING else dtype.numpy().name


def attribute_text(attribute: ir.Attr) -> str:
    """Return an attribute's value: numbers and quoted strings, tensors by type and shape, graphs by their nodes.

    A reference says which attribute of the function around it it stands for.
    """
    if attribute.is_ref():
        return f"attribute {printable(str(attribute.ref_attr_name), SHORT)} of the function"
    value = attribute.value
    if isinstance(value, tuple):
        return _list([item_text(item) for item in value[:MOST_ITEMS]], len(value))
    return item_text(value)


def item_text(value: object) -> str:
    """Return a value of an attribute, or one of a list of them; see `attribute_text`."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):  # of 32 bits in a file: the shortest text that gives them
        return str(np.float32(value)) if abs(value) <= _LARGEST_FLOAT else str(value)
    if isinstance(value, str):
        return f'"{printable(value, SHORT)}"'
    if isinstance(value, bytes):
        return f"{printable(value[: SHORT + 1].hex(), SHORT)} ({len(value):,} bytes)"
    if isinstance(value, ir.Graph):
        return f"graph of {len(value):,} node{'' if len(value) == 1 else 's'}"
    if isinstance(value, ir.TensorProtocol):
        return dtype_text(value.dtype) + shape_text(value.shape)  # type: ignore[arg-type]  # onnx_ir's tensors have its shapes
    if isinstance(value, ir.TypeAndShape):
        return type_text(value.type, value.shape)
    return f"({type(value).__name__})"


def _list(shown: list[str], count: int) -> str:
    if count > MOST_ITEMS:
        shown = [*shown, f"... {count - MOST_ITEMS:,} more"]
    return f"[{','.join(shown)}]"
