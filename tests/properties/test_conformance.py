"""onnx's own backend cases of every operator with a product, lowered: outputs as stored, within the case's tolerance.

Attention's cases are in test_attention; its bodies written out (`*_expanded`) are among these.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

import onnxtile
from onnxtile.operators.table import PRODUCTS
from tests.support import run_onnxruntime, run_reference

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
LIMITS = [(1, 1, 1), (2, 3, 2), (4, 4, 4)] if LONG else [(2, 3, 2)]
ASKED = ("matmul", "conv", "rnn", "attention", "other")
KINDS = ("node", "pytorch-converted", "pytorch-operator", "simple")
NARROW = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Two units in the last place: partial products of a narrow type are rounded, for which the cases leave no room."""
ROUNDED = frozenset(
    f"test_attention_{name}_expanded"
    for name in (
        "3d_causal_bf16", "4d_attn_mask_causal_bf16", "4d_causal_bf16", "4d_causal_fp16", "4d_causal_padded_kv_bf16",
        "4d_fp16", "4d_gqa_with_past_and_present_fp16", "4d_padded_kv_bf16",
    )
)  # fmt: skip
"""Cases in which that shows; all others keep to the case's own tolerance."""
REASONS = (
    "dtype: A's scale 'a_scale' isn't float; only that is lowered",
    "dtype: BFLOAT16 isn't tiled",
    "opset: opset 6 isn't one of 7 to 28; convert the model (onnx.version_converter)",
    "symbolic-n: N is 'unk__11'",
    "_expanded_function_theta_3d' takes is only known at run time",  # an If
    "AffineGrid isn't lowered yet",
    "CausalConvWithState isn't lowered: its windows carry a state from one call to the next",
    "DeformConv isn't lowered: its windows are interpolated",
    "opset: opset 10 lacks Pad of integers; convert to 11 or newer",
    " is known only at run time",
    "it stands for derivatives of other nodes, products included",
    "opset: opset 10 pads no bytes, which form batched does; take form unrolled",
)
"""Why some are refused; docs/operators.md says it by operator."""


def operators(graph: onnx.GraphProto) -> set[tuple[str, str]]:
    found = {(node.domain, node.op_type) for node in graph.node}
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                found |= operators(inner)
    return found


def cases() -> dict[str, TestCase]:
    found: dict[str, TestCase] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx makes all its cases, some of which overflow on purpose
        every = [case for kind in KINDS for case in load_model_tests(kind=kind)]
    for case in every:
        attention = case.name.startswith("test_attention") and not case.name.endswith("_expanded")
        if not attention and operators(model_of(case).graph) & PRODUCTS.keys():
            found[case.name] = case
    return found


def model_of(case: TestCase) -> onnx.ModelProto:
    return case.model or onnx.load(Path(case.model_dir or "") / "model.onnx")


def data_of(case: TestCase) -> list[tuple[list[Any], list[Any]]]:
    if case.data_sets is not None:
        return [(list(inputs), list(outputs)) for inputs, outputs in case.data_sets]
    folders = sorted(Path(case.model_dir or "").glob("test_data_set_*"))
    return [(_read(folder, "input"), _read(folder, "output")) for folder in folders]


def _read(folder: Path, what: str) -> list[np.ndarray]:
    files = sorted(folder.glob(f"{what}_*.pb"), key=lambda path: int(path.stem.rpartition("_")[2]))
    return [numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes())) for file in files]


def layout(graph: onnx.GraphProto) -> tuple[Any, ...]:
    """Return what the nodes are, with their attributes' names, in every body: not their numbers and sizes."""
    return tuple(
        (
            node.domain, node.op_type, tuple(map(bool, node.input)), len(node.output),
            *sorted(
                (attribute.name, *(layout(inner) for inner in (attribute.g, *attribute.graphs)))
                for attribute in node.attribute
            ),
        )
        for node in graph.node
    )  # fmt: skip


def of_a_kind(model: onnx.ModelProto) -> tuple[Any, ...]:
    """Return what two cases have in common that differ in numbers alone: in none that's 1 or equal to another."""
    inputs = [value.type.tensor_type for value in model.graph.input]
    sizes = [size.dim_value for value in inputs for size in value.shape.dim]
    pattern = tuple(1 if size == 1 else -sizes.index(size) for size in sizes)
    types = tuple((value.elem_type, len(value.shape.dim)) for value in inputs)
    return layout(model.graph), types, pattern, str(model.opset_import)


def one_of_each(found: dict[str, TestCase]) -> dict[str, TestCase]:
    kinds: dict[tuple[Any, ...], str] = {}
    for name in sorted(found):
        kinds.setdefault(of_a_kind(model_of(found[name])), name)
    return {name: found[name] for name in kinds.values()}


CASES = cases() if LONG else one_of_each(cases())


def right(case: TestCase, model: onnx.ModelProto, run: Any) -> bool | None:
    """Return whether the model gives what the case stores; None where the engine can't run it."""
    own = {tensor.name for tensor in model.graph.initializer}
    fed = [value.name for value in model.graph.input]
    answers = []
    for inputs, outputs in data_of(case):
        names = fed if len(inputs) == len(fed) else [name for name in fed if name not in own]
        try:
            got = run(model, dict(zip(names, inputs, strict=True)))
        except Exception:  # engines raise what they like; a lowered model that can't be run isn't right
            return None
        sums = 2 * inputs[0].size * 2.0**-24 * float(np.abs(inputs[0]).sum()) if "_dft" in case.name else 0
        answers += [_close(case, *pair, sums) for pair in zip(got, outputs, strict=True)]
    return all(answers)


def _close(case: TestCase, got: Any, want: Any, sums: float = 0) -> bool:
    """`sums`: by how much two orders of a sum may differ, which is more than some cases of DFT leave room for."""
    if isinstance(want, list):
        return all(_close(case, *pair) for pair in zip(got, want, strict=True))
    if want.dtype.kind in "OSU":
        return bool((np.asarray(got) == want).all())
    rounded = NARROW[str(want.dtype)] if case.name in ROUNDED else 0
    wide = [np.asarray(each).astype(np.float64) for each in (got, want)]
    relative, absolute = max(case.rtol, rounded), max(case.atol, 1e-7, rounded, sums)
    return wide[0].shape == wide[1].shape and np.allclose(*wide, relative, absolute, equal_nan=True)


REVERSED = ("_bidirectional", "_reverse")
"""Cases whose steps run backwards, which onnx.reference's Scan doesn't."""
CROPPED = ("test_convtranspose_pads", "test_convtranspose_autopad_same")
"""Cases whose lowering takes elements off by negative amounts of Pad, which onnx.reference doesn't."""


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_case_lowered(name: str, limits: tuple[int, int, int]) -> None:
    case, model = CASES[name], model_of(CASES[name])
    lowered = onnxtile.lower(model, limits, ops="all")
    still = onnxtile.check(lowered, limits, ops=ASKED)
    if still.over or still.unknown:
        report = onnxtile.estimate(model, limits, ops="all")[0]
        left = [row for row in report.contractions if row.status not in ("tiled", "fits") and row.family in ASKED]
        assert not [row for row in left if not str(row.reason).endswith(REASONS)]
        assert {row.op for row in (*still.over, *still.unknown)} <= {row.op for row in left}
    if lowered != model:
        engines = (run_onnxruntime,) if name.endswith(REVERSED) or name in CROPPED else (run_reference, run_onnxruntime)
        able = [run for run in engines if right(case, model, run)]
        if not able:
            pytest.skip("neither engine gives what the case stores: nothing to compare with")
        for run in able:
            assert right(case, lowered, run)
