from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from onnxtile.ir.json_encoding import JsonRecord, encode, json_text
from onnxtile.ir.symbolic.amounts import Range, Unknown, product, symbol


@dataclass(frozen=True)
class Plain(JsonRecord):
    size: object
    name: str = "x"


@dataclass(frozen=True)
class Declared(JsonRecord, members="schema * pass=guilty twice"):
    schema: ClassVar[str] = "test/1"
    guilty: str
    size: int
    rows: tuple[Plain, ...] = ()

    @property
    def twice(self) -> int:
        return 2 * self.size


def test_fields_are_members_in_their_order() -> None:
    assert list(Plain(3).to_json().items()) == [("size", 3), ("name", "x")]


def test_a_class_declares_other_members() -> None:
    document = Declared("p", 4, (Plain(None),)).to_json()
    rows = [{"size": None, "name": "x"}]
    assert list(document.items()) == [("schema", "test/1"), ("size", 4), ("rows", rows), ("pass", "p"), ("twice", 8)]


def test_a_subclass_declares_its_own() -> None:
    @dataclass(frozen=True)
    class Longer(Declared, members="size extra"):
        extra: bool = True

    assert Longer("p", 4).to_json() == {"size": 4, "extra": True}


def test_amounts() -> None:
    n = symbol("N")
    assert encode([3, product([2, n]), Unknown("nobody knows")]) == [3, "2*N", None]
    assert encode(Range(1, None)) == {"min": 1, "max": None}
    assert encode(Range(n, 7)) == {"min": "N", "max": 7}


def test_what_json_has_no_form_for() -> None:
    assert encode({"path": Path("a/b"), "figures": (1.5, float("inf"), float("nan"))}) == {
        "path": "a/b",
        "figures": [1.5, None, None],
    }
    with pytest.raises(TypeError, match="object has no form in JSON"):
        encode([object()])
    assert json.loads(json_text(Plain((1, 2)))) == {"size": [1, 2], "name": "x"}
