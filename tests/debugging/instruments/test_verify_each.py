"""The first pass that changes numbers is named, whatever it says of itself."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx_ir.passes.common import IdentityEliminationPass

import onnxtile
from onnxtile.debugging.instruments.verify_each import VerifyEach
from onnxtile.errors import PassError
from onnxtile.passes.manager import PassManager
from tests.planted import GOOD, Denies, network
from tests.support import matmul, parse


@pytest.mark.parametrize(
    "name", ["DropsTheLastTile{max=4,4,4}", "SwapsSub", "ForgetsTheBias", "IgnoresTransB", "LosesAlpha", "WrongAxis"]
)
def test_the_first_pass_that_changes_numbers_is_named(name: str) -> None:
    manager = PassManager(f"infer-shapes,tests.planted:{name},decompose-gemm", instruments=[VerifyEach()])
    words = f"^pass {name.partition('{')[0]} left a model that isn't equivalent: [A-Z]\\w+ '\\w+': "
    with pytest.raises(PassError, match=words):
        manager(ir.from_proto(network()))


def test_passes_that_keep_the_numbers_are_let_through() -> None:
    verifying = VerifyEach(cases=2)
    manager = PassManager(f"bind-dims{{b=6}},{GOOD},unroll-tiles", instruments=[verifying])
    assert manager(ir.from_proto(matmul(["b", 8], [8, 8], ["b", 8]))).modified
    assert verifying.verified == sum(step.modified for step in manager.steps)


DENIED = {
    "swaps": "that isn't equivalent \\(the pass says that it changed nothing\\): Sub 'less'",
    "weights": "that isn't equivalent \\(the pass says that it changed nothing\\): ",
    "in place": "that isn't equivalent \\(the pass says that it changed nothing\\): ",
    "dangles": "invalid model: .* \\(the pass says that it changed nothing\\)",
}


@pytest.mark.parametrize("how", DENIED)
def test_a_pass_that_denies_its_change_is_compared_too(how: str) -> None:
    model = ir.from_proto(network())
    value = model.graph.initializers["u"]
    assert value.const_value is not None
    value.const_value = ir.tensor(np.tile(value.const_value.numpy(), (1, 1)).copy(), name="u")  # that can be written to
    manager = PassManager([Denies(how)], instruments=[VerifyEach()])
    with pytest.raises(PassError, match=f"^pass Denies left a[n]? ?.*{DENIED[how]}"):
        manager(model)


@pytest.mark.parametrize("how", ["renames", "annotates"])
def test_a_pass_that_denies_a_harmless_change_is_named(how: str) -> None:
    verifying = VerifyEach()
    manager = PassManager(["infer-shapes", Denies(how), "decompose-gemm"], instruments=[verifying])
    manager(ir.from_proto(network()))
    assert verifying.unreported == {1}
    PassManager(["infer-shapes", Denies("nothing")], instruments=[verifying])(ir.from_proto(network()))
    assert verifying.unreported == set()


class Functional(ir.passes.FunctionalPass):
    """Gives another model than it got, as passes of others do."""

    def __init__(self, wrong: bool) -> None:
        self.wrong = wrong

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        copy = model.clone()
        if self.wrong:
            Denies("swaps")(copy)
        return ir.passes.PassResult(copy, modified=False)


def test_functional_passes_and_those_of_onnx_ir_are_compared() -> None:
    verifying = VerifyEach()
    PassManager([Functional(wrong=False), IdentityEliminationPass(), "infer-shapes"], instruments=[verifying])(
        ir.from_proto(network())
    )
    assert verifying.unreported == set()
    with pytest.raises(PassError, match="pass Functional left a model that isn't equivalent"):
        PassManager([Functional(wrong=True)], instruments=[verifying])(ir.from_proto(network()))


def test_what_cannot_be_verified_says_so() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[b,k] x, int64[1] rows) => (float[p,q] y)
        {
            seven = Constant <value_ints = [7]> ()  s = Concat <axis = 0> (rows, seven)
            h = Identity (x)  y = Reshape (h, s)
        }"""  # the shape is fed, and 7 divides what b * k are taken as
    )
    manager = PassManager([IdentityEliminationPass()], instruments=[VerifyEach()])
    with pytest.raises(onnxtile.UnsupportedError, match="can't be verified: no engine .*bind-dims{name=size}"):
        manager(ir.from_proto(model))
