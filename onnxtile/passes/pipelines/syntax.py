r"""Read a pipeline's text as steps, each word with its place, and print steps as the same text.

    pipeline = step ("," step)*
    step     = name [ "{" option* [pipeline] "}" ]
    option   = name "=" value

Options have spaces between them, and may have some around `=`. A word may be in quotes, as JSON has them:
`max="engine:my folder/e.toml"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from unicodedata import east_asian_width

from onnxtile.errors import UsageError
from onnxtile.ir.printable import printable

LONGEST = 100
"""Characters of a pipeline that are shown above the caret."""
DEEPEST = 20
"""Braces within braces that are read."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NAME, _VALUE = re.compile(r'[^\s{}",=]+'), re.compile(r'[^\s{}"]+')
_OPTION = re.compile(rf"({_NAME.pattern})\s*=")
_SPACE = re.compile(r"\s*")
_COMMA_FOR_SPACE = re.compile(r",(?=$|[A-Za-z_]\w*=)")


@dataclass(frozen=True)
class Source:
    """A text and what it's called in messages."""

    text: str = ""
    name: str = "pipeline"

    def mistake(self, words: str, start: int, end: int) -> UsageError:
        """Return the error that says `words` of the text from `start` to `end`, with the column, and carets beneath."""
        line_start = self.text.rfind("\n", 0, start) + 1
        number, column = self.text.count("\n", 0, start) + 1, start - line_start + 1
        where = f"line {number}, column {column}" if "\n" in self.text else f"column {column}"
        error = UsageError(f"{self.name}, {where}: {words}")
        line = self.text[line_start:].partition("\n")[0]
        first = max(0, min(column - 1 - LONGEST // 2, len(line) - LONGEST))
        shown = line[first : first + LONGEST]
        before = "..." * bool(first) + printable(shown[: column - 1 - first])
        marked = printable(shown[column - 1 - first : end - line_start - first])
        rest = shown[max(0, end - line_start - first) :]
        after = "..." * (first + LONGEST < len(line))
        error.beneath = (
            f"{before}{marked}{printable(rest)}{after}", " " * _columns(before) + "^" * max(1, _columns(marked))
        )  # fmt: skip
        return error


@dataclass(frozen=True)
class Word:
    """A name or a value; where it stands matters to messages only."""

    text: str
    quoted: bool = False
    source: Source = field(default_factory=Source, compare=False, repr=False)
    start: int = field(default=-1, compare=False, repr=False)
    end: int = field(default=-1, compare=False, repr=False)

    def mistake(self, words: str) -> UsageError:
        """Return the error that says `words` of this one."""
        if self.start < 0:
            return UsageError(f"{self.source.name}: {words}")
        return self.source.mistake(words, self.start, self.end)

    def as_text(self, bare: re.Pattern[str]) -> str:
        """Return the word, in quotes where it has some or needs them."""
        plain = not self.quoted and bare.fullmatch(self.text) and not _COMMA_FOR_SPACE.search(self.text)
        return self.text if plain else json.dumps(self.text, ensure_ascii=False)


@dataclass(frozen=True)
class Step:
    """A pass's name, its options, and the steps within its braces (None: none are written)."""

    name: Word
    options: tuple[tuple[Word, Word], ...] = ()
    steps: tuple[Step, ...] | None = None

    def __str__(self) -> str:
        options = [f"{key.as_text(_NAME)}={value.as_text(_VALUE)}" for key, value in self.options]
        inner = [steps_text(self.steps)] if self.steps else []
        return self.name.as_text(_NAME) + (f"{{{' '.join([*options, *inner])}}}" if options or inner else "")


def steps_text(steps: tuple[Step, ...]) -> str:
    """Return steps as `read_steps` reads them.

    >>> steps_text(read_steps(Source('a{}, repeat{times=2  b, "c"{x="1 2"} }')))
    'a,repeat{times=2 b,"c"{x="1 2"}}'
    """
    return ",".join(map(str, steps))


def read_steps(source: Source) -> tuple[Step, ...]:
    """Read a pipeline's text. Raises UsageError with the column of what it can't read."""
    reader = _Reader(source)
    reader.skip()
    if not source.text.strip():
        raise UsageError(f"the {source.name} is empty: name at least one pass, such as infer-shapes")
    steps = reader.steps(0)
    if reader.at < len(source.text):
        raise reader.mistake("'}' closes nothing: leave it out")
    return steps


class _Reader:
    """Reads from left to right; `at` is where it stands."""

    def __init__(self, source: Source) -> None:
        self._source, self._text, self.at = source, source.text, 0

    def mistake(self, words: str, start: int | None = None) -> UsageError:
        """Return the error for the character at `start`, or where the reader stands."""
        start = self.at if start is None else start
        return self._source.mistake(words, start, start + 1)

    def skip(self) -> None:
        space = _SPACE.match(self._text, self.at)
        assert space is not None  # it may be empty
        self.at = space.end()

    def steps(self, depth: int) -> tuple[Step, ...]:
        """Read steps up to the end, or up to a brace that closes."""
        steps: list[Step] = []
        while True:
            self.skip()
            name = self._word(_NAME)
            if name is None:
                at = self._text.rfind(",", 0, self.at) if steps else None
                raise self.mistake(self._missing(bool(steps), depth), at)
            steps.append(self._braces(name, depth))
            self.skip()
            if self._next() in ("", "}"):
                return tuple(steps)
            if not self._take(","):
                raise self._instead_of_a_comma(name, steps, depth)

    def _missing(self, behind_another: bool, depth: int) -> str:
        """Return what is said where a pass's name is missing."""
        if depth and self._next() == "=":
            return "an option's name is missing before '=': write NAME=VALUE"
        if behind_another and self._next() in ("", "}"):
            return "a comma ends the passes: name another one behind it, or leave it out"
        return f"a pass is missing before {self._next()!r}: name one there"

    def _instead_of_a_comma(self, name: Word, steps: Sequence[Step], depth: int) -> UsageError:
        """Return the error for what stands behind a step, the last of `steps`, without a comma."""
        if self._next() == "=":
            before, bracket, key = name.text.partition("(" if "(" in name.text else "[")
            if bracket and before and not name.quoted:
                words = f"options stand in braces, not behind {bracket!r}: write {before}{{{key}=VALUE}}"
                return self.mistake(words, name.start + len(before))
            words = f"{name.text!r} is followed by '=': options stand in the braces of a pass, NAME{{{name.text}=...}}"
            return self.mistake(words)
        option = _OPTION.match(self._text, self.at)
        if option is not None and depth:
            words = f"options stand in front of the passes: write {option[1]}=VALUE before {steps[0].name.text}"
            return self._source.mistake(words, *option.span(1))
        return self.mistake(f"a comma is missing behind pass {name.text}: write NAME,NAME{{OPTION=VALUE}}")

    def _braces(self, name: Word, depth: int) -> Step:
        """Read the braces behind a pass's name, if there are some."""
        self.skip()
        opened = self.at
        if not self._take("{"):
            return Step(name)
        if depth == DEEPEST:
            raise self.mistake(f"more than {DEEPEST} braces within braces: write fewer", opened)
        options: list[tuple[Word, Word]] = []
        steps: tuple[Step, ...] | None = None
        while steps is None:
            self.skip()
            if self._next() in ("", "}"):
                break
            start, key = self.at, self._word(_NAME)
            self.skip()
            if key is None or not self._take("="):
                self.at = start
                steps = self.steps(depth + 1)
                break
            options.append((key, self._value(key)))
        if not self._take("}"):
            raise self.mistake("this brace isn't closed: write '}' behind the options", opened)
        return Step(name, tuple(options), steps)

    def _value(self, key: Word) -> Word:
        self.skip()
        value = self._word(_VALUE)
        if value is None:
            raise key.mistake(f"option {key.text!r} has no value: write {key.text}=VALUE")
        if not value.quoted and (comma := _COMMA_FOR_SPACE.search(value.text)):
            raise self.mistake("options have spaces between them: write one for the comma", value.start + comma.start())
        return value

    def _word(self, bare: re.Pattern[str]) -> Word | None:
        """Read a word in quotes or without; None: there's none."""
        start, quoted = self.at, self._next() == '"'
        found = (_QUOTED if quoted else bare).match(self._text, start)
        if found is None:
            if quoted:
                raise self.mistake("this quote isn't closed: write another behind the word")
            return None
        self.at = found.end()
        text = found[0]
        if quoted:
            try:
                text = json.loads(text, strict=False)
            except ValueError as error:
                raise self._source.mistake(f"{text} isn't text as JSON has it", start, self.at) from error
        return Word(text, quoted, self._source, start, self.at)

    def _next(self) -> str:
        return self._text[self.at : self.at + 1]

    def _take(self, letter: str) -> bool:
        taken = self._next() == letter
        self.at += taken
        return taken


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(1 + (east_asian_width(letter) in "WF") for letter in text)
