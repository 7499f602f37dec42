"""How long work tells what it's doing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told what is being done, and, where that can be counted, how much of it is done."""

    def __call__(self, words: str, done: int = 0, total: int | None = None) -> None: ...


def silent(words: str, done: int = 0, total: int | None = None) -> None:
    """For callers who don't want to know."""
