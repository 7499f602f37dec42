"""Inputs that show a failure, and commands that repeat it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import onnxtile
from tests.debugging.reduce.test_reducer import HERE
from tests.support import parse


def test_inputs_of_any_name_and_type(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (T[4] file, T[4] b) => (T[4] y) { y = Sub (file, b) }"""
    for number, dtype in enumerate(("float", "bfloat16")):
        found = onnxtile.reduce(parse(text.replace("T", dtype)), f"{HERE}SwapsSub", output=tmp_path / str(number))
        assert found is not None and found.guilty == f"{HERE}SwapsSub"
        lines = (tmp_path / str(number) / "command.txt").read_text().splitlines()
        assert ("--input" in lines[1]) == (dtype == "float") == (tmp_path / str(number) / "inputs.npz").exists()
    with np.load(tmp_path / "0" / "inputs.npz") as inputs:
        assert sorted(inputs) == ["b", "file"]
