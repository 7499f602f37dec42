"""Products of a model, and what is said of operators that nobody knows."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.lowering.report import Row
from onnxtile.operators.contractions import contractions
from tests.support import node_model, parse


def rows_of(model: onnx.ModelProto) -> list[Row]:
    return list(onnxtile.check(model, (1, 1, 1), ops="all").contractions)


@pytest.mark.parametrize(
    ("op", "domain", "words"),
    [
        ("Mystery", "acme", "domain acme isn't known: whether Mystery holds a product can't be told"),
        ("Mystery", "com.microsoft", "Mystery isn't among the operators known of com.microsoft: whether it holds"),
        ("MatMul", "acme", "domain acme isn't known: whether MatMul holds a product can't be told"),
    ],
)
def test_what_nobody_knows_is_unknown(op: str, domain: str, words: str) -> None:
    model = node_model(op, [[2, 2]], [2], domain=domain)
    (row,) = rows_of(model)
    assert (row.op, row.status, row.family) == (op, "unknown", "other")
    assert words in str(row.reason)
    assert not onnxtile.check(model, (1, 1, 1), ops="all").ok
    (row,) = onnxtile.check(model, (1, 1, 1), ops="matmul").contractions
    assert row.status == "not-asked"
    report, _ = onnxtile.estimate(model, (1, 1, 1), ops="all")
    (row,) = report.contractions
    assert row.status == "unknown"
    assert words in str(row.reason)


def test_a_newer_operator_of_onnx_is_unknown() -> None:
    model = ir.from_proto(node_model("Newest", [[2, 2]], [2]))
    (found,) = contractions(model)
    assert found.family == "other"
    assert found.reason == "Newest isn't among the operators known of ai.onnx: whether it holds a product can't be told"


def test_a_local_function_is_known_by_its_body() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>
        g (float[4,4] x, float[4,4] w) => (float[4,4] y) { y = acme.Mystery (x, w) }
        <opset_import: ["" : 17], domain: "acme"> Mystery (a, b) => (c) { [inside] c = MatMul (a, b) }"""
    )
    for ops in ("matmul", "all"):
        (row,) = onnxtile.estimate(model, (8, 8, 8), ops=ops)[0].contractions
        assert (row.name, row.status) == ("inside", "fits")


def test_operators_without_a_product_are_none() -> None:
    assert rows_of(node_model("BiasGelu", [[2, 2], [2]], [2], domain="com.microsoft")) == []
    assert rows_of(node_model("Relu", [[2, 2]], [2])) == []
