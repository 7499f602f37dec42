"""`onnxtile passes` lists each pass with its options and its equation."""

from __future__ import annotations

import json

from onnxtile.passes.registry import pass_names
from tests.commands import Cli


def test_every_pass_is_listed_with_its_options(cli: Cli) -> None:
    status, out, err = cli("passes")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert [line.partition("{")[0] for line in lines[::2]] == list(pass_names())
    assert all(line.startswith("    ") and line.strip() for line in lines[1::2])
    assert any(line.startswith("tile-matmul{max ") for line in lines)


def test_json_says_the_same(cli: Cli) -> None:
    document = json.loads(cli("passes", "--json")[1])
    assert document["schema"] == "onnxtile.passes/1"
    by_name = {step["name"]: step for step in document["passes"]}
    assert list(by_name) == list(pass_names())
    assert {"max", "accumulate", "form"} <= set(by_name["tile-matmul"]["options"])
    assert by_name["infer-shapes"]["options"] == []
