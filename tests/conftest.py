"""Hypothesis profiles: a quick one by default, a long one for `make test-long`; and a processor of another kind."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("quick", max_examples=40, derandomize=True, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("long", max_examples=3000, **_COMMON)  # type: ignore[arg-type]
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

if os.environ.get("ONNXTILE_TEST_SATURATES") == "1":  # here, and in processes that are started from here
    folder = Path(__file__).parent / "saturating"
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    runpy.run_path(str(folder / "sitecustomize.py"))
