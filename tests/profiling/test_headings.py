from __future__ import annotations

from onnxtile.profiling.comparison import Comparison, compare
from onnxtile.profiling.engine_costs import EngineTotals
from onnxtile.profiling.headings import ENGINE_TOTALS, TOTALS
from onnxtile.profiling.profile import profile
from tests.support import matmul


def test_each_total_that_is_shown_has_a_heading_of_its_own() -> None:
    one = profile(matmul([4, 4], [4, 4], [4, 4]))
    comparison: Comparison = compare(one, one)
    assert comparison.both_totals.keys() == TOTALS.keys()
    assert len(set(TOTALS.values())) == len(TOTALS) and len(set(ENGINE_TOTALS.values())) == len(ENGINE_TOTALS)
    assert all(hasattr(EngineTotals, name) or name in EngineTotals.__dataclass_fields__ for name in ENGINE_TOTALS)
