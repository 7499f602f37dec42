"""Products with an empty axis, ahead of time or at run time: the original's answer, bit for bit, in every form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from tests.commands import FORMS, status
from tests.support import FLOAT, OLD_ONNXRUNTIME, run_onnxruntime, run_reference, whole

F32 = np.dtype(np.float32)
INFO = onnx.helper.make_tensor_value_info
Axes = Sequence[int | str]
LIMITS = [(4, 4, 4), (None, 4, 4), (4, None, None), (4, None, 4)]


class Case(NamedTuple):
    """Shapes as declared, and as fed: of A, of B, of their product."""

    a: Axes
    b: Axes
    c: Axes
    fed: Sequence[int]
    fed_b: Sequence[int] = ()
    op: str = "MatMul"


RUN_TIME = {
    "rows": Case(["m", 9], [9, 10], ["m", 10], [0, 9]),
    "rows of Gemm": Case(["m", 9], [9, 10], ["m", 10], [0, 9], op="Gemm"),
    "rows of Gemm, transposed": Case([9, "m"], [9, 10], ["m", 10], [9, 0], op="Gemm"),
    "batch": Case(["b", 6, 9], [9, 10], ["b", 6, 10], [0, 6, 9]),
    "batch of both": Case(["b", 6, 9], ["b", 9, 10], ["b", 6, 10], [0, 6, 9], [0, 9, 10]),
    "batch of B": Case([6, 9], ["b", 9, 10], ["b", 6, 10], [6, 9], [0, 9, 10]),
    "batch broadcast": Case([1, 6, 9], ["b", 9, 10], ["b", 6, 10], [1, 6, 9], [0, 9, 10]),
    "one of two batch axes": Case(["a", "b", 6, 9], [9, 10], ["a", "b", 6, 10], [2, 0, 6, 9]),
    "the other": Case(["a", "b", 6, 9], ["b", 9, 10], ["a", "b", 6, 10], [0, 3, 6, 9], [3, 9, 10]),
    "rows beside a batch": Case(["b", "m", 9], [9, 10], ["b", "m", 10], [3, 0, 9]),
    "rows beside batches of both": Case(["b", "m", 9], ["b", 9, 10], ["b", "m", 10], [3, 0, 9], [3, 9, 10]),
    "batch beside rows": Case(["b", "m", 9], [9, 10], ["b", "m", 10], [0, 7, 9]),
    "batch and rows": Case(["b", "m", 9], [9, 10], ["b", "m", 10], [0, 0, 9]),
    "batch of B beside rows": Case(["m", 9], ["b", 9, 10], ["b", "m", 10], [7, 9], [0, 9, 10]),
    "batch beside rows, by a vector": Case(["b", "m", 9], [9], ["b", "m"], [0, 7, 9], [9]),
    "rows beside a batch, by a vector": Case(["b", "m", 9], [9], ["b", "m"], [3, 0, 9], [9]),
    "a vector by a batch": Case([9], ["b", 9, 10], ["b", 10], [9], [0, 9, 10]),
}
AHEAD = {
    "M": Case([0, 9], [9, 10], [0, 10], [0, 9]),
    "K": Case([6, 0], [0, 10], [6, 10], [6, 0]),
    "K of Gemm": Case([6, 0], [0, 10], [6, 10], [6, 0], op="Gemm"),
    "K of a vector": Case([0], [0, 10], [10], [0]),
    "N": Case([6, 9], [9, 0], [6, 0], [6, 9]),
    "batch": Case([0, 6, 9], [0, 9, 10], [0, 6, 10], [0, 6, 9], [0, 9, 10]),
    "all": Case([0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]),
    "K beside a batch": Case(["b", 6, 0], [0, 10], ["b", 6, 10], [3, 6, 0]),
    "K beside an empty batch": Case(["b", 6, 0], [0, 10], ["b", 6, 10], [0, 6, 0]),
}


def model(case: Case, constant: bool, opset: int = 20) -> onnx.ModelProto:
    inputs, initializers = [INFO("x", FLOAT, case.a)], []
    if constant:
        initializers.append(numpy_helper.from_array(whole(list(map(int, case.b)), F32, 1), "w"))
    else:
        inputs.append(INFO("w", FLOAT, case.b))
    names, attributes = ["x", "w"], {}
    if case.op == "Gemm":
        names.append("bias")
        initializers.append(numpy_helper.from_array(whole([int(case.b[1])], F32, 2), "bias"))
        attributes = {"transA": int(case.a[0] == 9)}
    node = onnx.helper.make_node(case.op, names, ["y"], "p", **attributes)
    graph = onnx.helper.make_graph([node], "g", inputs, [INFO("y", FLOAT, case.c)], initializers)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


EMPTY = pytest.mark.skipif(OLD_ONNXRUNTIME, reason="onnxruntime before 1.24 spreads no axis over an empty one")


def same(case: Case, constant: bool, forms: Sequence[str], limits: Sequence[Sequence[int | None]], opset: int) -> None:
    original = model(case, constant, opset)
    feeds = {"x": whole(list(case.fed), F32, 3)}
    if not constant:
        feeds["w"] = whole(list(case.fed_b or map(int, case.b)), F32, 1)
    engines = (
        (run_onnxruntime, run_reference)
        if not OLD_ONNXRUNTIME or 0 not in (*case.fed, *case.fed_b)
        else (run_reference,)
    )
    (want,) = engines[0](original, feeds)
    # where a batch is empty, what onnx.reference makes of a Loop's outputs takes a Reshape that opset 14 brought
    stacks = opset >= 14 or 0 not in case.fed[:-2]
    for form in forms:
        for limit in limits:
            lowered = onnxtile.lower(original, limit, form=form)
            for run in engines if form != "loop" or stacks else engines[:1]:
                if run is run_reference and form == "loop" and not stacks:
                    continue  # the only engine, and it errs
                (got,) = run(lowered, feeds)
                assert got.shape == want.shape
                np.testing.assert_array_equal(got, want)


def constants(case: Case) -> list[bool]:
    return [True, False] if all(isinstance(size, int) for size in case.b) else [False]


@pytest.mark.parametrize("name", RUN_TIME)
def test_at_run_time(name: str) -> None:
    case = RUN_TIME[name]
    for constant in constants(case):
        same(case, constant, FORMS, LIMITS[:2] if constant else LIMITS[1:], 20)


@pytest.mark.parametrize("name", AHEAD)
def test_ahead_of_time(name: str) -> None:
    case = AHEAD[name]
    for constant in constants(case):
        same(case, constant, FORMS, LIMITS[:2], 20)
        assert onnxtile.verify(model(case, constant), onnxtile.lower(model(case, constant), LIMITS[0])).equivalent


@pytest.mark.parametrize("opset", [11, 13])
def test_in_older_opsets(opset: int) -> None:
    for name in ("rows", "batch and rows", "batch beside rows, by a vector"):
        same(RUN_TIME[name], False, FORMS[1:], LIMITS[:2], opset)


@pytest.mark.parametrize("name", ["rows", "rows of Gemm", "batch and rows", "batch beside rows, by a vector"])
def test_other_lengths_are_right_too(name: str) -> None:
    case = RUN_TIME[name]
    for rows in (1, 4, 5, 8):
        fed = [rows if axis == "m" else 2 if axis == "b" else int(axis) for axis in case.a]
        same(case._replace(fed=fed), False, FORMS[1:], [(4, 4, 4), (None, 4, 4)], 20)


def test_full_tiles() -> None:
    for name in ("rows", "batch and rows"):
        original = model(RUN_TIME[name], True)
        for form in FORMS[1:]:
            lowered = onnxtile.lower(original, (4, 4, 4), form=form, pad_tiles=True)
            run = run_reference if OLD_ONNXRUNTIME else run_onnxruntime
            assert run(lowered, {"x": np.zeros(RUN_TIME[name].fed, F32)})[0].size == 0


@EMPTY
def test_every_command_on_an_empty_batch(tmp_path: Path) -> None:
    path, output = tmp_path / "m.onnx", tmp_path / "o.onnx"
    onnx.save(model(RUN_TIME["batch and rows"], True), path)
    for form in ("batched", "loop"):
        assert status("lower", path, "--max", "4,4,4", "--form", form, "-o", output, "--verify") == 0
        for sizes in (["--bind", "b=0", "--bind", "m=0"], ["--bind", "m=0"]):
            assert status("verify", path, output, *sizes) == 0
            assert status("verify", path, output, "--method", "bound", *sizes) == 0
            assert status("check", output, "--max", "4,4,4", *sizes) == 0
            assert status("profile", output, *sizes) == 0
            assert status("capture", output, "--name", "p", *sizes) == 0


def test_sizes_and_costs_stay_formulas() -> None:
    """What's added for no rows doesn't hide how much there is for some."""
    original = model(RUN_TIME["batch and rows"], True)
    for form in FORMS[1:]:
        lowered = onnxtile.lower(original, (4, 4, 4), form=form)
        (row,) = onnxtile.check(lowered, (4, 4, 4)).contractions
        assert (row.m, row.k, row.n) == (4, 4, 4)
        if form != "loop":
            assert str(onnxtile.profile(lowered).totals.macs) == "576*b*floor(m/4 + 3/4)"
        assert onnxtile.profile(lowered, bind={"b": 1, "m": 8}).totals.macs == 1152
        assert onnxtile.profile(lowered, bind={"b": 1, "m": 0}).totals.macs == (576 if form == "loop" else 0)
