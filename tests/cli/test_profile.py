"""`onnxtile profile` as people and scripts see it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import onnx
import pytest

from tests.commands import Cli, one_line, status
from tests.exploration.models import chain


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


def test_json_is_one_object_with_exact_amounts(profiled: Path) -> None:
    done = run(profiled, "net.onnx", "--json")
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
    bound = json.loads(run(profiled, "net.onnx", "--json", "--bind", "batch=2").stdout)
    assert (bound["totals"]["macs"], bound["nodes"][0]["intensity"]) == (288, 384 / (64 + 384 + 96))


def test_the_same_bytes_whatever_the_hash_seed(profiled: Path) -> None:
    found = {run(profiled, "net.onnx", "--json", PYTHONHASHSEED=seed).stdout for seed in ("0", "1")}
    found |= {run(profiled, "net.onnx", "--json", PYTHONHASHSEED="7").stdout}
    assert len(found) == 1


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
        (["absent.onnx"], "absent.onnx: no such file or directory; give the path of an ONNX file"),
    ],
)
def test_refusals_are_one_line(profiled: Path, words: list[str], said: str) -> None:
    done = run(profiled, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_a_picture_of_what_products_take(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(chain(), "chain.onnx")
    status, out, err = cli("profile", "chain.onnx", "--engine", "systolic-32", "--plot", "chain.html")
    assert (status, err) == (0, "") and out
    page = (tmp_path / "chain.html").read_text()
    assert "<title>chain.onnx on systolic-32</title>" in page and "<p>3 products</p>" in page
    assert "Roofline" in page and "a MatMul: 6 MACs a byte" in page
    one_line(cli("profile", "chain.onnx", "--plot", "a.svg"), "--plot draws what products take on an engine")
    wrong = ("--engine", "systolic-32", "--plot")
    one_line(cli("profile", "chain.onnx", *wrong, "a.png"), "pictures are .svg, or .html")
    one_line(cli("profile", "chain.onnx", *wrong, "a.svg", "--summary"), "--summary is a table of its own and takes no")
    one_line(cli("profile", "chain.onnx", *wrong, "chain.onnx"), "which is needed; give another path")
