"""One side of a region is evaluated node by node, within bounds."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnxtile.errors import UnsupportedError
from onnxtile.verification.evaluator import MOST_TURNS, Evaluator
from onnxtile.verification.field import Field
from onnxtile.verification.value import UnprovenError, Value
from tests.support import parse

FIELD = Field(4)


def evaluator(**options: object) -> Evaluator:
    return Evaluator(FIELD, {}, {"": 20}, onnx.numpy_helper.to_array, **options)  # type: ignore[arg-type]


def inputs(**shapes: tuple[int, ...]) -> dict[str, Value]:
    return {name: Value(FIELD, ir.DataType.FLOAT, shape) for name, shape in shapes.items()}


def nodes(text: str, signature: str = "(float[2,3] x, float[3,4] w) => (float[2,4] y)") -> list[onnx.NodeProto]:
    return list(parse(f'<ir_version: 10, opset_import: ["" : 20]> g {signature} {{ {text} }}').graph.node)


def test_products_are_counted_with_their_sizes() -> None:
    run, names = evaluator(), inputs(x=(2, 3), w=(3, 4))
    run.run(nodes("y = MatMul (x, w)"), names)
    assert run.products == [(2, 3, 4)] and names["y"].shape == (2, 4)
    assert FIELD.equal(names["y"].lanes, FIELD.matmul(names["x"].lanes, names["w"].lanes)).all()


def test_an_operator_that_has_to_be_on_the_list_is_named() -> None:
    run = evaluator(refused=None)
    with pytest.raises(UnprovenError, match="Det isn't on the list"):
        run.run(nodes("y = Det (x)", "(float[2,2] x) => (float y)"), inputs(x=(2, 2)))


def test_what_is_not_on_the_list_is_a_function_of_all_it_gets() -> None:
    names = inputs(x=(2, 2), z=(2, 2))
    for text in ("a = Det (x)  b = Det (x)  c = Det (z)  y = Add (a, b)",):
        evaluator().run(nodes(text, "(float[2,2] x, float[2,2] z) => (float y)"), names)
    assert (names["a"].lanes == names["b"].lanes).all() and (names["a"].lanes != names["c"].lanes).any()


def test_a_type_that_is_declared_otherwise_is_refused() -> None:
    with pytest.raises(UnprovenError, match="'y' is said to be INT8, and is FLOAT"):
        evaluator().run(nodes("y = MatMul (x, w)"), inputs(x=(2, 3), w=(3, 4)), {"y": ir.DataType.INT8})


def test_turns_of_loops_have_a_bound() -> None:
    run = evaluator()
    run.turns(MOST_TURNS)
    with pytest.raises(UnprovenError, match="its loops have more than"):
        run.turns(MOST_TURNS + 1)


def test_the_deadline_holds() -> None:
    with pytest.raises(UnsupportedError, match="takes longer than the timeout allows"):
        evaluator(deadline=0.0).run(nodes("y = MatMul (x, w)"), inputs(x=(2, 3), w=(3, 4)))


def test_what_a_size_decides_is_remembered() -> None:
    run = evaluator(free=True)
    run.look("Where", Value.constant(FIELD, np.array([1, 2])))
    run.decide(np.array([3, -4]))
    assert [op_type for op_type, _ in run.looks] == ["Where"] and sorted(run.decisions.values()) == [-4, 3]
