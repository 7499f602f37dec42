"""Inputs that show a failure, and the folder that holds all that repeats it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxtile.checking import inlined
from onnxtile.errors import OnnxtileError
from onnxtile.files import new_folder
from onnxtile.passes.bind_dims import BindDims
from onnxtile.pipeline import PassManager
from onnxtile.reduction.checks import Check, Command, Verified
from onnxtile.reduction.failing import sizes_of
from onnxtile.registry import pipeline_text
from onnxtile.reproducing import INPUTS, LOWERED, MODEL, write_model, write_report
from onnxtile.source import copy_of
from onnxtile.verification import verify
from onnxtile.verification.inputs import feeds

Inputs = dict[str, np.ndarray]


def telling_inputs(
    original: ir.Model, lowered: ir.Model | None, sizes: Mapping[str, int], check: Check
) -> tuple[Inputs, bool]:
    """Inputs for the model, and whether `verify` finds the models to differ on them alone; none where none can be made.

    They are those that `verify` makes, in its order; the first where another check says no, or where nothing was left
    to compare.
    """
    how = check if isinstance(check, Verified) else Verified()
    rng, first = np.random.default_rng(how.seed), Inputs()
    try:
        bound = copy_of(original)
        PassManager([BindDims(sizes)], check=False)(bound)
        typed = inlined(bound)
        for case in range(how.cases):
            fed = feeds(typed, "whole" if case % 2 else "normal", rng)
            first = first or fed
            if lowered is None or check is not how:
                break
            if not verify(original, lowered, cases=1, bind=sizes, inputs=fed).equivalent:
                return fed, True
    except OnnxtileError:  # made-up inputs aren't for every model, and what fails may be what makes them
        return first, False
    return first, False


def commands(folder: Path, passes: Sequence[ir.passes.PassBase], check: Check, inputs: bool, raises: bool) -> list[str]:
    """Command lines that repeat the failure of what's in the folder; `inputs`: with those that are there alone."""
    model, lowered = folder / MODEL, folder / LOWERED
    found = [["onnxtile", "run", model, "--passes", pipeline_text(passes), "--form", "function", "-o", lowered]]
    if isinstance(check, Command) and not raises:
        found.append([*check.filled_in(model, lowered)])
    elif isinstance(check, Verified) and not raises:
        how = ["--input", folder / INPUTS] if inputs else ["--cases", check.cases, "--seed", check.seed]
        sizes = (f"--bind={name}={size}" for name, size in sizes_of(passes).items())
        found.append(["onnxtile", "verify", model, lowered, *how, *sizes])
    return [shlex.join(map(str, words)) for words in found]


def write_folder(
    folder: Path,
    model: ir.Model,
    lowered: ir.Model | None,
    inputs: Inputs,
    report: Mapping[str, Any],
    run: Sequence[str],
) -> None:
    """Write the reduced model, what passes make of it, inputs, report, and the commands that repeat the failure."""
    with new_folder(folder) as temporary:
        write_model(model, temporary / MODEL)
        if lowered is not None:
            write_model(lowered, temporary / LOWERED)
        if inputs:
            np.savez(temporary / INPUTS, **inputs)  # type: ignore[arg-type]  # names are the model's, not options
        write_report(temporary, report, run)
