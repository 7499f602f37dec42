"""Sizes reach every mention of a free dimension; wrong ones are refused."""

from __future__ import annotations

import pytest

from onnxtile.errors import UsageError
from onnxtile.ir.dimensions import bind_dimensions
from tests.ir.test_dimensions import with_dims


def test_binding_reaches_every_mention_and_works_formulas_out() -> None:
    model = with_dims("n", "2*n + k", "Dim.0")
    assert bind_dimensions(model, {"n": 3, "k": 1, "Dim.0": 5})
    assert list(model.graph.inputs[0].shape or ()) == [3, 7, 5]
    assert not bind_dimensions(model, {})


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"nope": 1}, "dimension 'nope' isn't a free dimension of the model: its free dimensions are n"),
        ({"n": -1}, "dimension 'n' is bound to -1: give a whole number, 0 or more"),
        ({"n": True}, "bound to True"),
    ],
)
def test_bad_bindings_are_refused(sizes: dict[str, int], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        bind_dimensions(with_dims("n", 2, 3), sizes)
