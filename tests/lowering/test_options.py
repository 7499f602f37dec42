"""One object says how to lower; what can't be is refused when it's made."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.errors import UsageError
from onnxtile.lowering.options import LoweringOptions
from onnxtile.tiling.limits import Limits


def test_from_what_a_caller_has() -> None:
    options = LoweringOptions.of("4,*,4", ops="attention,matmul", external_data=True, align_data=64, form="loop")
    assert options.limits == Limits(4, None, 4)
    assert set(options.families) == {"attention", "matmul"}
    assert (options.data.always, options.data.align, options.form) == (True, 64, "loop")
    assert LoweringOptions.of((4, 4, 4)) == LoweringOptions(limits=Limits(4, 4, 4))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"form": "spiral"}, "form 'spiral' is unknown: take one of unrolled, batched, loop, function, auto"),
        ({"weights": "whole"}, "weights is 'whole': take one of pretile, split"),
        ({"accumulate": "trees"}, "accumulate is 'trees': take one of chain, tree, sum"),
        ({"max_fan_in": 1}, "fan"), ({"max_fan_out": 0}, "fan"),
        ({"splits": "cut"}, "splits is 'cut': take one of split, slice"),
        ({"ops": "pool"}, "operator family 'pool'"),
        ({"align_data": 3}, "alignment is 3: give a multiple of 4 bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        LoweringOptions.of((4, 4, 4), **wrong)


@pytest.mark.parametrize("limits", [{"max": "4,4,4:matmul"}, {"engine": "systolic-32"}])
def test_no_convolutions_are_written_for_an_engine_that_runs_none(limits: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"conv split writes convolutions, which .* doesn't run: leave it out"):
        LoweringOptions.of(**limits, conv="split")


def test_passes_follow_from_families() -> None:
    def names(ops: str) -> list[str]:
        return [type(step).__name__ for step in LoweringOptions.of((4, 4, 4), ops=ops).passes()]

    assert names("other") == ["DecomposeTransforms", "TileMatMul"]
    assert (names("conv")[0], names("conv")[-1]) == ("DecomposeFusedConvolution", "TileMatMul")
    assert (names("attention")[0], names("attention")[-1]) == ("DecomposeAttention", "TileMatMul")
    assert names("matmul")[-2:] == ["DecomposeGemm", "TileMatMul"]
    assert names("all")[0] == "DecomposeRecurrent"
    assert LoweringOptions.of((4, 4, 4)).pass_names()[:2] == ["bind-dims", "infer-shapes"]


def test_auto_may_cut_what_batched_can() -> None:
    assert LoweringOptions.of((4, 4, 4), form="auto").ability == "batched"
    assert LoweringOptions.of((4, 4, 4), form="function").ability == "function"
