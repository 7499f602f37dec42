"""Views of a profile: groups, choices, details."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_profile import run
from tests.commands import Cli
from tests.terminals import terminal


def test_a_table_fits_the_terminal(profiled: Path, cli: Cli) -> None:
    for columns in (120, 80, 40):
        with terminal(columns) as screen:
            assert cli("profile", profiled / "net.onnx")[0] == 0
        assert screen.widest <= max(columns, 80)
        assert "peak memory" in screen.text or columns == 40
    assert "144*batch" in run(profiled, "net.onnx").stdout


def test_views_groups_and_choices(profiled: Path) -> None:
    assert "flops/byte" in run(profiled, "net.onnx", "--view", "bandwidth").stdout
    assert "alive" in run(profiled, "net.onnx", "--view", "memory").stdout
    groups = json.loads(run(profiled, "net.onnx", "--json", "--by", "op").stdout)["groups"]
    assert [(group["name"], group["nodes"], group["params"]) for group in groups] == [
        ("MatMul", 2, 144),
        ("Relu", 1, 0),
    ]
    groups = json.loads(run(profiled, "net.onnx", "--json", "--by", "module", "--depth", "1").stdout)["groups"]
    assert [group["name"] for group in groups] == ["net"]
    chosen = json.loads(
        run(profiled, "net.onnx", "--json", "--op", "Relu", "--op", "MatMul", "--name", "*/second/*").stdout
    )
    assert [node["name"] for node in chosen["nodes"]] == ["net/second/product"]
    least = json.loads(run(profiled, "net.onnx", "--json", "--sort", "params", "--top", "1").stdout)
    assert [node["name"] for node in least["nodes"]] == ["net/first/product"]


def test_details_and_summary(profiled: Path) -> None:
    words = run(profiled, "net.onnx", "--details").stdout
    assert "V: float32[8,12]" in words
    node = json.loads(run(profiled, "net.onnx", "--details", "--json").stdout)["nodes"][0]
    assert node["inputs"] == ["x: float32[batch,8]", "V: float32[8,12]"]
    summary = json.loads(run(profiled, "net.onnx", "--summary", "--json").stdout)["summary"]
    assert [operator["op"] for operator in summary["operators"]] == ["MatMul", "Relu"]
    assert "float32[batch,8]" in run(profiled, "net.onnx", "--summary").stdout
