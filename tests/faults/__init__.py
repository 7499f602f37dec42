"""Deliberate faults in lowered models: what a verifier must catch.

FAULTS: each is put into a model that was lowered right, as a faulty pass might have left it; the model still loads and
runs. `tests/verification/test_mutations.py` holds `verify` to them, `benchmarks/mutations.py` sets it beside others.

FORGERIES: wrong models beside their originals, written by hand, some of them hostile; an input shows each.
`tests/verification/test_forgeries.py` holds `verify` to them.
"""

from __future__ import annotations

from tests.faults import (
    convolutions,
    elsewhere,
    forged_control,
    forged_hostile,
    forged_layers,
    forged_likeness,
    forged_lowerings,
    forged_names,
    forged_numbers,
    forged_operators,
    forged_recurrent,
    forged_rounding,
    forged_signs,
    forged_sizes,
    forged_structure,
    forged_together,
    forged_types,
    forms,
    operators,
    quantized_convolutions,
    tiles,
    transposed,
)
from tests.faults.cases import Case
from tests.faults.fault import SIZES, Fault, distance, failing, feeds, run
from tests.faults.forgery import Forgery

__all__ = ["CASES", "FAULTS", "FORGERIES", "SIZES", "Case", "Fault", "Forgery", "distance", "failing", "feeds", "run"]

FAULTS: tuple[Fault, ...] = (
    *tiles.FAULTS,
    *forms.FAULTS,
    *operators.FAULTS,
    *elsewhere.FAULTS,
    *transposed.FAULTS,
    *convolutions.FAULTS,
    *quantized_convolutions.FAULTS,
)
CASES: tuple[Case, ...] = tuple(dict.fromkeys(fault.case for fault in FAULTS))
"""The models that the faults are put into, each once."""
FORGERIES: tuple[Forgery, ...] = (
    *forged_rounding.FORGERIES, *forged_names.FORGERIES, *forged_sizes.FORGERIES, *forged_control.FORGERIES,
    *forged_numbers.FORGERIES, *forged_operators.FORGERIES, *forged_lowerings.FORGERIES,
    *forged_hostile.FORGERIES, *forged_layers.FORGERIES, *forged_likeness.FORGERIES, *forged_signs.FORGERIES,
    *forged_together.FORGERIES, *forged_structure.FORGERIES, *forged_types.FORGERIES,
    *forged_recurrent.FORGERIES,
)  # fmt: skip
