"""Options that commands share."""

from __future__ import annotations

import pytest

from onnxtile.cli.options import parse_bind
from onnxtile.errors import UsageError


def test_sizes_by_name() -> None:
    assert parse_bind(None) == {}
    assert parse_bind(["batch=1", "a=b=0", "x_0=9223372036854775807"]) == {"batch": 1, "a=b": 0, "x_0": 2**63 - 1}


def test_several_sizes_in_one() -> None:
    assert parse_bind(["batch=1,seq=128", "n=2, m=3"]) == {"batch": 1, "seq": 128, "n": 2, "m": 3}
    assert parse_bind(["max(a,b)=1,c=2"]) == {"max(a,b)": 1, "c": 2}


@pytest.mark.parametrize(
    "pair",
    [
        "batch",
        "batch=",
        "=1",
        "batch=-1",
        "batch=1.5",
        "batch=1e3",
        "batch=²",
        "b=" + "1" * 20,
        "a=1,",
        "a=1,b",
        ",",
        "",
    ],
)
def test_what_is_no_size(pair: str) -> None:
    with pytest.raises(UsageError, match="write NAME=INT, such as batch=1"):
        parse_bind([pair])


def test_a_name_is_bound_once() -> None:
    for texts in (["batch=1", "batch=2"], ["batch=1,batch=2"]):
        with pytest.raises(UsageError, match="batch=2: batch is bound to 1 already; give it once"):
            parse_bind(texts)
