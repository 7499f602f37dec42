"""Errors that name what was meant."""

from __future__ import annotations

from onnxtile.errors import UsageError, did_you_mean, wrong_name


def test_a_close_name_is_asked_after() -> None:
    assert did_you_mean("Batch", ["loop", "batched"]) == "; did you mean 'batched'?"
    assert did_you_mean(None, ["loop", "batched"]) == ""


def test_all_names_are_listed() -> None:
    error = wrong_name("form 'spiral' is unknown", "spiral", ["loop", "batched"], ", or auto")
    assert isinstance(error, UsageError)
    assert str(error) == "form 'spiral' is unknown: take one of loop, batched, or auto"
