"""`onnxtile annotate`: what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

import onnxtile
from onnxtile.ir.io.load import from_proto
from onnxtile.profiling.annotate import annotate
from tests.commands import Cli
from tests.profiling.test_annotate import chain, data, held
from tests.support import parse


def test_the_command(cli: Cli, tmp_path: Path) -> None:  # the fixture
    path = tmp_path / "net.onnx"
    onnx.save(chain(), path)
    status, out, err = cli("annotate", path)
    assert (status, err) == (0, "")
    annotated = tmp_path / "net.annotated.onnx"
    assert "2 nodes annotated in" in out
    assert held(onnx.load(annotated).graph.node[0])["macs"] == "32*batch"
    status, out, err = cli("annotate", path, "--bind", "batch=2", "--json", "-o", tmp_path / "two.onnx")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert document == {
        "schema": "onnxtile.annotate/1", "output": str(tmp_path / "two.onnx"), "cleared": False, "changed": True,
        "nodes": 2, "unknown": 0,
    }  # fmt: skip
    assert held(onnx.load(tmp_path / "two.onnx").graph.node[0])["macs"] == "64"
    status, out, err = cli("annotate", annotated, "--clear")
    assert (status, err) == (0, "")
    assert onnx.load(tmp_path / "net.cleared.onnx") == onnx.load(path)
    assert "(nothing changed)" in cli("annotate", path, "--clear")[1]
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "net.annotated.onnx", "net.cleared.onnx", "net.onnx", "two.onnx",
    ]  # fmt: skip


def test_the_command_keeps_the_form_and_the_data_file(cli: Cli, tmp_path: Path) -> None:  # the fixture
    path = tmp_path / "net.onnx"
    onnxtile.lower(chain(), "*,4,2", form="function", bind={"batch": 3}, output=path, external_data=True)
    assert cli("annotate", path)[0] == 0
    annotated = onnx.load(tmp_path / "net.annotated.onnx", load_external_data=False)
    assert [node.op_type for node in annotated.graph.node] == [node.op_type for node in onnx.load(path).graph.node]
    assert cli("annotate", tmp_path / "net.annotated.onnx", "--clear", "-o", tmp_path / "plain.onnx")[0] == 0
    plain = onnx.load(tmp_path / "plain.onnx", load_external_data=False)
    assert plain == onnx.load(path, load_external_data=False)


def test_unknown_amounts_are_counted(cli: Cli, tmp_path: Path) -> None:  # the fixture
    model = parse("""<ir_version: 8, opset_import: ["" : 17, "other" : 1]>
        strange (float[2,4] x) => (float[2,4] y) { [what] y = other.What (x) }""")
    onnx.save(model, tmp_path / "net.onnx")
    status, out, _ = cli("annotate", tmp_path / "net.onnx")
    assert status == 0
    assert "amounts of 1 node can't be told" in out
    assert "1 node annotated" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--clear", "--bind", "batch=2"], "sizes say what to write, and clear takes it out"),
        (["--bind", "length=2"], "dimension 'length' isn't a free dimension of the model"),
        (["--bind", "batch"], "--bind batch: write NAME=INT"),
        (["-o", "{path}"], "which is needed; give another path"),
        (["-o", "{folder}"], "is a folder; give the path of a file"),
        (["-o", "{folder}/none/out.onnx"], "its folder doesn't exist"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_refusals(cli: Cli, tmp_path: Path, options: list[str], words: str) -> None:  # the fixture
    path = tmp_path / "net.onnx"
    onnx.save(chain(), path)
    before = path.read_bytes()
    status, out, err = cli("annotate", path, *(each.format(path=path, folder=tmp_path) for each in options))
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["net.onnx"]


def test_a_refusal_changes_nothing() -> None:
    model = from_proto(chain())
    before = data(model)
    with pytest.raises(onnxtile.UsageError, match="isn't a free dimension"):
        annotate(model, {"length": 2})
    with pytest.raises(onnxtile.UsageError, match="leave one of them out"):
        annotate(model, {"batch": 2}, clear=True)
    with pytest.raises(onnxtile.UsageError, match="clear is 'maybe'; write true or false"):
        onnxtile.PassManager("annotate{clear=maybe}")
    assert data(model) == before
