"""Leave modules that need torch out of the tests, where it isn't installed."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["onnxtile/torch_frontend/*", "tests/torch_*"]
