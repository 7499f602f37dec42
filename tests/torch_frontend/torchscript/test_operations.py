"""Test what computes a node of a TorchScript graph, or why that isn't known."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.torch_frontend.torchscript.operations import is_container, operation  # noqa: E402  # the same


def nodes(text: str) -> list[Any]:
    return list(torch._C.parse_ir(text).nodes())


def test_operators_are_torchs_own() -> None:
    node = nodes("graph(%x : Tensor):\n  %y : Tensor = aten::relu(%x)\n  return (%y)")[0]
    function = operation(node)
    assert not isinstance(function, str)
    assert torch.equal(function(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))


def test_what_changes_a_list_is_refused_with_its_name() -> None:
    node = nodes("graph(%x : int[]):\n  %n : int = prim::Constant[value=1]()\n"
                 "  %y : int[] = aten::append(%x, %n)\n  return (%y)")[1]  # fmt: skip
    assert operation(node) == "aten::append changes a list, dict or object"


def test_types_that_are_passed_as_copies() -> None:
    list_of_tensors = torch._C.ListType(torch._C.TensorType.get())
    assert is_container(list_of_tensors)
    assert is_container(torch._C.TupleType([list_of_tensors]))
    assert not is_container(torch._C.TensorType.get())
