"""What pytest passes over: modules that need torch, where it isn't there."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["onnxtile/torch_frontend/*", "tests/torch_*"]
