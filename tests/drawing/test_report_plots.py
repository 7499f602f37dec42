from __future__ import annotations

import onnxtile
from onnxtile.drawing.facts import facts_of
from onnxtile.drawing.report_plots import plots
from tests.drawing.models import lowered, network


def test_costs_memory_and_the_engine_are_drawn() -> None:
    drawn = dict(plots(facts_of(network(), lowered(), engine="systolic-32")))
    assert list(drawn) == [
        "MACs by layer", "Bytes moved by layer", "Cycles by layer", "Utilization by layer, %", "Memory over the run",
        "Roofline of lowered",
    ]  # fmt: skip
    assert "72 nodes of lowered" in drawn["Memory over the run"]
    assert drawn["Roofline of lowered"].count('id="layer-') == 3  # a product is one, whatever it was cut into


def test_layers_that_stayed_as_they_were_are_drawn_beside_the_others() -> None:
    some = onnxtile.lower(network(), (6, 8, 8))  # last fits
    drawn = dict(plots(facts_of(network(), some, engine="systolic-32")))
    for title in ("MACs by layer", "Bytes moved by layer", "Cycles by layer"):
        assert all(f">{name}: " in drawn[title] for name in ("fc", "last", "side")), title
    assert "Cycles by layer" in dict(plots(facts_of(network(), engine="systolic-32")))


def test_one_model_has_its_own() -> None:
    drawn = dict(plots(facts_of(network())))
    assert list(drawn) == ["MACs by layer", "Bytes moved by layer", "Memory over the run"]
    assert "fc: 480" in drawn["MACs by layer"]
