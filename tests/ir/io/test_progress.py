"""Progress is reported now and then, never with more done than there is."""

from __future__ import annotations

from onnxtile.ir.io import progress


def test_bytes_are_reported_now_and_then() -> None:
    reports: list[tuple[str, int, int | None]] = []
    meter = progress.Meter(lambda words, done=0, total=None: reports.append((words, done, total)), "writing", 9_000_000)
    for _ in range(10):
        meter.add(1_000_000)
    assert meter.done == 10_000_000
    assert reports == [("writing 5 MB", 5_000_000, 9_000_000), ("writing 10 MB", 10_000_000, 10_000_000)]


def test_nobody_has_to_listen() -> None:
    progress.silent("words", 1, 2)
