"""Test that what every command prints with --json is what its schema describes, and the documents name every member."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from jsonschema import Draft202012Validator

from onnxtile.cli.documents import documents
from onnxtile.ir.json_schema import json_schema
from tests.commands import Cli
from tests.support import ROOT, parse

NETWORK = """<ir_version: 10, opset_import: ["" : 20]> g (float[batch,4,6,6] x, float[rows,3] z)
    => (float[batch,8] y, float[any,3] w) {
    [conv] a = Conv <kernel_shape = [3,3]> (x, F)
    [flat] b = Flatten (a)
    [fc] y = MatMul (b, W)
    [found] i = NonZero (z)
    [turned] t = Transpose (i)
    [whole] c = Cast <to = 1> (t)
    [free] w = MatMul (c, V) }"""
MEASURED = "m,k,n,cycles\n64,64,64,500\n128,128,64,1500\n96,64,200,2000\n32,256,64,900\n64,512,64,3000\n8,8,8,99\n"
LIMITS = ("--max", "4,16,8")
CALLS = [
    "check net.onnx MAX",
    "check net.onnx --engine systolic-32",
    "lower net.onnx MAX -o low.onnx --verify --time-passes",
    "lower net.onnx --engine systolic-32 -o engine.onnx --bind batch=2,rows=4",
    "lower net.onnx MAX --dry-run",
    "verify net.onnx low.onnx --certificate proof.json",
    "verify net.onnx low.onnx --method bound",
    "verify net.onnx other.onnx",
    "verify --recheck proof.json",
    "profile net.onnx",
    "profile net.onnx --details --bind batch=2",
    "profile low.onnx --by origin",
    "profile net.onnx --convention ptflops",
    "profile net.onnx --engine systolic-32",
    "profile net.onnx --engine systolic-32 --by op",
    "profile net.onnx --against low.onnx",
    "profile net.onnx --engine systolic-32 --against engine.onnx --bind batch=2,rows=4",
    "profile net.onnx --summary",
    "profile net.onnx --view first-io",
    "annotate net.onnx -o annotated.onnx",
    "capture net.onnx --op MatMul --op Conv -o values.npz",
    "run net.onnx --passes infer-shapes -o run.onnx --verify-each",
    "passes",
    "engine check tpu-like",
    "engine show systolic-32",
    "engine list",
    "engine fit measured.csv --engine systolic-32",
    "sweep net.onnx --engine systolic-32 --vary local.size=1KiB,64KiB --bind batch=2",
    "reduce net.onnx --passes infer-shapes",
    "draw net.onnx low.onnx -o net.svg",
    "report net.onnx low.onnx MAX -o net.html",
    "engine new mine",
    "schema",
]


def validator(name: str) -> Draft202012Validator:
    schema = json_schema(documents()[name], name)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    weights = {"F": np.ones((8, 4, 3, 3), np.float32), "W": np.ones((128, 8), np.float32)}
    model = parse(NETWORK, **weights, V=np.ones((2, 3), np.float32))
    onnx.save(model, "net.onnx")
    model.graph.node[2].input[1] = "U"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((128, 8), np.float32), "U"))
    onnx.save(model, "other.onnx")
    (tmp_path / "measured.csv").write_text(MEASURED)
    return tmp_path


def printed(cli: Cli) -> Iterator[tuple[str, dict[str, Any]]]:
    for call in CALLS:
        words = call.split()
        where = words.index("MAX") if "MAX" in words else None
        if where is not None:
            words[where : where + 1] = LIMITS
        status, out, err = cli(*words, "--json")
        assert (status in (0, 1), err) == (True, ""), call
        yield call, json.loads(out)


def test_what_is_printed_is_what_the_schemas_say(cli: Cli, folder: Path) -> None:
    seen = set()
    for call, document in printed(cli):
        seen.add(document["schema"])
        errors = validator(document["schema"]).iter_errors(document)
        wrong = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in errors]
        assert not wrong, f"{call}: {wrong[:3]}"
    assert documents().keys() - seen <= {"onnxtile.profile-tree/1"}


@pytest.mark.skipif(not find_spec("torch"), reason="torch isn't installed")
def test_the_tree_of_a_torch_model(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("tree_of_two.py").write_text(
        "import torch.nn as nn\nbuild = lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU())\n"
    )
    status, out, _ = cli("profile", "tree_of_two:build", "--input", "1x4", "--tree", "--json")
    assert status == 0
    validator("onnxtile.profile-tree/1").validate(json.loads(out))


def test_a_schema_holds_a_document_to_its_members(cli: Cli, model: Path) -> None:
    document = json.loads(cli("check", model, "--max", "4,4,4", "--json")[1])
    judge = validator("onnxtile.check/1")
    assert judge.is_valid(document)
    assert not judge.is_valid(document | {"more": 1})
    assert not judge.is_valid({name: value for name, value in document.items() if name != "over"})
    assert not judge.is_valid(document | {"over": "1"})


def test_the_documents_name_every_member() -> None:
    pages = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("json", "reports", "profile", "engine")}
    told = "".join(pages.values())
    missing = set()
    for name, document in documents().items():
        schema = json_schema(document, name)
        assert f"`{name}`" in pages["json"], name
        for one in (schema, *schema["$defs"].values()):
            missing |= {member for member in one.get("properties", {}) if f"`{member}`" not in told}
    assert missing == set()
