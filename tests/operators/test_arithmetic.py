"""Sums and quotients of sizes, some of them symbolic."""

from __future__ import annotations

from typing import Any

import pytest
from onnxtile.operators.arithmetic import quotient, total

from onnxtile.errors import ModelError
from tests.operators.nodes import node_of

NODE = node_of("Conv", [], [])


@pytest.mark.parametrize(
    ("summands", "result"), [([], "0"), ([1, 2], "3"), (["p", "t"], "p + t"), ([2, "n"], "n + 2"), ([1, None], "None")]
)
def test_sums(summands: list[Any], result: str) -> None:
    assert str(total(summands)) == result


@pytest.mark.parametrize(
    ("size", "by", "result"),
    [(6, 3, "2"), (0, 3, "0"), ("n", 1, "n"), ("n", 2, "n/2"), (None, 2, "None"), (6, None, "None")],
)
def test_quotients(size: Any, by: Any, result: str) -> None:
    assert str(quotient(NODE, "width", size, by)) == result


def test_quotients_are_whole() -> None:
    with pytest.raises(ModelError, match="its width, 7, isn't a multiple of 2"):
        quotient(NODE, "width", 7, 2)
    with pytest.raises(ModelError, match="its width is divided by 0, which isn't 1 or more"):
        quotient(NODE, "width", 7, 0)
