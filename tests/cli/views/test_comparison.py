"""A model beside what it was lowered to."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_profile import run


def test_before_and_after(profiled: Path) -> None:
    words = run(profiled, "one.onnx", "--against", "lowered.onnx").stdout
    headings, cells = words.splitlines()[:2]
    assert headings.split() == ["node", "MACs", "padding", "util.", "calls", "sums", "moved", "beyond", "nodes"]
    assert cells.split()[3:6] == ["0", "100%", "2"]
    found = json.loads(run(profiled, "one.onnx", "--against", "lowered.onnx", "--json").stdout)["against"]
    (change,) = found["changes"]
    assert (change["name"], change["calls"], change["padding"], change["partial_sums"]) == ("product", 2, 0, 32)
    assert change["utilization"] == 1
    assert found["totals"]["macs"] == [512, 512]
    assert found["totals"]["nodes"] == [1, 4]
