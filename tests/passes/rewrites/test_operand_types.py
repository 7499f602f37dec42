"""Types of operands and results follow from onnx's schemas, through all that a function makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import PassError
from onnxtile.passes.rewrites.node_writer import NodeWriter
from tests.support import parse

CHAINS: dict[str, Callable[[NodeWriter, Any], Any]] = {
    "clip": lambda op, x: op.Mul(op.Clip(op.Add(x, 3), 0, 6), 1 / 6),
    "named": lambda op, x: op.Div(op.Min(op.Max(op.Add(x, 3.0), 0), 6), 6),
    "chosen": lambda op, x: op.Where(op.Greater(op.Add(x, 3), 0), op.Mul(x, 1), 0),
    "cast": lambda op, x: op.CastLike(op.Add(op.Cast(x, to=ir.DataType.DOUBLE), 1), x),
    "split": lambda op, x: op.Concat(*(op.Add(part, 1) for part in op.Split(x, axis=1, outputs=2)), axis=1),
    "shape": lambda op, x: op.Reshape(x, op.Mul(op.Shape(x), 1)),
}


def rewritten(kind: str, dtype: str, body: str = "y = Abs (x)") -> onnx.ModelProto:
    model = ir.from_proto(
        parse(f'<ir_version: 8, opset_import: ["" : 17]> g ({dtype}[4,8] x) => ({dtype}[4,8] y) {{ {body} }}')
    )

    def chain(node: ir.Node, op: NodeWriter) -> Any:
        return CHAINS[kind](op, node.inputs[0])

    onnxtile.PassManager([onnxtile.rewrite("Abs")(chain)()])(model)
    return ir.to_proto(model)


@pytest.mark.parametrize("dtype", ["float", "float16", "double"])
@pytest.mark.parametrize("kind", CHAINS)
def test_numbers_have_the_type_of_what_was_made_before(kind: str, dtype: str) -> None:
    onnx.checker.check_model(rewritten(kind, dtype), full_check=True)


def test_a_number_whose_type_nothing_tells_is_refused() -> None:
    words = r"the type of 3 in op\.Add follows from 'h', whose type isn't known: run infer-shapes before the pass; or"
    with pytest.raises(PassError, match=words):
        rewritten("clip", "float", "h = Neg (x)  y = Abs (h)")


@pytest.mark.parametrize("dtype", ["float", "float16", "int32"])
def test_in_local_functions_a_number_is_cast_like_a_value(dtype: str) -> None:
    model = ir.from_proto(
        parse(
            f'<ir_version: 8, opset_import: ["" : 17, "l" : 1]> g ({dtype}[4] x) => ({dtype}[4] y) {{ y = l.f (x) }}'
            ' <domain: "l", opset_import: ["" : 17]> f (p) => (q) { q = Neg (p) }'
        )
    )

    def negative(node: ir.Node, op: NodeWriter, cast: bool) -> Any:
        p = node.inputs[0]
        return op.Mul(p, op.CastLike(-1, p) if cast else -1)

    made = onnxtile.rewrite("Neg")(negative)
    with pytest.raises(PassError, match=r"in a local function, whose types are each caller's, write op\.CastLike"):
        onnxtile.PassManager(["infer-shapes", made(cast=False)])(model)
    onnxtile.PassManager(["infer-shapes", made(cast=True)])(model)
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
