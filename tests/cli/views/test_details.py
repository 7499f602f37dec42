"""Nodes one by one, with shapes and attributes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_profile import run


def test_details_and_summary(profiled: Path) -> None:
    words = run(profiled, "net.onnx", "--details").stdout
    assert "V: float32[8,12]" in words
    node = json.loads(run(profiled, "net.onnx", "--details", "--json").stdout)["nodes"][0]
    assert node["inputs"] == ["x: float32[batch,8]", "V: float32[8,12]"]
    summary = json.loads(run(profiled, "net.onnx", "--summary", "--json").stdout)["summary"]
    assert [operator["op"] for operator in summary["operators"]] == ["MatMul", "Relu"]
    assert "float32[batch,8]" in run(profiled, "net.onnx", "--summary").stdout
