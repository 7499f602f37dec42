"""Test what results print as: a few lines for people."""

from __future__ import annotations

import onnx

import onnxtile
from tests.planted import SwapsSub
from tests.support import matmul

MODEL = matmul([6, 9], [9, 10], [6, 10])
LIMITS = (4, 4, 4)


def test_a_report() -> None:
    assert str(onnxtile.check(MODEL, LIMITS)).splitlines() == [
        "product         M  K   N  batch  type     MACs  share  calls  status  reason",
        "product MatMul  6  9  10      1  float32   540   100%     18  over",
        "1 product at 4,4,4: 1 over",
    ]
    _, report = onnxtile.lower(MODEL, LIMITS, report=True)
    assert str(report).splitlines()[1:] == [
        "product MatMul  6  9  10      1  float32  tiled      18        0   100%  4x4x4",
        "1 product at 4,4,4: 1 tiled",
    ]
    assert str(onnxtile.check(MODEL, (64, 64, 64))) == "1 product at 64,64,64: 1 fits"


def test_a_long_report_is_cut() -> None:
    model = matmul([6, 9], [9, 10], [6, 10])
    for number in range(29):
        model.graph.node.add(op_type="MatMul", name=f"m{number}", input=["X", "W"], output=[f"y{number}"])
    lines = str(onnxtile.check(model, LIMITS)).splitlines()
    assert lines[-2:] == ["... and 10 more", "30 products at 4,4,4: 30 over"]
    assert len(lines) == 23


def test_a_verdict() -> None:
    lowered = onnxtile.lower(MODEL, LIMITS)
    assert str(onnxtile.verify(MODEL, lowered)) == "equivalent: 0 nodes kept, 1 region: 1 proven"
    node = next(node for node in lowered.graph.node if node.op_type == "Add")
    node.op_type = "Sub"
    first, last = str(onnxtile.verify(MODEL, lowered)).splitlines()
    assert first.startswith("MatMul 'product': 'Y' isn't the same function")
    assert last == "NOT equivalent: 0 nodes kept, 1 region: 1 different"


def test_a_reduction() -> None:
    text = (
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2] a, float[2] b) => (float[2] y) { [minus] y = Sub (a, b) }'
    )
    first, second, last = str(onnxtile.reduce(onnx.parser.parse_model(text), [SwapsSub()])).splitlines()
    assert first == "guilty: tests.planted:SwapsSub"
    assert second.startswith("Sub 'minus': 'y' isn't the same function of the operands")
    assert last == "1 node became 1 (0 cuts tried): Sub minus"


def test_captured_values() -> None:
    lines = str(onnxtile.capture(MODEL, op="MatMul").report).splitlines()
    assert [line.split()[0] for line in lines] == ["value", "Y"]


def test_a_profile() -> None:
    lines = str(onnxtile.profile(MODEL)).splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "nodes", "MACs", "flops", "parameters", "weight bytes", "bytes moved", "peak memory",
    ]  # fmt: skip
    assert lines[1] == "MACs            540"
