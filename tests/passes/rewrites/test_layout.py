"""Axes are brought into order by nodes at run time, or ahead of time, with the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.passes.rewrites.layout import Layout
from onnxtile.passes.rewrites.replacement import Replacement
from tests.support import parse, run_onnxruntime

X = np.arange(36, dtype=np.float32).reshape(3, 4, 3)
Change = Callable[[Layout], None]
CHANGES: dict[str, tuple[Change, np.ndarray]] = {
    "nothing": (lambda layout: layout.arrange("abc"), X),
    "order": (lambda layout: layout.arrange("cab"), X.transpose(2, 0, 1)),
    "sum": (lambda layout: layout.sum_over("b", 18), X.sum(1)),
    "merge": (lambda layout: layout.reshape([12, 3]), X.reshape(12, 3)),
    "order, then merge": (
        lambda layout: (layout.arrange("bac"), layout.reshape([4, 9]))[1],
        X.transpose(1, 0, 2).reshape(4, 9),
    ),
}


def laid_out(change: Change, letters: str, constant: bool) -> tuple[np.ndarray, list[str]]:
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[3,4,3] x) => (float y) { y = Neg (x) }'
    model = ir.from_proto(parse(text.replace("(float y)", "(float[A,B,C] y)"), c=X))
    model.graph.outputs[0].shape = None
    node = model.graph[0]
    new = Replacement(node, Names(model))
    source = model.graph.initializers["c"] if constant else model.graph.inputs[0]
    layout = Layout(source, letters)
    change(layout)
    value = layout.apply(new, "laid", source.const_value if constant else None)
    operators = [made.op_type for made in new.nodes]
    if constant:
        assert value.const_value is not None
        return value.const_value.numpy(), operators
    new.swap_in(new.node("Identity", "same", [value], shape=None))
    model.graph.outputs[0].shape = ir.Shape(layout.dims)
    return run_onnxruntime(ir.to_proto(model), {"x": X})[0], operators


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_layout(name: str) -> None:
    change, want = CHANGES[name]
    for constant in (False, True):
        got, operators = laid_out(change, "abc", constant)
        np.testing.assert_array_equal(got, want)
        assert operators == [] or not constant
    assert (name == "nothing") == (laid_out(change, "abc", constant=False)[1] == [])


def test_a_diagonal() -> None:
    want = np.diagonal(X, axis1=0, axis2=2)
    for constant in (False, True):
        got, _ = laid_out(lambda layout: layout.diagonal(), "aba", constant)
        np.testing.assert_array_equal(got, want)
