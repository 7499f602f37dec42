"""Operators of plugins are looked into where their declarations say what they stand for."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import PassError, UnsupportedError
from onnxtile.operators.measures import X
from onnxtile.operators.registry import Facts
from onnxtile.operators.table import OPERATORS
from onnxtile.operators.work import ELEMENTWISE
from onnxtile.verification.bodies import in_version, with_bodies
from tests.planted import SwapsSub

BODY = '<domain: "npu", opset_import: ["" : 13]> Gated (x, w, g) => (y) { p = MatMul (x, w)  y = Mul (p, g) }'
TEXT = """<ir_version: 8, opset_import: ["" : 17, "npu" : 1]>
net (float[2,3] x, float[3,4] w, float[2,4] g) => (float[2,4] z) { [gated] y = npu.Gated (x, w, g)  z = Sub (y, g) }"""


@onnxtile.rewrite("Gated", domain="npu")
def written_out(node, op):  # type: ignore[no-untyped-def]
    """Gated(x, w, g) := MatMul(x, w) * g."""
    x, w, g = node.inputs
    return op.Mul(op.MatMul(x, w), g)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATORS, ("npu", "Gated"), Facts(None, ELEMENTWISE * X, body=BODY))


@pytest.mark.usefixtures("declared")
def test_an_operator_with_a_body_is_proven_and_reduced() -> None:
    model = onnx.parser.parse_model(TEXT)
    manager = onnxtile.PassManager([written_out()])
    lowered = manager(ir.from_proto(model)).model
    assert onnxtile.verify(model, lowered).counts == {"proven": 1}
    found = onnxtile.reduce(model, [written_out(), SwapsSub()])
    assert found is not None and found.guilty == "tests.planted:SwapsSub"
    with pytest.raises(PassError, match="^pass SwapsSub left a model that isn't equivalent"):
        onnxtile.PassManager([written_out(), SwapsSub()], instruments=[onnxtile.instruments.VerifyEach()])(
            ir.from_proto(model)
        )


def test_one_without_is_unknown_and_the_cure_is_told() -> None:
    model = onnx.parser.parse_model(TEXT)
    words = "no engine has Gated of domain npu, so that it can't be run: give the model a function of that name, or"
    with pytest.raises(UnsupportedError, match=words):
        onnxtile.reduce(model, [written_out()])


@pytest.mark.usefixtures("declared")
def test_functions_of_the_model_itself_stay() -> None:
    model = onnx.parser.parse_model(TEXT)
    model.functions.append(onnx.parser.parse_function(BODY.replace("Mul (p", "Add (p")))
    assert with_bodies(model) is model
    del model.functions[:]
    assert [function.name for function in with_bodies(model).functions] == ["Gated"]
    assert not model.functions


def test_a_body_holds_while_its_operators_stay_as_they_are() -> None:
    assert in_version(BODY, 12) is None
    function = in_version(BODY, 20)
    assert function is not None and [each.version for each in function.opset_import] == [20]
    changed = '<domain: "npu", opset_import: ["" : 11]> Probable (x) => (y) { y = Softmax (x) }'
    assert in_version(changed, 12) is not None
    assert in_version(changed, 13) is None  # the default of its axis is another
    assert in_version(BODY.replace("Mul", "Mull"), 20) is not None  # for whoever runs it to refuse
