"""Test how passes fail on a model, so that one failure is told from another."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.debugging.reduce.checks import VerifyCheck
from onnxtile.debugging.reduce.failure import WRONG, failure_of, sizes_of
from onnxtile.errors import ModelError, PassError
from onnxtile.passes import BindDims, InferShapes
from tests.planted import Raises, SwapsSub, network


@pytest.mark.parametrize(
    ("guilty", "kind", "words", "compared"),
    [
        (Raises(), "KeyError", "pass Raises failed: KeyError: 'lost'", False),
        (Raises(how="dangles"), WRONG, "the model is invalid: Tanh 'tanh' reads 'nowhere'", False),
        (Raises(how="invalid"), WRONG, "the model is invalid: onnx's checker says: No Op registered", False),
        (SwapsSub(), WRONG, "Sub 'less': 'h3' isn't the same function of the operands", True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_kinds_of_failures(guilty: ir.passes.PassBase, kind: str, words: str, compared: bool) -> None:
    model = ir.from_proto(network())
    failure = failure_of(model, [InferShapes(), guilty], VerifyCheck(cases=1))
    assert failure is not None
    assert (failure.kind, failure.compared) == (kind, compared)
    assert failure.words.startswith(words)
    assert ir.to_proto(model) == ir.to_proto(ir.from_proto(network()))  # the passes ran on a copy


def test_no_failure_and_what_cannot_be_told() -> None:
    model = ir.from_proto(network())
    assert failure_of(model, [InferShapes()], VerifyCheck(cases=1)) is None
    with pytest.raises(PassError, match="pass Raises: not that"):
        failure_of(model, [Raises(how="refuses")], VerifyCheck())
    model.graph[0].op_type = "Nonesuch"
    with pytest.raises(ModelError, match="No Op registered for Nonesuch"):
        failure_of(model, [], VerifyCheck())


def test_sizes_that_passes_bind() -> None:
    assert sizes_of([InferShapes(), BindDims({"a": 1}), BindDims({"b": 2, "a": 3})]) == {"a": 3, "b": 2}
    assert sizes_of([]) == {}
