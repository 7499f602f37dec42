"""Tell the progress of long work."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told what is being done, and, where that can be counted, how much of it is done."""

    def __call__(self, words: str, done: int = 0, total: int | None = None) -> None: ...


def silent(words: str, done: int = 0, total: int | None = None) -> None:
    """Ignore it."""


TOLD_BYTES = 4_000_000
"""Bytes after which progress is told again while a file is written."""


class Meter:
    """Tells of bytes as they are written, now and then; `total` is about how many there will be."""

    def __init__(self, say: Progress, words: str, total: int) -> None:
        self._say, self._words, self._total = say, words, total
        self.done = self._told = 0

    def add(self, count: int) -> None:
        self.done += count
        if self.done - self._told > TOLD_BYTES:
            self._say(f"{self._words} {self.done / 1e6:,.0f} MB", self.done, max(self.done, self._total))
            self._told = self.done
