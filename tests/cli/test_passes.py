"""`onnxtile passes` lists each pass with its options and its equation."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from onnxtile.ir import plugins
from onnxtile.passes.registry import pass_names
from tests.commands import Cli


def test_every_pass_is_listed_with_its_options(cli: Cli) -> None:
    status, out, err = cli("passes")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert [line.partition("{")[0] for line in lines if not line.startswith(" ")] == list(pass_names())
    assert any(line.startswith("    max: limits; accumulate: chain, tree or sum; form: ") for line in lines)
    assert any(line.startswith("tile-matmul{max ") for line in lines)


def test_json_says_the_same(cli: Cli) -> None:
    document = json.loads(cli("passes", "--json")[1])
    assert document["schema"] == "onnxtile.passes/1"
    by_name = {step["name"]: step for step in document["passes"]}
    assert list(by_name) == list(pass_names())
    assert {"max", "accumulate", "form"} <= set(by_name["tile-matmul"]["options"])
    assert by_name["infer-shapes"]["options"] == []
    assert by_name["tile-matmul"]["takes"]["accumulate"] == "chain, tree or sum"
    assert all(list(step["takes"]) == step["options"] for step in by_name.values())


def test_a_broken_plugin_is_named_and_left_out(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints([EntryPoint("broken", "nonesuch:Pass", "onnxtile.passes")])
    monkeypatch.setattr(plugins, "entry_points", lambda **select: points.select(**select))
    status, out, err = cli("passes", "--json")
    assert (status, err) == (
        0,
        "onnxtile: plugin 'broken' (onnxtile.passes) is broken: ModuleNotFoundError: No module named 'nonesuch'; mend "
        "or uninstall it\n",
    )
    assert [step["name"] for step in json.loads(out)["passes"]] == pass_names()[:-1]
