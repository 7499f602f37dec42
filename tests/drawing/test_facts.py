from __future__ import annotations

from onnxtile.drawing.facts import facts_of
from onnxtile.tiling.limits import Limits
from tests.drawing.models import lowered, network


def test_what_is_asked_for_is_told() -> None:
    alone = facts_of(network())
    assert (alone.title, alone.after, alone.comparison, alone.checked) == ("model", None, None, None)
    both = facts_of(network(), lowered(), limits=Limits(4, 4, 4))
    assert both.comparison is not None and [one.name for one in both.comparison.changes] == ["fc", "last", "side"]
    assert both.checked is not None and len(both.checked.over) == 3
    assert both.left is not None and both.left.ok and both.on_engine is None
    free = network()
    for value in (*free.graph.input, *free.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    bound = facts_of(free, lowered(), limits=Limits(4, 4, 4), bind={"batch": 6})  # nothing is free in the second
    assert bound.left is not None and bound.left.ok and bound.checked == both.checked
    engine = facts_of(network(), lowered(), engine="systolic-32")
    assert engine.engine is not None and engine.engine.name == "systolic-32" and engine.on_engine is not None
