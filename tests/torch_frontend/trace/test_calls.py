"""Calls of operators: their arguments, and tensors without sizes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.torch_frontend.trace.calls import Call, ModuleCall, NoSizesError, Operator, Unsized  # noqa: E402  # the same

MODULE = ModuleCall("", "Net", None, leaf=False, layer=False, order=0)


def test_arguments_by_name_position_and_default() -> None:
    operator = Operator(torch.ops.aten.addmm.default)
    call = Call(operator, ["bias", "left", "right"], {"alpha": 2}, (), (), MODULE)
    assert (operator.name, operator.overload) == ("aten.addmm", "default")
    assert operator.has("mat1") and not operator.has("src")
    assert (call.argument("mat2"), call.argument("alpha"), call.argument("beta")) == ("right", 2, 1)
    assert call.named_arguments() == {"self": "bias", "mat1": "left", "mat2": "right", "alpha": 2}
    with pytest.raises(KeyError):
        call.argument("nonesuch")


def test_operators_that_write_in_place_go_by_the_same_name() -> None:
    operator = Operator(torch.ops.aten.relu_.default)
    assert (operator.name, operator.changes) == ("aten.relu", True)
    assert Operator(torch.ops.aten.__and__.Tensor).name == "aten.__and__"


def test_reading_a_size_that_there_isnt_says_so() -> None:
    with pytest.raises(NoSizesError, match="works on a nested tensor, whose sizes don't tell how much that is"):
        len(Unsized("nested"))
