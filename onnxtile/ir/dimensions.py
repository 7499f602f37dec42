"""Find, name and bind a model's free dimensions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import onnx_ir as ir

from onnxtile.errors import UsageError, did_you_mean
from onnxtile.ir.graphs import defined_values
from onnxtile.ir.metadata import SPARSE_META

LARGEST = 2**63 - 1
"""The largest size that ONNX can hold."""

_NAME = re.compile(r"[A-Za-z_][\w.]*")
_PATH = re.compile(r"^/|/[A-Za-z_][\w.]*/|/[A-Za-z_]\w*_dim_\d+$")
"""A path, no quotient: torch's exporter names sizes so, such as Squeeze/model/Squeeze_output_0_dim_1."""
_FORMULA = re.compile(r"[\w.\s+*/(),-]{1,400}")


def free_dimensions(model: ir.Model) -> list[str]:
    """Return the names of the dimensions of the model's inputs that have no size, in order of appearance."""
    names: dict[str, None] = {}
    for value in fed_inputs(model):
        for dim in value.shape or ():
            if isinstance(dim, ir.SymbolicDim) and dim.value is not None:
                names |= dict.fromkeys(_symbols(dim) or [dim.value])
    return list(names)


def fed_inputs(model: ir.Model) -> list[ir.Value]:
    """Return the inputs that a caller must feed: those without an initializer, dense or sparse."""
    return [value for value in model.graph.inputs if not value.is_initializer() and SPARSE_META not in value.meta]


def name_free_dimensions(model: ir.Model) -> bool:
    """Give each nameless dimension of an input the name `input_axis`, so that it can be bound and spoken of.

    Nameless are dimensions without a name, of negative size, and those named without a letter or digit (`?`). Other
    names that are neither plain nor a formula are spelled with underscores. Returns whether anything changed.
    """
    changed = _map_dimensions(model, _readable)
    taken = {
        dim.value for _, value in defined_values(model) for dim in value.shape or () if isinstance(dim, ir.SymbolicDim)
    }
    for value in fed_inputs(model):
        dims = list(value.shape or ())
        for axis, dim in enumerate(dims):
            if isinstance(dim, ir.SymbolicDim) and dim.value is None:
                name = _spelled(f"{value.name}_{axis}")
                while name in taken:
                    name += "_"
                taken.add(name)
                dims[axis] = ir.SymbolicDim(name)
        changed |= _set_dimensions(value, dims)
    return changed


InputSizes = Mapping[str, Sequence["int | str"]]
"""The sizes of a model's inputs by name; of a free dimension the name that it's bound by."""


def input_sizes(model: ir.Model) -> dict[str, tuple[int | str, ...]]:
    """Return the sizes of the inputs that a caller must feed, those whose shapes are declared."""
    found = {}
    for value in fed_inputs(model):
        if value.shape is not None:
            dims = [dim if isinstance(dim, int) and dim >= 0 else _name_of(dim) for dim in value.shape]
            names = (_spelled(f"{value.name}_{axis}") for axis in range(len(dims)))
            found[str(value.name)] = tuple(name if dim is None else dim for dim, name in zip(dims, names, strict=True))
    return found


def _name_of(dim: int | ir.SymbolicDim) -> str | None:
    return None if isinstance(dim, int) else _readable(dim).value


def check_sizes_alike(original: InputSizes, lowered: InputSizes) -> None:
    """Raise UsageError, with sizes to bind, where an input may have any size in `original` and one in `lowered`."""
    found = [
        (name, axis, dim, size)
        for name, dims in original.items()
        if len(dims) == len(lowered.get(name, ()))
        for axis, (dim, size) in enumerate(zip(dims, lowered[name], strict=True))
        if isinstance(dim, str) and isinstance(size, int)
    ]
    if found:
        cure = {dim: size for _, _, dim, size in found}
        raise UsageError(free_in_one(*found[0][:2], found[0][3], cure))


def free_in_one(name: str, axis: int, size: int, cure: Mapping[str, object]) -> str:
    """Return the words for an axis of an input that has one size in the lowered model; `cure`: what to bind."""
    words = f"axis {axis} of {name!r} has any size in the original, and {size} in the lowered model"
    return f"{words}; if that's meant, say so: --bind {','.join(f'{dim}={bound}' for dim, bound in cure.items())}"


def still_free(model: ir.Model, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes whose names are among the model's free dimensions."""
    name_free_dimensions(model)
    known = free_dimensions(model)
    return {name: size for name, size in sizes.items() if _spelled(name) in known}


def bind_dimensions(model: ir.Model, sizes: Mapping[str, int]) -> bool:
    """Give free dimensions their sizes, in every value that mentions them; returns whether anything changed.

    Raises UsageError for a name that isn't among `free_dimensions`, and for a size that isn't 0 or more.
    """
    changed = name_free_dimensions(model)
    known = free_dimensions(model)
    numbers = {_spelled(name): size for name, size in sizes.items()}
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= LARGEST:
            raise UsageError(f"dimension {name!r} is bound to {size!r}: give a whole number, 0 or more")
        if _spelled(name) not in known:
            have = f"its free dimensions are {', '.join(known)}" if known else "all of its inputs have fixed shapes"
            words = f"dimension {name!r} isn't a free dimension of the model: {have}"
            raise UsageError(words + did_you_mean(name, known))

    def bound(dim: ir.SymbolicDim) -> int | ir.SymbolicDim:
        if dim.value in numbers:
            return numbers[dim.value]
        return _worked_out(dim, numbers) if numbers.keys() & set(_symbols(dim)) else dim

    return _map_dimensions(model, bound) or changed


def _worked_out(dim: ir.SymbolicDim, numbers: Mapping[str, int]) -> int | ir.SymbolicDim:
    """Return a formula with sizes put in; UsageError where no size comes out."""
    size = dim.evaluate(numbers)
    if isinstance(size, ir.SymbolicDim) and not numbers.keys() >= set(_symbols(dim)):
        return size
    if isinstance(size, ir.SymbolicDim) or not 0 <= size <= LARGEST:
        bound = ", ".join(f"{name}={numbers[name]}" for name in _symbols(dim))
        raise UsageError(f"dimension {dim.value!r} becomes {size} with {bound}; bind other sizes")
    return size


def _map_dimensions(model: ir.Model, change: Callable[[ir.SymbolicDim], int | ir.SymbolicDim]) -> bool:
    """Apply `change` to every dimension that has no size (a negative one is none); true if that changed any."""
    changed = False
    for _, value in defined_values(model):
        if value.shape is None or all(type(dim) is int and dim >= 0 for dim in value.shape.dims):
            continue  # mostly, and quick
        dims = [ir.SymbolicDim(None) if isinstance(dim, int) and dim < 0 else dim for dim in value.shape or ()]
        changed |= _set_dimensions(value, [change(dim) if isinstance(dim, ir.SymbolicDim) else dim for dim in dims])
    return changed


def _set_dimensions(value: ir.Value, dims: list[int | ir.SymbolicDim]) -> bool:
    if value.shape is None or dims == list(value.shape):
        return False
    value.shape = ir.Shape(dims, denotations=[value.shape.get_denotation(axis) for axis in range(len(dims))])
    return True


def _symbols(dim: ir.SymbolicDim) -> list[str]:
    """Return the names in a dimension; none where it isn't a name or a formula that can be read safely."""
    text = dim.value
    if text is None or _NAME.fullmatch(text):
        return [text] if text else []
    if not _FORMULA.fullmatch(text) or "**" in text or _PATH.search(text):
        return []
    try:
        return sorted(dim.free_symbols())
    except (ValueError, TypeError, ArithmeticError, RecursionError):
        return []


def symbols_of(dim: int | ir.SymbolicDim) -> list[str]:
    """Return the names in a size of any kind: itself where it's a name that can't be read as a formula."""
    if isinstance(dim, int) or dim.value is None:
        return []
    return _symbols(dim) or [dim.value]


def _readable(dim: ir.SymbolicDim) -> ir.SymbolicDim:
    if dim.value is None or _symbols(dim):
        return dim
    return ir.SymbolicDim(_spelled(dim.value) or None)


def _spelled(name: str) -> str:
    """Return the name with all but letters, digits, dots and underscores replaced; empty where nothing is left."""
    if not re.search(r"\w", name):
        return ""
    spelled = "".join(letter if letter.isalpha() or letter in "_.0123456789" else "_" for letter in name)
    return spelled if spelled[0].isalpha() or spelled[0] == "_" else f"_{spelled}"
