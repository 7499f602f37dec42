"""Collect what shows a failure: inputs, and the folder that holds all that repeats it."""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxtile.debugging.reduce.checks import Check, CommandCheck, VerifyCheck
from onnxtile.debugging.reduce.failure import sizes_of
from onnxtile.debugging.reproducer import INPUTS, LOWERED, MODEL, write_model, write_report
from onnxtile.errors import OnnxtileError
from onnxtile.ir.io.files import new_folder
from onnxtile.ir.io.load import copy_of, read_external_data
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.inline import inlined
from onnxtile.passes.manager import PassManager
from onnxtile.passes.pipelines.pipeline import pipeline_text
from onnxtile.verification.inputs import feeds
from onnxtile.verification.verify import verify

if TYPE_CHECKING:
    from onnxtile.debugging.reduce.reducer import Reduction

Inputs = dict[str, np.ndarray]


def telling_inputs(
    original: ir.Model, lowered: ir.Model | None, sizes: Mapping[str, int], check: Check
) -> tuple[Inputs, bool]:
    """Return inputs for the model, none where none can be made; and whether `verify` says no on these alone.

    They are those that `verify` makes, in its order; the first where another check says no, or where there's nothing to
    compare (`lowered` is None).
    """
    how = check if isinstance(check, VerifyCheck) else VerifyCheck()
    rng, first = np.random.default_rng(how.seed), Inputs()
    try:
        bound = copy_of(original)
        PassManager([BindDims(sizes)], check=False)(bound)
        typed = inlined(bound)
        for case in range(how.cases):
            fed = feeds(typed, "whole" if case % 2 else "normal", rng)
            if any(array.dtype.isbuiltin != 1 for array in fed.values()):
                return Inputs(), False  # bfloat16 and its kin: an .npz file would lose their types
            first = first or fed
            if lowered is None or check is not how:
                break
            if not verify(original, lowered, cases=1, bind=sizes, inputs=fed).equivalent:
                return fed, True
    except OnnxtileError:  # made-up inputs aren't for every model, and what fails may be what makes them
        return first, False
    return first, False


def commands(
    folder: Path, passes: Sequence[ir.passes.PassBase], check: Check, inputs: bool, compared: bool
) -> list[str]:
    """Return command lines that repeat the failure of what's in the folder.

    `inputs`: with those that are there alone; `compared`: it takes the check to see it.
    """
    model, lowered = folder / MODEL, folder / LOWERED
    lines = [["onnxtile", "run", model, "--passes", pipeline_text(passes), "--form", "function", "-o", lowered]]
    if isinstance(check, CommandCheck) and compared:
        lines.append([*check.filled_in(model, lowered)])
    elif isinstance(check, VerifyCheck) and compared:
        how = ["--input", folder / INPUTS] if inputs else ["--cases", check.cases, "--seed", check.seed]
        sizes = (f"--bind={name}={size}" for name, size in sizes_of(passes).items())
        lines.append(["onnxtile", "verify", model, lowered, *how, *sizes])
    return [shlex.join(map(str, words)) for words in lines]


def write_folder(folder: Path, reduction: Reduction, valid: bool, run: Sequence[str]) -> None:
    """Write the reduced model, what passes make of it, inputs, report, and the commands to run.

    `valid`: what passes make of it is a valid model.
    """
    lowered = reduction.lowered
    with new_folder(folder) as temporary:
        write_model(reduction.model, temporary / MODEL)
        if lowered is not None and valid:
            write_model(lowered, temporary / LOWERED)
        elif lowered is not None:  # can't always be copied, which writing in pieces does
            read_external_data(lowered)
            (temporary / LOWERED).write_bytes(ir.to_proto(lowered).SerializeToString())
        if reduction.inputs:
            _write_inputs(reduction.inputs, temporary / INPUTS)
        write_report(temporary, reduction.to_json(), run)


def _write_inputs(inputs: Inputs, path: Path) -> None:
    """Write an .npz file; numpy's own savez takes no array of the name `file`."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in inputs.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
