"""Test that what follows from constants is computed ahead of time; the rest becomes nodes that compute the same."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.passes.rewrites.arithmetic import Arithmetic, Term
from onnxtile.passes.rewrites.replacement import Replacement
from tests.support import parse, run_onnxruntime

INT32 = ir.DataType.INT32
X = np.array([[1, -2], [3, 2**31 - 9]], np.int32)
W = np.array([[5, 7], [0, 2**31 - 1]], np.int32)


def computed(constant: bool, opset: int, spell: str) -> tuple[np.ndarray, int]:
    """Return the result of one operation on X (a constant, or an input) and W, and how many nodes it took."""
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g (int32[2,2] x) => (int32[A,B] y) {{ y = Neg (x) }}'
    model = ir.from_proto(parse(text, w=W, c=X))
    node = model.graph[0]
    new = Replacement(node, Names(model))
    fold = Arithmetic(new, model, opset)
    x: ir.Value = model.graph.initializers["c"] if constant else model.graph.inputs[0]
    left, right = fold.term(x), fold.term(model.graph.initializers["w"])
    terms: dict[str, Term] = {}
    if spell == "sum":
        terms[spell] = fold.sum(left, "s", -1, INT32)
    elif spell == "reshape":
        terms[spell] = fold.reshape(left, "r", [4, 1], INT32)
    else:
        terms[spell] = fold.of(spell, "o", left, right, INT32)
    new.swap_in(fold.value(terms[spell], "result", INT32)) if not constant else None
    if constant:
        assert isinstance(terms[spell], np.ndarray)
        return terms[spell], len(new.nodes)  # type: ignore[return-value]  # as asserted
    return run_onnxruntime(ir.to_proto(model), {"x": X})[0], len(new.nodes)


@pytest.mark.parametrize("opset", [12, 13, 18])
@pytest.mark.parametrize("operation", ["Add", "Sub", "Mul", "sum", "reshape"])
def test_the_same_at_run_time_and_ahead_of_time(operation: str, opset: int) -> None:
    ahead, no_nodes = computed(True, opset, operation)
    at_run_time, nodes = computed(False, opset, operation)
    assert (no_nodes, nodes) == (0, 1)
    np.testing.assert_array_equal(ahead, at_run_time)  # integers wrap around in both


def test_a_number_keeps_no_axes() -> None:
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[2] x) => (float[2] y) { y = Neg (x) }'
    model = ir.from_proto(parse(text))
    fold = Arithmetic(Replacement(model.graph[0], Names(model)), model, 18)
    half = fold.of("Div", "o", np.array(1, np.float32), np.array(2, np.float32), ir.DataType.FLOAT)
    assert isinstance(half, np.ndarray)
    assert (half.shape, half.dtype, float(half)) == ((), np.float32, 0.5)
    wide = fold.cast(np.array([3], np.int8), "w", INT32)
    assert isinstance(wide, np.ndarray) and wide.dtype == np.int32
