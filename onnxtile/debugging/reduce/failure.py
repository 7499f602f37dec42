"""Tell whether passes fail on a model, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.debugging.reduce.checks import Check
from onnxtile.errors import OnnxtileError, PassError
from onnxtile.ir.io.checker import check_structure, one_line
from onnxtile.ir.io.load import copy_of
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.manager import PassManager, is_refusal

WRONG = "wrong"


@dataclass(frozen=True)
class Failure:
    """`kind`: what a pass raised, by the name of its type, or `wrong` where the model that it left is.

    `compared`: there is a valid model, and the check said no.
    """

    kind: str
    words: str
    compared: bool = False


def failure_of(original: ir.Model, passes: Sequence[ir.passes.PassBase], check: Check) -> Failure | None:
    """Return how the passes fail on a copy of the model; None: all is well.

    Raises one of our errors where that can't be told: the model is invalid, a pass refuses it, nothing can be compared.
    """
    check_structure(original)
    lowered = copy_of(original)
    try:
        lowered = PassManager(passes, check=False)(lowered).model
    except OnnxtileError as error:
        if is_refusal(error):
            raise
        cause = error.__cause__ if isinstance(error, PassError) and error.__cause__ else error
        return Failure(type(cause).__name__, str(error))
    try:
        check_structure(lowered)
    except Exception as error:  # a broken graph may trip whoever walks it
        return Failure(WRONG, f"the model is invalid: {one_line(error)}")
    wrong = check(original, lowered, sizes_of(passes))
    return None if wrong is None else Failure(WRONG, wrong, compared=True)


def sizes_of(passes: Sequence[ir.passes.PassBase]) -> dict[str, int]:
    """Return the sizes that bind-dims gives to free dimensions."""
    sizes: dict[str, int] = {}
    for pass_ in passes:
        sizes |= pass_.sizes if isinstance(pass_, BindDims) else {}
    return sizes
