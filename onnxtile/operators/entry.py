"""A line of the table of operators that hold matrix products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.operators.sizes import Size


@dataclass(frozen=True)
class Entry:
    """An operator's family and how the sizes of its products follow from its operands.

    `sizes`: the products by name, '' for an only one; None: not told, and `reason` says why. `formula` says the same in
    words, for people. `lowered_by` names the pass that brings it within limits; None: it's reported only. `refused`
    says in words what isn't lowered, or why nothing is.
    """

    family: str
    sizes: Callable[[ir.Node], Mapping[str, Size]] | None = None
    formula: str = ""
    lowered_by: str | None = None
    reason: str = "isn't sized yet"
    refused: str = ""


def one(
    family: str, size: Callable[[ir.Node], Size], formula: str, lowered_by: str | None = None, refused: str = ""
) -> Entry:
    """An operator that is one product."""
    return Entry(family, lambda node: {"": size(node)}, formula, lowered_by, refused=refused)
