"""A cast to a type that holds the numbers changes nothing; a narrower one rounds, and that shows."""

from __future__ import annotations

import pytest

from tests.verification.pairs import status


@pytest.mark.parametrize(
    ("kind", "casts", "wanted"),
    [
        ("float", "t = Cast <to = 11> (x)  y = Cast <to = 1> (t)", "proven"),
        ("float", "t = Cast <to = 10> (x)  y = Cast <to = 1> (t)", "different"),
        ("float16", "t = Cast <to = 1> (x)  y = Cast <to = 10> (t)", "proven"),
        ("float", "t = Cast <to = 7> (x)  y = Cast <to = 1> (t)", "different"),
        ("int8", "t = Cast <to = 6> (x)  y = Cast <to = 3> (t)", "proven"),
        ("int32", "t = Cast <to = 3> (x)  y = Cast <to = 6> (t)", "different"),
        ("bfloat16", "t = Cast <to = 10> (x)  y = Cast <to = 16> (t)", "different"),
    ],
)
def test_there_and_back(kind: str, casts: str, wanted: str) -> None:
    assert status(f"({kind}[4] x) => ({kind}[4] y)", "y = Identity (x)", casts) == wanted
