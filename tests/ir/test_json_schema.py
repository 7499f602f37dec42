"""JSON Schema of classes: what `encode` writes of them holds, and nothing else does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import sympy
from jsonschema import Draft202012Validator
from typing_extensions import NotRequired, TypedDict

from onnxtile.ir.json_encoding import JsonRecord, encode
from onnxtile.ir.json_schema import json_schema
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown


class Shapes(TypedDict):
    late: NotRequired[str]


@dataclass(frozen=True)
class Inner:
    """A plain dataclass."""

    amount: Amount
    pair: tuple[int, str] = (1, "a")


@dataclass(frozen=True)
class Outer(JsonRecord, members="schema * called=double", shapes=Shapes):
    """All kinds of members."""

    schema: ClassVar[str] = "outer/1"
    rows: tuple[Inner, ...]
    by_name: Mapping[str, float | None]
    kind: Literal["a", "b"]
    place: Path | None = None
    any: Any = None

    @property
    def double(self) -> int:
        return 2 * len(self.rows)

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | ({"late": "yes"} if self.any else {})


SCHEMA = json_schema(Outer, "outer/1")


def valid(document: object) -> bool:
    return Draft202012Validator(SCHEMA).is_valid(document)


@pytest.mark.parametrize(
    "amount", [3, sympy.Symbol("n") * 2, Range(0, None), Range(1, sympy.Symbol("n")), Unknown("?")]
)
def test_what_is_written_holds(amount: Amount) -> None:
    inner = Inner(amount)
    assert valid(encode(Outer((inner,), {"x": math.inf, "y": 0.5, "z": None}, "a", Path("p"))))
    assert valid(encode(Outer((), {}, "b", any=[1])))


def test_members_their_order_and_what_may_be_absent() -> None:
    assert list(SCHEMA["properties"]) == ["schema", "rows", "by_name", "kind", "place", "any", "called", "late"]
    assert "late" not in SCHEMA["required"] and "called" in SCHEMA["required"]
    assert SCHEMA["properties"]["called"] == {"type": "integer"}
    assert SCHEMA["$defs"]["Inner"]["description"] == "A plain dataclass."


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "outer/2"}, {"kind": "c"}, {"more": 1}, {"called": "2"}, {"by_name": {"x": "1"}}, {"place": 1},
        {"rows": [{"amount": 1}]}, {"rows": [{"amount": 1.5, "pair": [1, "a"]}]}, {"late": 1},
        {"rows": [{"amount": {"min": 1}, "pair": [1, "a"]}]}, {"rows": [{"amount": 1, "pair": [1, "a", 2]}]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_written_does_not(change: dict[str, Any]) -> None:
    document = encode(Outer((), {}, "a"))
    assert valid(document) and not valid(document | change)


def test_a_type_without_a_form_in_json() -> None:
    @dataclass
    class Bad:
        number: complex

    with pytest.raises(TypeError, match="complex.* has no form in JSON"):
        json_schema(Bad, "bad/1")
