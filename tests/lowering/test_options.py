"""One object says how to lower; what can't be is refused when it's made."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from onnxtile.errors import PluginWarning, UsageError
from onnxtile.lowering.options import LoweringOptions, plugged_passes
from onnxtile.operators.matmul import matmul
from onnxtile.operators.measures import X
from onnxtile.operators.registry import Facts, one_product
from onnxtile.operators.table import PLUGGED, Plugged
from onnxtile.operators.work import ELEMENTWISE
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


@pytest.mark.parametrize(
    ("lowered_by", "words"), [("gone", "'gone' is unknown"), ("infer-shapes", "'infer-shapes' is no subclass of Decom")]
)
def test_an_operator_of_a_plugin_whose_pass_cannot_be_had_is_named(
    lowered_by: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = one_product("matmul", matmul, "numpy.matmul", lowered_by)
    plugged = Plugged(Facts(products, ELEMENTWISE * X), EntryPoint("mine", "a:b", "onnxtile.operators"))
    monkeypatch.setitem(PLUGGED, ("npu", "Gated"), plugged)
    start = r"^plugin 'mine' \(onnxtile.operators\) is broken: what lowers Gated of domain npu: pass "
    with pytest.warns(PluginWarning, match=start + words):
        assert plugged_passes(["matmul"]) == []
    assert plugged_passes(["conv"]) == []


def test_auto_may_cut_what_batched_can() -> None:
    assert LoweringOptions.of((4, 4, 4), form="auto").ability == "batched"
    assert LoweringOptions.of((4, 4, 4), form="function").ability == "function"
