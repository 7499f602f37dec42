"""Operations of several elements, and several works together."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.operators.work import Operations  # noqa: E402  # the same
from onnxtile.torch_frontend.aten.counting import NOTHING, aten, named, sum_of, times  # noqa: E402  # the same


def test_operations_are_multiplied_and_added() -> None:
    one = Operations(1, 2, 0, 3)
    assert times(4, one) == Operations(4, 8, 0, 12)
    assert sum_of(one, one, NOTHING) == times(2, one)


def test_operators_with_one_formula() -> None:
    def nothing(call: Any) -> Operations:
        return NOTHING

    assert aten("mm bmm") == ["aten.mm", "aten.bmm"]
    assert named("mm bmm", nothing) == {"aten.mm": nothing, "aten.bmm": nothing}
