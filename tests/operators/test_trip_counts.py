"""Test how often bodies run: what is known without running the model."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.ir.symbolic.amounts import Range, Unknown
from onnxtile.operators.trip_counts import Trips, boolean, number_of
from tests.support import parse

LOOP = """<ir_version: 10, opset_import: ["" : 18]>
g (float[2] x, int64 count, bool go, int64[3] many) => (float[2] y) {{
   three = Constant <value_int = 3> ()  none = Constant <value_int = 0> ()
   endless = Constant <value_int = {endless}> ()
   yes = Constant <value = bool {{1}}> ()  no = Constant <value = bool {{0}}> ()  cast = Identity (count)
   y = Loop ({trips}, {condition}, x) <body = b (int64 i, bool c, float[2] v) => (bool d, float[2] w) {{
      {d}  w = Add (v, v) }}> }}"""
KEEPS, ASKS = "d = Identity (c)", "z = ReduceMax <keepdims = 0> (v)  t = Cast <to = 6> (z)  d = Cast <to = 9> (t)"


def trips(count: str, condition: str = "", d: str = KEEPS) -> tuple[object, dict[str, str]]:
    model = ir.from_proto(parse(LOOP.format(trips=count, condition=condition, d=d, endless=2**63 - 1)))
    counter = Trips(model.graph)
    return counter.of(model.graph[-1], 18), counter.symbols


@pytest.mark.parametrize(
    ("count", "condition", "d", "expected"),
    [
        ("three", "", KEEPS, 3), ("three", "yes", KEEPS, 3), ("none", "", ASKS, 0), ("three", "no", KEEPS, 0),
        ("three", "yes", ASKS, Range(1, 3)), ("three", "go", KEEPS, Range(0, 3)),
        ("", "", KEEPS, Unknown("it has neither a trip count nor a condition that ends it")),
        ("endless", "", KEEPS, Unknown("it has neither a trip count nor a condition that ends it")),
        ("", "yes", ASKS, Unknown("its condition, computed at run time, ends it")),
    ],
)  # fmt: skip
def test_loops(count: str, condition: str, d: str, expected: object) -> None:
    assert trips(count, condition, d)[0] == expected


def test_a_count_that_is_fed_is_a_symbol() -> None:
    for name in ("count", "cast"):
        amount, symbols = trips(name)
        assert str(amount) == "count"
        assert symbols == {"count": "the number that 'count' holds"}


def test_a_count_inside_a_body_that_runs_often_is_unknown() -> None:
    model = ir.from_proto(parse(LOOP.format(trips="count", condition="", d=KEEPS, endless=1)))
    other = ir.Graph([], [], nodes=[], name="other")
    found = Trips(other).of(model.graph[-1], 18)
    assert found == Unknown("its trip count 'count' may be another in each run of the graph around it")


SCAN = """<ir_version: 10, opset_import: ["" : 18]> g (float[2] s, float[n,5,2] x) => (float[2] t, float[A,B,2] y) {{
   t, y = Scan <num_scan_inputs = 1, scan_input_axes = [{axis}], body = b (float[2] p, float[A,2] q)
      => (float[2] r, float[2] o) {{ r = Identity (p)  o = Identity (p) }}> (s, x) }}"""


@pytest.mark.parametrize(("axis", "amount"), [(0, "n"), (1, "5"), (-2, "5")])
def test_a_scan_runs_for_each_element(axis: int, amount: str) -> None:
    model = ir.from_proto(parse(SCAN.format(axis=axis)))
    assert str(Trips(model.graph).of(model.graph[0], 18)) == amount


def test_what_is_not_followed() -> None:
    model = ir.from_proto(parse(SCAN.format(axis=0)))
    old = Trips(model.graph).of(model.graph[0], 8)
    assert old == Unknown("Scan of opset 8 isn't followed; convert the model to opset 9 or newer")
    assert isinstance(Trips(model.graph).of(ir.node("SequenceMap", []), 18), Unknown)
    assert Trips(model.graph).of(ir.node("Odd", []), 18) == Unknown("how often Odd runs its graph isn't known")


def test_numbers_of_values() -> None:
    model = ir.from_proto(parse(LOOP.format(trips="three", condition="", d=KEEPS, endless=1)))
    values = {str(value.name): value for node in model.graph for value in node.outputs}
    assert [number_of(values[name]) for name in ("three", "none", "yes", "cast")] == [3, 0, 1, None]
    assert [boolean(values[name]) for name in ("yes", "no", "cast")] == [True, False, None]
    assert number_of(model.graph.inputs[3]) is None
