"""`onnxtile profile` as people and scripts see it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from tests.cli.test_app import Cli, cli
from tests.commands import status
from tests.support import matmul, parse
from tests.terminals import terminal

__all__ = ["cli"]  # a fixture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of two layers, and the same lowered."""
    folder = tmp_path_factory.mktemp("profile")
    weights = {"V": np.ones((8, 12), np.float32), "W": np.ones((12, 4), np.float32)}
    text = """<ir_version: 10, opset_import: ["" : 20]> g (float[batch,8] x) => (float[batch,4] y) {
        ["net/first/product"] a = MatMul (x, V) ["net/first/relu"] b = Relu (a)
        ["net/second/product"] y = MatMul (b, W) }"""
    onnx.save(parse(text, **weights), folder / "net.onnx")
    onnx.save(matmul([4, 16], [16, 8], [4, 8]), folder / "one.onnx")
    onnxtile.lower(folder / "one.onnx", (4, 8, 8), output=folder / "lowered.onnx")
    return folder


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command there: in this process, which saves its start, or in one of its own for an environment."""
    if environment:
        command = [sys.executable, "-m", "onnxtile", "profile", *words]
        variables = {**os.environ, **environment}
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=variables, check=False)
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        code = status("profile", *words)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def test_json_is_one_object_with_exact_amounts(folder: Path) -> None:
    done = run(folder, "net.onnx", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["schema"] == "onnxtile.profile/1"
    assert document["totals"]["macs"] == "144*batch"
    assert document["symbols"] == {"batch": "a free dimension of the model's inputs"}
    first = document["nodes"][0]
    expected = {
        "name": "net/first/product", "op": "MatMul", "scope": "", "module": "net/first", "macs": "96*batch",
        "params": 96, "weight_bytes": 384, "input_bytes": "32*batch + 384", "output_bytes": "48*batch", "unknown": {},
    }  # fmt: skip
    assert {name: first[name] for name in expected} == expected
    bound = json.loads(run(folder, "net.onnx", "--json", "--bind", "batch=2").stdout)
    assert (bound["totals"]["macs"], bound["nodes"][0]["intensity"]) == (288, 384 / (64 + 384 + 96))


def test_the_same_bytes_whatever_the_hash_seed(folder: Path) -> None:
    found = {run(folder, "net.onnx", "--json", PYTHONHASHSEED=seed).stdout for seed in ("0", "1")}
    found |= {run(folder, "net.onnx", "--json", PYTHONHASHSEED="7").stdout}
    assert len(found) == 1


def test_a_table_fits_the_terminal(folder: Path, cli: Cli) -> None:
    for columns in (120, 80, 40):
        with terminal(columns) as screen:
            assert cli("profile", folder / "net.onnx")[0] == 0
        assert screen.widest <= max(columns, 80)
        assert "weights resident" in screen.text or columns == 40
    assert "144*batch" in run(folder, "net.onnx").stdout


def test_views_groups_and_choices(folder: Path) -> None:
    assert "flops/byte" in run(folder, "net.onnx", "--view", "bandwidth").stdout
    assert "alive" in run(folder, "net.onnx", "--view", "memory").stdout
    groups = json.loads(run(folder, "net.onnx", "--json", "--by", "op").stdout)["groups"]
    assert [(group["name"], group["nodes"], group["params"]) for group in groups] == [
        ("MatMul", 2, 144),
        ("Relu", 1, 0),
    ]
    groups = json.loads(run(folder, "net.onnx", "--json", "--by", "module", "--depth", "1").stdout)["groups"]
    assert [group["name"] for group in groups] == ["net"]
    chosen = json.loads(
        run(folder, "net.onnx", "--json", "--op", "Relu", "--op", "MatMul", "--name", "*/second/*").stdout
    )
    assert [node["name"] for node in chosen["nodes"]] == ["net/second/product"]
    least = json.loads(run(folder, "net.onnx", "--json", "--sort", "params", "--top", "1").stdout)
    assert [node["name"] for node in least["nodes"]] == ["net/first/product"]


def test_details_and_summary(folder: Path) -> None:
    words = run(folder, "net.onnx", "--details").stdout
    assert "V: float32[8,12]" in words
    node = json.loads(run(folder, "net.onnx", "--details", "--json").stdout)["nodes"][0]
    assert node["inputs"] == ["x: float32[batch,8]", "V: float32[8,12]"]
    summary = json.loads(run(folder, "net.onnx", "--summary", "--json").stdout)["summary"]
    assert [operator["op"] for operator in summary["operators"]] == ["MatMul", "Relu"]
    assert "float32[batch,8]" in run(folder, "net.onnx", "--summary").stdout


def test_sheets(folder: Path) -> None:
    done = run(folder, "net.onnx", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert (rows[0]["name"], rows[0]["macs"]) == ("net/first/product", "96*batch")
    assert done.stderr == ""
    run(folder, "net.onnx", "--by", "op", "--markdown", "costs.md", "--csv", "costs.csv")
    lines = (folder / "costs.md").read_text().splitlines()
    assert lines[0].startswith("| name | nodes | macs |")
    assert lines[2].startswith("| MatMul | 2 | 144\\*batch |")
    assert (folder / "costs.csv").read_text().startswith("name,nodes,macs,")


def test_before_and_after(folder: Path) -> None:
    words = run(folder, "one.onnx", "--against", "lowered.onnx").stdout
    assert "padding" in words
    found = json.loads(run(folder, "one.onnx", "--against", "lowered.onnx", "--json").stdout)["against"]
    (change,) = found["changes"]
    assert (change["name"], change["tiles"], change["padding"], change["partial_sums"]) == ("product", 2, 0, 32)
    assert found["totals"]["macs"] == [512, 512]
    assert found["totals"]["nodes"] == [1, 4]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["net.onnx", "--view", "best"], "view 'best' is unknown: take one of costs, memory, bandwidth, first-io"),
        (["net.onnx", "--by", "colour"], "can't group by 'colour': take one of op, module, origin, scope"),
        (["net.onnx", "--sort", "beauty"], "can't sort by 'beauty': take one of macs, flops,"),
        (["net.onnx", "--op", "Conv"], "no node matches Conv: the model's operators are MatMul, Relu"),
        (["net.onnx", "--convention", "best"], "convention 'best' is unknown: take one of macs, ptflops"),
        (["net.onnx", "--bind", "rows=2"], "dimension 'rows' isn't a free dimension of the model"),
        (["net.onnx", "--json", "--csv", "-"], "write to the same place; name different ones"),
        (["none.onnx"], "none.onnx: no such file or directory; give the path of an ONNX file"),
    ],
)
def test_refusals_are_one_line(folder: Path, words: list[str], said: str) -> None:
    done = run(folder, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
