"""Tensors in lists, tuples and dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch


def tensors_in(nested: object) -> Iterator[torch.Tensor]:
    """Yield the tensors in lists, tuples and dicts, in order."""
    if isinstance(nested, torch.Tensor):
        yield nested
    elif isinstance(nested, (list, tuple)):
        for item in nested:
            yield from tensors_in(item)
    elif isinstance(nested, Mapping):
        for item in nested.values():
            yield from tensors_in(item)


def replaced(nested: Any, kind: type, replacement: Callable[[Any], Any]) -> Any:
    """Return the same lists, tuples and dicts with replacements of all items of a type; untouched ones as they are."""
    if isinstance(nested, kind):
        return replacement(nested)
    if isinstance(nested, (list, tuple)):
        items = [replaced(item, kind, replacement) for item in nested]
        return type(nested)(*items) if hasattr(nested, "_fields") else type(nested)(items)
    if isinstance(nested, Mapping):
        entries = {key: replaced(item, kind, replacement) for key, item in nested.items()}
        return nested if all(entries[key] is item for key, item in nested.items()) else entries
    return nested
