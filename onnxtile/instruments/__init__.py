"""Instruments for a PassManager: what can be asked of a pipeline besides its result.

`PassManager(passes, instruments=[VerifyEach(), DumpAfter("all", "dumps")])`. Your own are subclasses of `Instrument`.
"""

from __future__ import annotations

from onnxtile.instrument import Instrument, Step, Timing, Turn
from onnxtile.instruments.dump_after import DumpAfter
from onnxtile.instruments.reproducer import Reproducer
from onnxtile.instruments.verify_each import VerifyEach

__all__ = ["DumpAfter", "Instrument", "Reproducer", "Step", "Timing", "Turn", "VerifyEach"]
