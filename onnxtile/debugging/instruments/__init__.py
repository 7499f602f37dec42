"""Watch a pipeline of passes: `PassManager(passes, instruments=[VerifyEach(), DumpAfter("all", "dumps")])`."""

from __future__ import annotations

from onnxtile.debugging.instruments.dump_after import DumpAfter
from onnxtile.debugging.instruments.reproducer import Reproducer
from onnxtile.debugging.instruments.verify_each import VerifyEach
from onnxtile.passes.instrument import Instrument, Step, Timing, Turn

__all__ = ["DumpAfter", "Instrument", "Reproducer", "Step", "Timing", "Turn", "VerifyEach"]
