"""What ptflops counts for a call of a torch operator."""

from __future__ import annotations

from onnxtile.profiling.amounts import Amount
from onnxtile.torching.calls import Call


def ptflops_macs(call: Call) -> Amount:
    return 0
