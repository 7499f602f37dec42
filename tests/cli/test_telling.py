"""Test how much is printed: --quiet and --verbose."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.commands import Cli, one_line


@pytest.mark.parametrize("place", [0, 4])
def test_quiet_leaves_the_answer_to_the_exit_status(cli: Cli, model: Path, place: int) -> None:
    for option in ("-q", "--quiet"):
        words = ["check", str(model), "--max", "4,4,4"]
        words.insert(place, option)
        assert cli(*words) == (1, "", "")
    assert cli("lower", model, "--max", "4,4,4", "-q") == (0, "", "")
    assert model.with_name("model.tiled.onnx").exists()
    one_line(cli("check", "gone.onnx", "--max", "4,4,4", "-q"), "no such file")
    assert json.loads(cli("check", model, "--max", "4,4,4", "-q", "--json")[1])["over"] == 1
    assert cli("check", model, "--max", "4,4,4")[1]


def test_verbose_tells_what_is_done_on_standard_error(cli: Cli, model: Path) -> None:
    plain = cli("lower", model, "--max", "4,4,4", "--json")
    status, out, err = cli("lower", model, "--max", "4,4,4", "--json", "-v")
    assert (status, out) == plain[:2]
    lines = err.splitlines()
    assert len(lines) >= 3 and lines[-1].endswith("lower model.onnx: done")
    assert all(re.fullmatch(r" +[0-9]+[.][0-9]{2} s  lower model.onnx: .+", line) for line in lines)


def test_both_contradict(cli: Cli) -> None:
    one_line(cli("passes", "-q", "-v"), "--quiet prints nothing, and --verbose what is being done; give one of them")
