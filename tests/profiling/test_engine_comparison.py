"""A lowered model on an engine beside the original."""

from __future__ import annotations

import onnxtile
from onnxtile.profiling.engine_comparison import compare_on_engine
from tests.profiling.test_engine_profile import SMALL, network, profiled


def test_products_by_their_origin() -> None:
    model = network()
    lowered = onnxtile.lower(model, engine=SMALL)
    compared = compare_on_engine(profiled(model), profiled(lowered))
    assert [change.name for change in compared.changes] == ["conv", "fc", "batch"]
    for change in compared.changes:
        assert change.bytes[0] == change.bytes[1]
        assert change.cycles[0] == change.cycles[1]
    conv, fc, batch = compared.changes
    assert isinstance(conv.beside, int) and isinstance(fc.beside, int)
    assert conv.beside > fc.beside > 0  # windows are formed; a bias is added
    assert batch.beside == 0
    assert compared.both_totals["bytes"][0] == compared.both_totals["bytes"][1]
    largest = compare_on_engine(profiled(model), profiled(onnxtile.lower(model, (4, 6, 5))))
    assert all(change.bytes[1] > change.bytes[0] for change in largest.changes)  # type: ignore[operator]
