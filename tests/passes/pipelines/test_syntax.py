"""Pipelines as text: what is printed is what was read, and every mistake is told with its column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.errors import UsageError
from onnxtile.passes.pipelines.syntax import DEEPEST, LONGEST, Source, Step, Word, read_steps, steps_text
from tests.commands import exact

quoted = st.builds(Word, st.text(max_size=6), quoted=st.just(True))
names = st.builds(Word, st.text("abc-_.:*é", min_size=1, max_size=6)) | quoted
values = st.builds(Word, st.from_regex(r"[ab1*:=/-]+(,[1*-]+)*", fullmatch=True)) | quoted
options = st.lists(st.tuples(names, values), max_size=3)
steps = st.recursive(
    st.builds(Step, names, options.map(tuple)),
    lambda inner: st.builds(Step, names, options.map(tuple), st.lists(inner, min_size=1, max_size=3).map(tuple)),
    max_leaves=6,
)
pipelines = st.lists(steps, min_size=1, max_size=3).map(tuple)


@given(pipelines)
def test_steps_are_read_as_they_are_printed(written: tuple[Step, ...]) -> None:
    text = steps_text(written)
    assert read_steps(Source(text)) == written
    assert steps_text(read_steps(Source(text))) == text


@given(pipelines, st.sampled_from([" ", "\n  ", "\t"]))
def test_spaces_mean_nothing_more_than_one(written: tuple[Step, ...], space: str) -> None:
    plain = tuple(step for step in written if not any(mark in str(step) for mark in '",'))
    if plain:
        text = space + f" ,{space}".join(str(step).replace(" ", space).replace("}", f"{space}}}") for step in plain)
        assert read_steps(Source(text + space)) == plain


def test_spaces_around_the_sign_of_an_option_are_read() -> None:
    assert read_steps(Source('a{x = 1 y= "2"  z =\n3 b{q =1}}')) == read_steps(Source('a{x=1 y="2" z=3 b{q=1}}'))
    assert steps_text(read_steps(Source("a{max = 4,*,4}"))) == "a{max=4,*,4}"


@given(st.text('ab{}=," \\', max_size=12))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        read = read_steps(Source(text))
    except UsageError as refusal:
        error = refusal
    else:
        assert read_steps(Source(steps_text(read))) == read
        return
    assert "\n" not in str(error)


MISTAKES = {
    "": ("the pipeline is empty: name at least one pass, such as infer-shapes", None),
    " \n": ("the pipeline is empty: name at least one pass, such as infer-shapes", None),
    "a,": ("column 2: a comma ends the passes: name another one behind it, or leave it out", " ^"),
    "a,,b": ("column 2: a pass is missing before ',': name one there", " ^"),
    ",a": ("column 1: a pass is missing before ',': name one there", "^"),
    "{x=1}": ("column 1: a pass is missing before '{': name one there", "^"),
    "a b": ("column 3: a comma is missing behind pass a: write NAME,NAME{OPTION=VALUE}", "  ^"),
    "a}": ("column 2: '}' closes nothing: leave it out", " ^"),
    "a{x=1": ("column 2: this brace isn't closed: write '}' behind the options", " ^"),
    "a{b{x=1}": ("column 2: this brace isn't closed: write '}' behind the options", " ^"),
    "a{x=}": ("column 3: option 'x' has no value: write x=VALUE", "  ^"),
    "a{yes = }": ("column 3: option 'yes' has no value: write yes=VALUE", "  ^^^"),
    "a{=1}": ("column 3: an option's name is missing before '=': write NAME=VALUE", "  ^"),
    "=1": ("column 1: a pass is missing before '=': name one there", "^"),
    "a(x=1)": ("column 2: options stand in braces, not behind '(': write a{x=VALUE}", " ^"),
    "b,a[x=1]": ("column 4: options stand in braces, not behind '[': write a{x=VALUE}", "   ^"),
    "a{x=1, y=2}": ("column 6: options have spaces between them: write one for the comma", "     ^"),
    "a{x=1,y=2}": ("column 6: options have spaces between them: write one for the comma", "     ^"),
    'a{x="1}': ("column 5: this quote isn't closed: write another behind the word", "    ^"),
    r'a{x="\q"}': (r"""column 5: "\q" isn't text as JSON has it""", "    ^^^^"),
    "max=4": (
        "column 4: 'max' is followed by '=': options stand in the braces of a pass, NAME{max=...}",
        "   ^",
    ),
    "a{b,}": ("column 4: a comma ends the passes: name another one behind it, or leave it out", "   ^"),
    "a{x=1 b yes =2}": (
        "column 9: options stand in front of the passes: write yes=VALUE before b",
        "        ^^^",
    ),
    "a{b y}": ("column 5: a comma is missing behind pass b: write NAME,NAME{OPTION=VALUE}", "    ^"),
    "a b=1": ("column 3: a comma is missing behind pass a: write NAME,NAME{OPTION=VALUE}", "  ^"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_with_their_column(text: str) -> None:
    words, carets = MISTAKES[text]
    if carets is None:
        with pytest.raises(UsageError, match=exact(words)):
            read_steps(Source(text))
        return
    with pytest.raises(UsageError, match=exact(f"pipeline, {words}")) as caught:
        read_steps(Source(text))
    assert caught.value.beneath == (text, carets)


def test_the_line_is_told_and_the_file() -> None:
    with pytest.raises(UsageError, match=exact("p.toml, line 2, column 4: '}' closes nothing: leave it out")) as caught:
        read_steps(Source("a,\n  b}\n,c", "p.toml"))
    assert caught.value.beneath == ("  b}", "   ^")


def test_carets_stand_below_wide_letters_and_what_steers_a_terminal() -> None:
    error = Source("名前,\x1b,b").mistake("words", 3, 4)
    assert error.beneath == (r"名前,\x1b,b", "     ^^^^")


def test_of_a_text_longer_than_the_longest_its_part_is_shown() -> None:
    text = "a," * (LONGEST // 2)
    assert Source(text).mistake("words", LONGEST - 1, LONGEST).beneath == (text, " " * (LONGEST - 1) + "^")
    line, caret = Source(text + "a").mistake("words", LONGEST, LONGEST + 1).beneath
    assert (len(line), line[:3], line[len(caret) - 1]) == (LONGEST + 3, "...", "a")
    line, caret = Source(f"{text}#{text}").mistake("words", LONGEST, LONGEST + 1).beneath
    assert (line[:3], line[-3:], line[len(caret) - 1]) == ("...", "...", "#")


def test_braces_as_deep_as_the_deepest_and_deeper() -> None:
    text = "a{" * DEEPEST + "a" + "}" * DEEPEST
    assert steps_text(read_steps(Source(text))) == text
    with pytest.raises(UsageError, match="column 42: more than 20 braces within braces: write fewer"):
        read_steps(Source(f"a{{{text}}}"))
