"""Options by the fields of a class, by the parameters of another's __init__, and what text can say."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from onnxtile.passes import TileMatMul
from onnxtile.passes.pipelines.options import Option, options_of, value_word
from onnxtile.passes.pipelines.syntax import Word
from onnxtile.passes.repeat import Repeat
from onnxtile.tiling.limits import Limits


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


@pytest.mark.parametrize(
    ("type_", "right", "wrong", "words"),
    [
        (int, [1, np.int64(2)], [True, 1.5, "1", None], "whole number"),
        (float | None, [1, 2.5, np.float32(1), None], ["2.5", True], "number or none"),
        (bool, [True], [1, "true"], "true or false"), (str, ["a"], [1], "text"), (Any, [1, "a"], [], "text"),
        (Literal["a", "b", "c"], ["b"], ["d"], "a, b or c"), (Colour, [Colour.TWO], ["red"], "red or 2"),
        (list[int], [[1, 2], (1,)], ["12", [1.5], 3], "list of whole number"),
        (tuple[int, float], [(1, 2.5)], ["a"], "whole number,number"), (tuple[str, ...], [()], [3], "list of text"),
        (Limits | None, [Limits(1, 2, 3)], ["1,2,3", (1, 2, 3)], "limits or none"),
        (Mapping[str, int], [{"a": 1}], [3], "NAME=whole number"), (Callable[[int], int], [abs], [3], "Callable"),
    ],
)  # fmt: skip
def test_values_in_python(type_: object, right: list[object], wrong: list[object], words: str) -> None:
    option = Option("name", type_)
    assert [option.takes(value) for value in right] == [True] * len(right)
    assert [option.takes(value) for value in wrong] == [False] * len(wrong)
    assert option.words == words


def test_passes_among_options_are_called_so() -> None:
    assert [option.words for option in options_of(Repeat).values()] == ["passes", "whole number or none"]


def test_what_text_cannot_say() -> None:
    option = Option("name", Callable[[int], int] | None)
    assert not option.as_text
    with pytest.raises(ValueError, match="^name is 'x'; text can't say what it takes .*: make the pass in Python$"):
        option.read(Word("x"))
    with pytest.raises(ValueError, match="^name is 'blue': take one of red, 2$"):
        Option("name", Colour).read(Word("blue"))
