"""Types have marks where they may round or wrap something."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.verification.marks import marked, types_named
from tests.support import parse
from tests.verification.pairs import status

T = ir.DataType


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ({T.FLOAT, T.INT64, T.BOOL}, []),
        ({T.FLOAT16}, []),
        ({T.FLOAT, T.FLOAT16}, [T.FLOAT16]),
        ({T.FLOAT, T.DOUBLE}, [T.FLOAT]),
        ({T.FLOAT16, T.BFLOAT16}, [T.FLOAT16, T.BFLOAT16]),
        ({T.FLOAT, T.INT8}, [T.INT8]),
        ({T.FLOAT, T.INT32}, [T.FLOAT, T.INT32]),
        ({T.INT64, T.UINT64}, [T.INT64, T.UINT64]),
        ({T.FLOAT, T.FLOAT8E4M3FN}, []),
    ],
)
def test_types_that_round_or_wrap(types: set[ir.DataType], wanted: list[ir.DataType]) -> None:
    assert set(marked(types)) == set(wanted)


def test_types_that_nodes_name() -> None:
    head = '<ir_version: 10, opset_import: ["" : 20]> g (float[2] x) => (int8[2] y) '
    model = parse(head + "{ h = Cast <to = 10> (x)  y = Cast <to = 3> (h) }")
    assert set(types_named(model.graph.node, model)) == {T.FLOAT16, T.INT8}


def test_a_type_that_the_original_only_casts_to_rounds_nothing_besides() -> None:
    signature, original = "(float[2,4] a) => (float16[2,4] y)", "s = Add (a, a)  y = Cast <to = 10> (s)"
    assert status(signature, original, "s = Sum (a, a)  y = Cast <to = 10> (s)") == "proven"
    assert status(signature, original, "h = Cast <to = 10> (a)  y = Add (h, h)") == "different"


def test_a_type_that_the_original_adds_in_may_round_parts_of_sums() -> None:
    """Beside sums in a wider type, which of them are rounded in parts isn't known: that's tested, not proven."""
    signature = "(float16[2,4] a, float16[2,4] b) => (float16[2,4] y)"
    parts = "s = Add (a, b)  t = Add (b, b)  f = Cast <to = 1> (s)  g = Cast <to = 1> (t)  "
    original = parts + "u = Add (f, g)  y = Cast <to = 10> (u)"
    assert status(signature, original, parts + "v = Add (g, f)  y = Cast <to = 10> (v)") == "proven"
    whole = "p = Cast <to = 1> (a)  q = Cast <to = 1> (b)  d = Sum (p, q, q, q)  y = Cast <to = 10> (d)"
    assert status(signature, original, whole) == "tested"
