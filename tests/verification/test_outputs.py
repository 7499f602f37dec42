"""Each output is as bad as the worst region that bears on it."""

from __future__ import annotations

import onnx_ir as ir

import onnxtile
from onnxtile.verification.facts import Fact, Facts
from onnxtile.verification.opened import open_model
from onnxtile.verification.outputs import as_verdict, mistyped
from onnxtile.verification.pairing import Difference, pair
from tests.support import parse

HEAD = '<ir_version: 10, opset_import: ["" : 20]> g (float[2,2] x) => (float[2,2] p, float[2,2] q)'
ORIGINAL = parse(HEAD + "{ a = MatMul (x, x)  p = Neg (a)  q = MatMul (x, x) }")
WRONG = parse(HEAD + "{ a = MatMul (x, x)  p = Neg (a)  t = MatMul (x, x)  q = Neg (t) }")
WRONG_BEFORE = parse(HEAD + "{ t = MatMul (x, x)  a = Neg (t)  p = Neg (a)  q = MatMul (x, x) }")


def test_a_difference_bears_on_what_follows_from_it_alone() -> None:
    for lowered, right in ((WRONG, {"p": True, "q": False}), (WRONG_BEFORE, {"p": False, "q": True})):
        outputs = onnxtile.verify(ORIGINAL, lowered).outputs
        assert {output.name: output.equivalent for output in outputs} == right
        (reason,) = [output.reason for output in outputs if output.reason]
        assert "bears on it" in reason


def test_a_value_that_is_said_to_be_of_another_type_differs() -> None:
    lowered = parse(HEAD + "{ a = MatMul (x, x)  p = Neg (a)  q = MatMul (x, x) }")
    lowered.graph.value_info.add(name="a").type.tensor_type.elem_type = ir.DataType.INT64.value
    pairing = pair(open_model(ORIGINAL), open_model(lowered))
    (difference,) = mistyped(pairing, Facts({("", "a"): Fact(ir.DataType.FLOAT, (2, 2))}))
    assert difference.reason == "'a' is said to be INT64, and is FLOAT"
    assert list(mistyped(pairing, Facts({("", "a"): Fact(ir.DataType.INT64, (2, 2))}))) == []


def test_a_difference_without_numbers_is_a_verdict() -> None:
    verdict = as_verdict(Difference("n", "Add", "s", "why", ("n",)))
    assert (verdict.status, verdict.method, verdict.reason, verdict.where) == ("different", "structure", "why", ("n",))
