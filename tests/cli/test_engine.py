"""`onnxtile engine`: what its commands write and print, and what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from onnxtile.engine.description import Engine
from onnxtile.engine.load import names
from tests.commands import Cli, one_line
from tests.terminals import terminal


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_new_file_is_one_to_change(cli: Cli) -> None:
    status, out, err = cli("engine", "new", "edge-32")
    assert (status, err) == (0, "")
    assert out == "edge-32.toml is written; change it, then: onnxtile engine check edge-32.toml\n"
    assert Engine.load("edge-32.toml").name == "edge-32"
    assert cli("engine", "new", "mine", "--from", "tpu-like", "-o", "t.toml")[0] == 0
    assert Engine.load("t.toml").product == Engine.load("tpu-like").product
    assert cli("engine", "new")[0] == 0
    assert Engine.load("engine.toml").name == "engine"


def test_no_file_is_overwritten(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("kept")
    one_line(cli("engine", "new", "mine"), "output mine.toml is there already; give another with -o FILE, or remove it")
    assert (tmp_path / "mine.toml").read_text() == "kept"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a/b"], "engine 'a/b': no file can be called so; give one with -o FILE"),
        (["..", "--from", "tpu-like"], "engine '..': no file can be called so"),
        (["x", "--from", "tpu-lik"], "built-in engine 'tpu-lik' is unknown: take one of ethos-u65-like, .*'tpu-like'"),
        ([" "], 'name is " ": write a text of 1 to 100 printable characters'),
        (["x" * 101], "name is .*: write a text of 1 to 100 printable characters"),
        (["x", "-o", "none/x.toml"], "its folder doesn't exist"),
    ],
)
def test_what_is_not_written(cli: Cli, tmp_path: Path, arguments: list[str], words: str) -> None:
    one_line(cli("engine", "new", *arguments), words)
    assert list(tmp_path.iterdir()) == []


def test_check_lists_what_is_assumed(cli: Cli, tmp_path: Path) -> None:
    text = '[[product]]\ntypes = ["int8", "int8"]\naccumulate = "int32"\narray = { K = 8 }\n[local]\nsize = 4096\n'
    (tmp_path / "e.toml").write_text(text + '[operators]\nsupported = ["relu"]\n')
    status, out, err = cli("engine", "check", "e.toml")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0].split() == ["not", "given", "assumed", "what", "it", "is"]
    assert re.search("^memory.bandwidth +unknown: bytes only +Read and written together", out, re.M)
    assert lines[-3:] == [
        "operators.supported: relu is no operator that onnxtile knows; did you mean 'Relu'?",
        "no [[product]] has float32: products of models that aren't quantized have no unit",
        "e.toml describes engine: int8 x int8",
    ]
    document = json.loads(cli("engine", "check", "e.toml", "--json")[1])
    assert (document["schema"], document["name"]) == ("onnxtile.engine-check/1", "engine")
    assert document["remarks"] == lines[-3:-1]
    assert {"field": "memory.latency", "value": "0", "meaning": "Cycles until the first byte, once a product"} in (
        document["assumed"]
    )


def test_a_file_that_gives_everything_has_no_table(cli: Cli, tmp_path: Path) -> None:
    cli("engine", "new")
    text = (tmp_path / "engine.toml").read_text().replace("# supported", "supported").replace("# halo", "halo")
    first, second, rest = text.split("[[product]]")
    text = f"{first}[[product]]{second}{rest[rest.index('[local]') :]}"
    (tmp_path / "engine.toml").write_text(text.replace('windows = "memory"', 'windows = "engine"'))
    out = cli("engine", "check", "engine.toml")[1]
    assert out.splitlines()[-1] == "engine.toml describes engine: int8 x int8"
    assert "not given" not in out


def test_a_bad_file_gets_a_line_for_each_mistake(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text("version = 3")
    for command in ("check", "show"):
        status, out, err = cli("engine", command, "e.toml")
        assert (status, out) == (2, "")
        assert [line.partition(" is ")[0] for line in err.splitlines()] == [
            "onnxtile: e.toml: version", "onnxtile: e.toml: [[product]]", "onnxtile: e.toml: [local]",
        ]  # fmt: skip
        one_line(cli("engine", command, "systolic-33"), "no such file or directory; did you mean 'systolic-32'")


def test_show_prints_the_summary(cli: Cli) -> None:
    status, out, err = cli("engine", "show", "systolic-32")
    assert (status, err) == (0, "")
    assert out == f"{Engine.load('systolic-32')}\n"
    document = json.loads(cli("engine", "show", "ethos-u65-like", "--json")[1])
    assert Engine(**document["engine"]) == Engine.load("ethos-u65-like")
    assert document["peak"][0]["macs"] == 256
    assert (document["peak"][0]["tops"], document["peak"][0]["types"]) == (0.512, ["int8", "int8"])
    assert '"balance": 64,' not in cli("engine", "show", "ethos-u65-like", "--json")[1]  # 256 / 3.75
    assert '"balance": 64\n' in cli("engine", "show", "systolic-32", "--json")[1]
    tpu = json.loads(cli("engine", "show", "tpu-like", "--json")[1])["engine"]
    assert (tpu["memory"]["bandwidth"], Engine(**tpu)) == ("340/7", Engine.load("tpu-like"))


def test_the_built_in_engines_are_listed(cli: Cli) -> None:
    lines = cli("engine", "list")[1].splitlines()
    assert [line.split()[0] for line in lines[1:]] == names()
    assert max(map(len, lines)) <= 80
    document = json.loads(cli("engine", "list", "--json")[1])
    assert [each["engine"]["name"] for each in document["engines"]] == names()


def test_a_terminal_gets_lines_that_fit(cli: Cli, tmp_path: Path) -> None:
    cli("engine", "new")
    with terminal(80) as screen:
        cli("engine", "check", "engine.toml")
    assert "product 2: fill_overlaps" in screen.text and "..." not in screen.text
    assert screen.widest <= 80


def test_the_schema_is_json(cli: Cli) -> None:
    assert json.loads(cli("engine", "schema")[1])["title"] == "onnxtile engine file"


def test_help_names_the_commands(cli: Cli) -> None:
    for arguments in (["engine"], ["engine", "--help"]):
        status, out, _ = cli(*arguments)
        assert status == 0
        assert all(f" {command} " in out for command in ("new", "check", "show", "list", "schema"))
