"""The modules of a network: lines that lead to each, sizes as torchinfo prints them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.commands import Cli
from tests.terminals import terminal

pytest.importorskip("torch")
NETWORK = """
import torch
def build():
    inner = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    return torch.nn.Sequential(inner, torch.nn.Linear(8, 2))
"""


def test_modules_are_drawn_as_a_tree(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drawn_network.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    call = ("profile", "drawn_network:build", "--input", "3x4", "--tree")
    with terminal(80) as screen:
        assert cli(*call)[0] == 0
    drawn = [line.split("  ")[0].rstrip() for line in screen.lines[1:6]]
    assert drawn == ["Sequential", "├─Sequential 0", "│ ├─Linear 0", "│ └─ReLU 1", "└─Linear 1"]
    assert any(line.split() == ["Total", "params", "58"] for line in screen.lines)
    modules = json.loads(cli(*call, "--json")[1])["modules"]
    assert [(each["kind"], each["depth"], each["params"]) for each in modules] == [
        ("Sequential", 0, 58), ("Sequential", 1, 40), ("Linear", 2, 40), ("ReLU", 2, 0), ("Linear", 1, 18),
    ]  # fmt: skip
