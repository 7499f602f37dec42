"""Nodes around a value: who computes it, and who alone reads it."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.passes.rewrites.qdq import only_reader, producer_of
from tests.support import parse

TEXT = """<ir_version: 10, opset_import: ["" : 18, "own" : 1]> g (float[2] x, bool c) => (float[2] y, float[2] kept) {
   once = Relu (x)  twice = Relu (x)  kept = Relu (x)  second = Relu (x)  within = Relu (x)
   a = Neg (once)  b = Add (twice, twice)  d = Neg (kept)  e = Sub (a, second)  f = own.Neg (x)
   y = If (c) <then_branch = t () => (float[2] p) { p = Neg (within) },
               else_branch = s () => (float[2] q) { q = Identity (e) }> }"""


@pytest.mark.parametrize(
    ("value", "op_type", "reader"),
    [
        ("once", "Neg", "a"), ("once", "Abs", None), ("twice", "Add", None), ("kept", "Neg", None),
        ("second", "Sub", None), ("within", "Neg", None), ("a", "Sub", "e"),
    ],
)  # fmt: skip
def test_the_one_reader(value: str, op_type: str, reader: str | None) -> None:
    model = ir.from_proto(parse(TEXT))
    values = {str(output.name): output for node in model.graph for output in node.outputs}
    node = only_reader(values[value], op_type)
    assert (None if node is None else node.outputs[0].name) == reader


def test_the_producer() -> None:
    model = ir.from_proto(parse(TEXT))
    values = {str(output.name): output for node in model.graph for output in node.outputs}
    assert producer_of(values["a"], "Neg") is values["a"].producer()
    assert producer_of(values["a"], "Abs") is None
    assert producer_of(values["f"], "Neg") is None  # of another domain
    assert producer_of(model.graph.inputs[0], "Neg") is None
    assert producer_of(None, "Neg") is None
