"""The summary as a table for people."""

from __future__ import annotations

import json
from typing import Any

import onnx_ir as ir
from onnx import helper

from onnxtile.cli.views.summary import FactsView
from onnxtile.profiling.summary import facts_of
from tests.profiling.test_summary import model_of, several
from tests.terminals import terminal


def hostile() -> ir.Model:
    """Names of a megabyte, control characters, markup, a thousand operators and metadata."""
    long = "\x1b[2J[red]\u202e" + "y" * 1_000_000
    nodes = [helper.make_node(f"Op{index}[/]", ["x"], [f"v{index}"], domain="local") for index in range(200)]
    attributes: dict[str, Any] = {"a\nb": long.encode(), "c": [1] * 100_000}
    nodes += [helper.make_node(long, ["x"], [long], domain="local", **attributes)]
    model = model_of(nodes, ["v0"])
    model.graph.name = model.producer_name = long
    model.metadata_props.update({f"key{index}": long for index in range(20)})
    return model


def test_hostile_text_is_shortened_on_the_screen_and_exact_in_json() -> None:
    facts = facts_of(hostile())
    with terminal(80) as screen:
        FactsView(facts).print()
    assert len(screen.text) < 30_000
    assert screen.widest <= 80
    assert set("\x1b\u202e").isdisjoint(screen.text)
    assert "Op0[/]" in screen.text
    assert "... and 8 more; --json lists them all" in screen.text
    assert "... and 141 more; --json lists them all" in screen.text
    document = json.loads(json.dumps(facts.to_json()))
    assert len(document["graph_name"]) == len(document["metadata"]["key7"]) == 1_000_010
    (words,) = (attribute for attribute in document["operators"][0]["attributes"] if attribute["name"] == "a\nb")
    assert words["values"][0]["value"].endswith('(1,000,010 characters)"')


def test_the_table_fits_a_terminal() -> None:
    facts = facts_of(several(kernel_shape=[[3, 3], [1, 1], [3, 3]], group=[*range(9)], mode=["a"], rank=[2] * 9))
    with terminal(80) as screen:
        FactsView(facts).print()
    lines = screen.lines
    assert screen.widest <= 80
    assert "inputs      x: float32[n,4]" in lines
    assert "free sizes  n" in lines
    assert "nodes       9 of 1 operator" in lines
    assert "local::What      9  group 0..8, 9 values" in lines
    told = [line.strip() for line in lines]
    assert {"kernel_shape [1,1] x 1, [3,3] x 2", 'mode "a" x 1', "rank 2"} <= set(told)
