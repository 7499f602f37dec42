"""Python's collector is paused for a while, and runs afterwards if it did before."""

from __future__ import annotations

import gc

import pytest

from onnxtile.ir.collector import collector_paused


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("for_good", [True, False])
def test_the_collector_is_paused_and_then_as_before(enabled: bool, for_good: bool) -> None:
    before, frozen = gc.isenabled(), gc.get_freeze_count()
    try:
        (gc.enable if enabled else gc.disable)()
        with collector_paused(for_good):
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
        assert (gc.get_freeze_count() > frozen) == for_good
    finally:
        gc.unfreeze()
        (gc.enable if before else gc.disable)()
