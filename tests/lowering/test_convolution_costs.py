"""Test that what ways to write convolutions cost is what they turn out to cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.ir.symbolic.amounts import total, with_sizes
from onnxtile.lowering.convolution_costs import ConvolutionCost, convolution_costs
from onnxtile.lowering.options import LoweringOptions
from tests.commands import Cli
from tests.support import operators, parse, whole

F32 = np.dtype(np.float32)
LIMITS = (8, 6, 2)


def network(batch: int | str = 2, length: int | str = 10) -> onnx.ModelProto:
    """Return two convolutions, one of them padded and fused, a depthwise one, a small one, and a product."""
    return parse(
        f"""<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]>
        g (float[{batch},4,{length}] x, float[9,8] p) => (float[o,4,m] a, float[1,1,1] s, float[9,9] z) {{
            b = Conv <group: int = 2> (x, v)
            d = Conv <group: int = 4, pads: ints = [1, 1]> (b, u)
            a = com.microsoft.FusedConv <pads: ints = [1, 0], activation: string = "Relu"> (d, w, c)
            s = Conv (t, t)
            z = MatMul (p, q)
        }}""",
        w=whole([4, 4, 3], F32, 1), c=whole([4], F32, 2), v=whole([4, 2, 3], F32, 3), u=whole([4, 1, 3], F32, 4),
        t=whole([1, 4, 1], F32, 5), q=whole([8, 9], F32, 6),
    )  # fmt: skip


def costs_of(model: Any, limits: Any = LIMITS, **how: Any) -> dict[str, ConvolutionCost]:
    report = onnxtile.estimate(model, limits)[0]
    found = convolution_costs(model, LoweringOptions.of(limits, **how), {}, report)
    return {cost.words: cost for cost in found}


WAYS: dict[str, Any] = {
    "--conv gemm --form unrolled": {"conv": "gemm"},
    "--conv gemm --form batched": {"conv": "gemm", "form": "batched"},
    "--conv split": {"conv": "split"},
    "--depthwise vector": {"depthwise": "vector"},
    "--depthwise keep": {"depthwise": "keep"},
    "--depthwise gemm --form unrolled": {"depthwise": "gemm"},
    "--depthwise gemm --form batched": {"depthwise": "gemm", "form": "batched"},
}


def test_the_estimate_is_what_it_becomes() -> None:
    model = network()
    costs = costs_of(model)
    assert list(costs) == list(WAYS)
    for words, how in WAYS.items():
        cost = costs[words]
        kept = {"depthwise": "keep"} if cost.option == "conv" else {}
        lowered = onnxtile.lower(model, LIMITS, **{**kept, **how})
        rows = [row for row in onnxtile.profile(lowered).nodes if (row.origin or row.name) in names(cost.option)]
        around = 1 if cost.option == "conv" else 0  # the Relu of the fused one
        assert cost.nodes == len([row for row in rows if not row.stored]) - around, words
        assert cost.calls == total(row.calls for row in rows), words
        if words != "--depthwise keep":
            assert cost.macs == total(row.macs for row in rows), words
        assert (cost.convolutions, cost.left) == (2 if around else 1, int(words == "--depthwise keep"))


def names(option: str) -> set[str]:
    """Return the names of the convolutions that an option is about: those of what they give."""
    return {"a", "b"} if option == "conv" else {"d"}


def test_sizes_that_run_time_knows() -> None:
    costs = costs_of(network("n"))
    fixed = costs_of(network(1))
    for words, cost in costs.items():
        assert with_sizes(cost.calls, {"n": 1}) == fixed[words].calls
    lengths = costs_of(network(2, "l"))
    assert lengths["--conv split"].left == 2
    assert lengths["--conv gemm --form unrolled"].nodes is None
    assert lengths["--conv gemm --form batched"].left == 0


@pytest.mark.parametrize(("limits", "is_offered"), [("8,6,2", True), ("8,6,2:matmul", False)])
def test_smaller_convolutions_are_no_choice_for_an_engine_that_runs_none(limits: str, is_offered: bool) -> None:
    report = onnxtile.check(network(), limits)
    found = convolution_costs(network(), LoweringOptions.of(limits), {}, report)
    assert any(cost.choice == "split" for cost in found) is is_offered
    assert {cost.choice for cost in found} >= {"gemm", "vector", "keep"}


def test_without_convolutions_beyond_the_limits_there_is_nothing_to_choose() -> None:
    assert costs_of(network(), (None, None, None)) == {}
    report = onnxtile.estimate(network(), LIMITS, ops="matmul")[0]
    assert convolution_costs(network(), LoweringOptions.of(LIMITS, ops="matmul"), {}, report) == []


@pytest.mark.parametrize("bodies", [False, True])
def test_where_convolutions_may_be(bodies: bool) -> None:
    text = """<ir_version: 8, opset_import: ["" : 18, "f" : 1]>
    g (float[1,2,6] x, float[2,2,3] w, bool c) => (float[1,2,4] z) {
        a = f.layer (x, w)
        y = If (c) <then_branch = g1 () => (float[1,2,4] p) { p = Conv (x, w) },
                    else_branch = g2 () => (float[1,2,4] q) { q = Neg (a) }>
        z = Add (a, y)
    }
    <opset_import: ["" : 18], domain: "f"> layer (u, v) => (t) { t = Conv (u, v) }"""
    costs = costs_of(onnx.parser.parse_model(text), (2, 3, 1))
    assert {cost.convolutions for cost in costs.values()} == {2}
    assert not any(cost.left for cost in costs.values())


def test_a_dry_run_shows_them(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(network(), path)
    _, shown, _ = cli("lower", path, "--max", "8,6,2", "--dry-run")
    assert all(f"\n{words} " in shown for words in WAYS)
    document = json.loads(cli("lower", path, "--max", "8,6,2", "--dry-run", "--json")[1])
    assert [(row["option"], row["choice"]) for row in document["convolutions"]][2:4] == [
        ("conv", "split"), ("depthwise", "vector")
    ]  # fmt: skip
    assert "convolutions" not in cli("lower", path, "--max", "*,*,*", "--dry-run")[1]
    assert operators(onnx.load(path)).count("Conv") == 3
