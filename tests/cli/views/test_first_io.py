"""First inputs and outputs: rows and totals, on the screen and for scripts."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_profile import run


def test_first_inputs_and_outputs(profiled: Path) -> None:
    lines = [line.split() for line in run(profiled, "one.onnx", "--view", "first-io").stdout.splitlines()]
    document = json.loads(run(profiled, "one.onnx", "--view", "first-io", "--json").stdout)
    (row,) = document["rows"]
    assert (document["view"], row["sum"]) == ("first-io", row["input"] + row["output"])
    assert lines[1] == [row["name"], *(f"{row[name]:,}" for name in ("input", "output", "sum"))]
    assert lines[3][:2] == ["peak", f"{document['totals']['peak_bandwidth']:,}"]
