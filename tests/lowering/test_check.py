"""`check`: every product in every scope, against the limits."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.lowering.check import check
from tests.support import matmul, parse

CALLS = """<ir_version: 10, opset_import: ["" : 18, "l" : 1]>
g (float[8,8] x, float[4,8] z) => (float[8,8] y, float[4,8] u) {
   [first] y = l.f (x, w)  [second] u = l.f (z, w) }
<domain: "l", opset_import: ["" : 18]> f (a, b) => (c) { [inner] c = MatMul (a, b) }"""


def test_functions_are_looked_into_call_by_call() -> None:
    model = parse(CALLS, w=np.ones([8, 8], np.float32))
    report = check(model, (4, 8, 8))
    assert [(row.m, row.status) for row in report.contractions] == [(8, "over"), (4, "fits")]
    assert report.nodes_before == 3


def test_sizes_are_bound_in_the_check_alone() -> None:
    model = matmul(["n", 8], [8, 8], ["n", 8])
    before = model.SerializeToString()
    assert check(model, (4, 8, 8), bind={"n": 4}).ok
    assert [row.status for row in check(model, (4, 8, 8)).contractions] == ["unknown"]
    assert model.SerializeToString() == before
    with pytest.raises(UsageError, match="dimension 'q' isn't a free dimension"):
        check(model, (4, 8, 8), bind={"q": 4})


@pytest.mark.parametrize(
    ("ops", "status"), [("matmul", "over"), ("conv", "not-asked"), ("all", "over"), (["conv", "matmul"], "over")]
)
def test_families(ops: str | list[str], status: str) -> None:
    report = check(matmul([8, 8], [8, 8], [8, 8]), (4, 4, 4), ops=ops)
    assert [row.status for row in report.contractions] == [status]
    assert report.ok == (status == "not-asked")


def test_wrong_families_and_limits() -> None:
    model = matmul([8, 8], [8, 8], [8, 8])
    with pytest.raises(UsageError, match="operator family 'pool' is unknown: take one of matmul"):
        check(model, (4, 4, 4), ops="pool")
    with pytest.raises(UsageError, match="limit M is 0"):
        check(model, (0, 4, 4))
    assert onnxtile.check(model, "8,8,8").ok


def test_operators_that_the_engine_does_not_run_are_over() -> None:
    model = parse(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1,2,4,4] x, float[4,4] b) => '
        "(float[1,4,4,4] y, float[4,4] z)"
        " { [conv] y = Conv (x, w)  [gemm] a = Gemm (b, b)  [mm] z = MatMul (a, b) }",
        w=np.ones([4, 2, 1, 1], np.float32),
    )
    assert check(model, "*,8,8").ok
    rows = check(model, "*,8,8:matmul").contractions
    assert [(row.name, row.status, row.reason) for row in rows] == [
        ("conv", "over", "operator: the engine doesn't run Conv"),
        ("gemm", "over", "operator: the engine doesn't run Gemm"),
        ("mm", "fits", None),
    ]
    assert [row.status for row in check(model, engine="systolic-32").contractions] == ["over", "fits", "fits"]
