"""Options by the fields of a class, by the parameters of another's __init__, and what text can say."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path

import pytest

from onnxtile.passes import TileMatMul
from onnxtile.passes.pipelines.options import Option, options_of, value_word
from onnxtile.passes.pipelines.syntax import Word


class Colour(enum.Enum):
    """Of a field."""

    RED = "red"
    TWO = 2


class Plain:
    """Isn't a dataclass."""

    def __init__(self, first: int, *rest: str, second: Callable[[int], int] | None = None, third: Nowhere = 1) -> None:  # type: ignore[name-defined]  # noqa: F821
        """Take anything."""


def test_the_parameters_of_a_class() -> None:
    assert list(options_of(TileMatMul))[:3] == ["max", "accumulate", "form"]
    assert options_of(TileMatMul)["max"].takes_limits
    assert list(options_of(Plain)) == ["first", "second", "third"]
    assert options_of(object) == {}


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (Colour, "red", Colour.RED), (Colour, "2", Colour.TWO), (Path, "a/b", Path("a/b")), (list[int], "1,2", [1, 2]),
        (tuple[int, ...], "", ()), (bool | None, "none", None), (float, "inf", float("inf")),
    ],
)  # fmt: skip
def test_values_are_read_and_printed(type_: object, text: str, value: object) -> None:
    assert Option("name", type_).read(Word(text)) == value
    assert value_word(value).text == text


def test_what_text_cannot_say() -> None:
    option = Option("name", Callable[[int], int] | None)
    assert not option.as_text
    with pytest.raises(ValueError, match="^name is 'x'; text can't say what it takes .*: make the pass in Python$"):
        option.read(Word("x"))
    with pytest.raises(ValueError, match="^name is 'blue': take one of red, 2$"):
        Option("name", Colour).read(Word("blue"))
