"""Deliberate faults in lowered models: what a verifier must catch.

Each is put into a model that was lowered right, as a faulty pass might have left it; the model still loads and runs.
`tests/test_mutations.py` holds `verify` to them, `benchmarks/mutations.py` sets it beside other tools.
"""

from __future__ import annotations

from tests.faults import elsewhere, forms, operators, tiles
from tests.faults.cases import Case
from tests.faults.fault import SIZES, Fault, distance, failing, feeds, run

__all__ = ["CASES", "FAULTS", "SIZES", "Case", "Fault", "distance", "failing", "feeds", "run"]

FAULTS: tuple[Fault, ...] = (*tiles.FAULTS, *forms.FAULTS, *operators.FAULTS, *elsewhere.FAULTS)
CASES: tuple[Case, ...] = tuple(dict.fromkeys(fault.case for fault in FAULTS))
"""The models that the faults are put into, each once."""
