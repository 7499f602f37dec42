"""Extensions of onnxtile for the Edge-16: an operator, passes, a form, an engine."""

from pathlib import Path

ENGINE = Path(__file__).with_name("edge-16.toml")
"""The engine's description, by which `--engine edge-16` finds it."""
