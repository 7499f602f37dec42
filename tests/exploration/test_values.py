from __future__ import annotations

import re

import pytest

from onnxtile.errors import UsageError
from onnxtile.exploration import values
from onnxtile.exploration.values import parse_values


def texts(text: str) -> list[str]:
    return [value.text for value in parse_values(text, "local.size")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("64KiB:1MiB:x4", ["64 KiB", "256 KiB", "1 MiB"]),
        ("64 KiB : 200 KiB : x2", ["64 KiB", "128 KiB"]),
        ("500MHz:1.5GHz:+500MHz", ["500 MHz", "1 GHz", "1.5 GHz"]),
        ("1KB:4KB:x1.5", ["1 kB", "1.5 kB", "2.25 kB", "3.375 kB"]),
        ("0:32:+16,100", ["0", "16", "32", "100"]),
        ("8GB/s,1024MiB", ["8 GB/s", "1 GiB"]),
        ("16x32,2x16x*,true,engine,0.5", ["16x32", "2x16x*", "true", "engine", "0.5"]),
        ("0.5KiB", ["512 B"]),
        ("64Gbit/s:128Gbit/s:x2,800Mbit/s", ["64 Gbit/s", "128 Gbit/s", "800 Mbit/s"]),
    ],
)
def test_values_and_ranges(text: str, shown: list[str]) -> None:
    assert texts(text) == shown


def test_what_the_file_would_hold() -> None:
    contents = [value.content for value in parse_values("16x32,*x8x8,true,8,0.5,B,64KiB", "product.array")]
    assert contents == [{"K": 16, "N": 32}, {"M": None, "K": 8, "N": 8}, True, 8, 0.5, "B", "64 KiB"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("16y16", "'16y16' is no value: write FIELD=VALUE"),
        ("64KiB,,1MiB", "'' is no value"),
        ("64 miles", "'64 miles' has a unit that isn't known"),
        ("8Gb/s", '\'8Gb/s\': b may be bits: write "8 GB/s" for bytes, or "8 Gbit/s" for bits'),
        ("64kb", "'64kb': b may be bits: write \"64 kB\""),
        ("1:2", "'1:2' is no range"),
        ("1:2:3", "'1:2:3' is no range"),
        ("1:a:x2", "'a' is no number"),
        ("64KiB:4MB/s:x2", "counts in different units"),
        ("64KiB:4MiB:+2", "counts in different units"),
        ("1:2:x1", "never gets from its first value to its last"),
        ("0:2:x2", "never gets from its first value to its last"),
        ("2:1:+1", "never gets from its first value to its last"),
        ("1:2:+0", "never gets from its first value to its last"),
        ("1:9:x1.000000000000000001", "gets to values of too many decimals"),
    ],
)
def test_what_is_no_value_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"^--vary local.size: .*{re.escape(words)}"):
        texts(text)


def test_ranges_as_long_as_a_sweep_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MOST_ENGINES", 10)
    assert len(texts("1:10:+1")) == 10
    with pytest.raises(UsageError, match="'1:11:\\+1' has more than 10 values; take larger steps"):
        texts("1:11:+1")
