"""Operators that one formula counts."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.operators.work import NONE, Work  # noqa: E402  # the same
from onnxtile.torch_frontend.aten.counting import aten, named  # noqa: E402  # the same


def test_operators_with_one_formula() -> None:
    def nothing(call: Any) -> Work:
        return NONE

    assert aten("mm bmm") == ["aten.mm", "aten.bmm"]
    assert named("mm bmm", nothing) == {"aten.mm": nothing, "aten.bmm": nothing}
