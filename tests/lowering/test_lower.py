"""Lowering a model: what comes back, what stays as it was, and what is in the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.lowering.lower import estimate, lower, lowering_to
from onnxtile.lowering.options import LoweringOptions
from tests.support import assert_verified, matmul, operators, parse

OPTIONS = LoweringOptions.of((4, 4, 4))


def test_a_model_of_the_kind_that_was_given_and_a_report() -> None:
    model = matmul([5, 6], [6, 7], [5, 7])
    before = model.SerializeToString()
    lowered, report = lower(model, OPTIONS)
    assert isinstance(lowered, onnx.ModelProto)
    assert model.SerializeToString() == before
    assert report().nodes_after == len(lowered.graph.node)
    as_ir, _ = lower(ir.from_proto(model), OPTIONS)
    assert isinstance(as_ir, ir.Model)
    assert [node.op_type for node in as_ir.graph] == operators(lowered)


def test_a_file_is_there_when_the_block_ends(tmp_path: Path) -> None:
    output = tmp_path / "o.onnx"
    with lowering_to(matmul([5, 6], [6, 7], [5, 7]), output, OPTIONS) as (beside, report):
        assert not output.exists()
        assert beside.parent == tmp_path
        assert report.ok
    assert onnxtile.check(output, (4, 4, 4)).ok
    with pytest.raises(RuntimeError), lowering_to(matmul([8, 8], [8, 8], [8, 8]), output, OPTIONS):
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["o.onnx"]


def test_an_estimate_writes_nothing_and_says_what_lower_does() -> None:
    model = matmul([5, 6], [6, 7], [5, 7])
    report, costs = estimate(model, OPTIONS)
    _, lowered = lower(model, OPTIONS)
    assert report.contractions == lowered().contractions
    by_form = {cost.form: cost.nodes for cost in costs}
    assert by_form["unrolled"] == lowered().nodes_after


def test_declared_shapes_are_neither_lost_nor_added() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[n,8] x) => (float[n,8] y)
        <float[n,8] a> { a = Relu (x)  b = MatMul (a, w)  y = Neg (b) }""",
        w=np.ones([8, 8], np.float32),
    )
    lowered, _ = lower(model, LoweringOptions.of((None, 4, 4)))
    assert [value.name for value in lowered.graph.value_info] == ["a"]
    assert lowered.graph.output == model.graph.output


def test_a_model_within_the_limits_comes_back_as_it_was() -> None:
    model = matmul([4, 4], [4, 4], [4, 4])
    lowered, report = lower(model, OPTIONS)
    assert lowered == model
    assert [row.status for row in report().contractions] == ["fits"]


def test_what_cannot_be_lowered_stays_and_says_why() -> None:
    model = matmul(["n", 8], [8, 8], ["n", 8])
    lowered, report = lower(model, OPTIONS)
    assert lowered == model
    (row,) = report().contractions
    assert (row.status, row.reason) == (
        "refused",
        "symbolic-m: M is 'n'; bind it with --bind n=INT, leave M unlimited (--max *,K,N), or take --form batched",
    )  # fmt: skip


SMALL = """<ir_version: 8, opset_import: ["" : 17]>
g (float[1,4,8,8] x, float[6,1,4] s) => (float[1,5] y, float[6,1,1,3] h) {
   [conv] a = Conv <pads = [1,1,1,1], group = 2> (x, w)  [deep] b = Conv <group = 4> (a, d)
   c = GlobalAveragePool (b)  f = Flatten (c)  [fc] y = Gemm (f, v)  [rnn] h = LSTM <hidden_size = 3> (s, i, r) }"""
WEIGHTS = {"w": [4, 2, 3, 3], "d": [4, 1, 3, 3], "v": [4, 5], "i": [1, 12, 4], "r": [1, 12, 3]}


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop", "function"])
def test_an_engine_of_products_alone_gets_no_other_operator(form: str) -> None:
    """Every operator's products are within the limits, so that `lower` leaves them without `:matmul`."""
    rng = np.random.default_rng(0)
    weights = {name: rng.integers(-3, 4, shape).astype(np.float32) for name, shape in WEIGHTS.items()}
    model = parse(SMALL, **weights)
    assert [row.status for row in onnxtile.check(model, "*,64,64").contractions] == ["fits"] * 5
    lowered, report = onnxtile.lower(model, "*,64,64:matmul", form=form, report=True)
    assert report.ok
    assert not {node.op_type for node in lowered.graph.node} & {"Conv", "Gemm", "LSTM"}
    assert_verified(model, lowered)
