from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.engine.operands import Operands
from onnxtile.engine.placements import Placements, Roles, schedule_of
from onnxtile.engine.traffic import traffic
from tests.engine.strategies import convolutions, engines, products


@given(st.data())
def test_what_holds_for_one_schedule_holds_for_many(data: st.DataObject) -> None:
    """Bytes are at most what's said, and exactly that for the kind that the schedule is of; what fits has room."""
    engine = data.draw(engines())
    product, unit = data.draw(st.one_of(products(engine, 12), convolutions(engine, 3))), engine.product[0]
    operands = Operands(product, unit, engine)
    stays, x, y = data.draw(st.sampled_from([("A", "m", "k"), ("A", "k", "m"), ("B", "k", "n"), ("C", "n", "m")]))
    roles = Roles.of(stays, x, y)
    tile = {axis: data.draw(st.integers(1, size)) for axis, size in operands.size.items()}
    kind = data.draw(st.sampled_from(["strip of x", "strip of y", "x once", "last of x once"]))
    if kind.endswith("once"):
        tile[roles.z] = operands.size[roles.z]
    first, second = (min(operands.size[axis], tile[axis] * data.draw(st.integers(1, 4))) for axis in (x, y))
    columns = tuple(np.array([[tile[axis]]]) for axis in roles[3:])
    found = Placements(operands, roles, kind, (columns[0], columns[1], columns[2]), np.array([[first]]))
    schedule = schedule_of(roles, kind, tile, first, second)
    moved, block = traffic(product, schedule, unit, engine), np.array([[second]])
    said = int(found.bytes(block)[0, 0])
    assert moved.total == said if kind.endswith("once") else moved.total <= said
    assert found.bytes(block, bound=True) <= said
    assert bool(found.fits(block)) == operands.fits(moved.local)
    if found.fits(block):
        assert found.room() >= (second if second == operands.size[y] else second // tile[y] * tile[y])
