"""Test what the shell is offered behind an option."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import onnxtile
from tests.commands import status
from tests.support import parse


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return what bash is offered for the last word of a command line, as its completion asks for it."""
    monkeypatch.chdir(tmp_path)
    text = """<ir_version: 10, opset_import: ["" : 20]> g (float[batch,8] x, float[8,seq] v) => (float[batch,seq] y) {
        [features_1] a = MatMul (x, v) [features_2] y = Relu (a) }"""
    onnx.save(parse(text), "net.onnx")

    def complete(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_ONNXTILE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        assert status() == 0
        return capsys.readouterr().out.split()

    return complete


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("onnxtile lower net.onnx --form b", ["batched"]),
        ("onnxtile lower net.onnx --form a", ["auto"]),
        ("onnxtile lower net.onnx --weights ", ["pretile", "split"]),
        ("onnxtile lower net.onnx --accumulate t", ["tree"]),
        ("onnxtile check net.onnx --ops conv,r", ["conv,rnn"]),
        ("onnxtile check net.onnx --only over,re", ["over,refused"]),
        ("onnxtile check net.onnx --engine systolic-3", ["systolic-32"]),
        ("onnxtile profile net.onnx --view ", ["costs", "memory", "bandwidth", "first-io"]),
        ("onnxtile profile net.onnx --by m", ["module"]),
        ("onnxtile profile net.onnx --sort live", ["live_bytes"]),
        ("onnxtile profile net.onnx --name feat", ["features_1", "features_2"]),
        ("onnxtile capture net.onnx --op Re", ["Relu"]),
        ("onnxtile profile net.onnx --bind batch=1,s", ["batch=1,seq="]),
        ("onnxtile profile gone.onnx --name feat", []),
        ("onnxtile verify net.onnx net.onnx --method b", ["bound"]),
        ("onnxtile run net.onnx --passes infer-shapes,tile", ["infer-shapes,tile-matmul"]),
        ("onnxtile run net.onnx --passes tile-matmul{acc", ["tile-matmul{accumulate="]),
        ("onnxtile run net.onnx --passes nothing{", []),
        ("onnxtile engine show tpu", ["tpu-like"]),
    ],
)
def test_values(offered, line: str, values: list[str]) -> None:
    assert offered(line) == values


def test_names_of_the_original_in_a_lowered_model(offered) -> None:
    onnxtile.lower("net.onnx", (4, 4, 4), bind={"batch": 8, "seq": 8}, output="low.onnx")
    names = offered("onnxtile capture low.onnx --name features_1")
    assert names[0] == "features_1" and "features_1/m0_n0_k0" in names


@pytest.mark.parametrize(
    "name", ["$(id)", "`id`", "a b", "a\nb", "x\\", "a'b", 'a"b', "a;b", "*", "=ls", "~", "\x1b[2J"]
)
def test_names_that_a_shell_would_take_for_more_than_a_word_are_not_offered(offered, name: str) -> None:
    model = onnx.load("net.onnx")
    model.graph.node[0].name = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = name
    onnx.save(model, "net.onnx")
    assert offered("onnxtile profile net.onnx --name ") == ["features_2"]
    assert offered("onnxtile profile net.onnx --bind ") in (["seq="], ["seq=", "batch="])


def test_engine_files_that_a_shell_would_take_for_more_than_a_word_are_not_offered(offered) -> None:
    for name in ("mine.toml", "$(id).toml"):
        Path(name).touch()
    assert offered("onnxtile check net.onnx --engine ./") == []
    assert "mine.toml" in (all_of := offered("onnxtile check net.onnx --engine ")) and "$(id).toml" not in all_of


def test_a_damaged_model_offers_nothing(offered) -> None:
    Path("net.onnx").write_bytes(b"no model")
    assert offered("onnxtile profile net.onnx --name ") == []
