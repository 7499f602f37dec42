from __future__ import annotations

import sys

import pytest

from onnxtile.errors import UsageError
from onnxtile.exploration.fit import Numbers
from onnxtile.exploration.fitted_file import with_numbers

NUMBERS = Numbers({"int8 x int8": 5}, {"int8 x int8": 9}, 7.5)


def test_three_numbers_change_and_nothing_else() -> None:
    text = """# mine
version = 1
[[product]]   # the one that was measured
types = ["int8", "int8"]
fill = 32     # cycles
array = { K = 8, N = 8 }

[[product]]
types = ["float16", "float16"]
fill = 1

[memory]
bandwidth = "16 GB/s"  # of the data sheet
burst = 64
"""
    expected = (
        text.replace("fill = 32 ", "fill = 5 ")
        .replace("array = { K = 8, N = 8 }\n", "array = { K = 8, N = 8 }\ncall = 9\n")
        .replace('"16 GB/s"', "7.5")
    )
    assert with_numbers(text, NUMBERS) == expected


def test_a_memory_that_was_not_described() -> None:
    text = 'product = [{ types = ["int8", "int8"], call = 1 }]\n'
    written = with_numbers(text, NUMBERS)
    assert "call = 9" in written and "fill = 5" in written
    assert written.endswith("[memory]\nbandwidth = 7.5\n")


def test_tomlkit_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    with pytest.raises(UsageError, match=r"pip install 'onnxtile\[fit\]'"):
        with_numbers("", NUMBERS)
