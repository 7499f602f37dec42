"""Tensors are found and replaced in lists, tuples and dicts."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.torch_frontend.nesting import replaced, tensors_in  # noqa: E402  # the same


def test_tensors_in_order() -> None:
    a, b, c = torch.ones(1), torch.ones(2), torch.ones(3)
    assert [len(tensor) for tensor in tensors_in({"x": [a, (b, 7)], "y": None, "z": c})] == [1, 2, 3]


def test_replaced_tensors_keep_what_is_around_them() -> None:
    class Pair(NamedTuple):
        left: Any
        right: Any

    class Kept(dict[str, Any]):
        pass

    kept = Kept(number=1)
    nested = {"x": [torch.ones(1), Pair(torch.ones(2), "text")], "y": kept}
    found = replaced(nested, torch.Tensor, len)
    assert found == {"x": [1, Pair(2, "text")], "y": kept}
    assert isinstance(found["x"][1], Pair) and found["y"] is kept
