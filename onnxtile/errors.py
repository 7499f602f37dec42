"""Errors that users see, a type for each kind. Each mistake is one line: which model part, which value, what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pathlib import Path
    from typing import ParamSpec

    Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
MOST_BESIDE = 5_000
"""Files of a folder that a name is compared with."""


class OnnxtileError(Exception):
    """Base of all errors that onnxtile raises on purpose; the command line turns it into exit status 2.

    Several arguments are several mistakes of one file: the message has a line for each. `beneath`: lines that show the
    place of what is wrong, which the command line prints below the message. What would steer a terminal, in names of
    files and models, is spelled out: Python prints messages, too.
    """

    beneath: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The mistakes, one or more."""
        return tuple(spelled_out(str(mistake)) for mistake in self.args)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class UsageError(OnnxtileError):
    """The call is wrong: limits, an option, the name of a pass, of a form or of a dimension, an output path."""


class BrokenPluginError(UsageError):
    """A plugin doesn't do what its group wants; the message names it and its package."""


class ModelError(OnnxtileError):
    """The model is wrong, or its file: unreadable, invalid, inconsistent, unsafe."""


class UnsupportedError(OnnxtileError):
    """The model is right but holds something that can't be carried through; nothing was changed."""


class PassError(OnnxtileError):
    """A pass failed or left an invalid model; the message names the pass, the cause is chained."""


class LimitsError(OnnxtileError):
    """A product exceeds the limits although a pass promised that none does."""


class PluginWarning(UserWarning):
    """A plugin is left out; the message names it, its package and the reason."""


def spelled_out(text: str) -> str:
    """Return the text with control and formatting characters and lone surrogates spelled out, and so on one line."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def system_words(error: BaseException) -> str:
    """Return what the system says of a file that can't be read or written, such as `no such file or directory`."""
    return str(getattr(error, "strerror", None) or error).lower()


def unreadable(path: Path, error: BaseException, cure: str = "") -> str:
    """Return why a file can't be read, with a file beside it that's called much alike, or else with `cure`."""
    meant = _beside(path) if isinstance(error, FileNotFoundError) else ""
    return f"{path}: {system_words(error)}{meant or cure}"


def _beside(path: Path) -> str:
    """Return a question after the file beside a path that has much the same name; its ending alone doesn't count."""
    from difflib import get_close_matches

    try:
        others = list(islice(path.parent.iterdir(), MOST_BESIDE))
    except OSError:
        return ""
    close = get_close_matches(path.stem[:100], {other.stem for other in others}, 1, 0.8)
    return did_you_mean(path.name, (other.name for other in others if other.stem in close))


def wrong_name(words: str, name: object, choices: Iterable[str], otherwise: str = "") -> UsageError:
    """Return the error for a name that isn't one of `choices`; it lists them, and asks after one that is close.

    >>> print(wrong_name("form 'batchd' is unknown", "batchd", ["unrolled", "batched"]))
    form 'batchd' is unknown: take one of unrolled, batched; did you mean 'batched'?
    """
    choices = list(choices)
    return UsageError(f"{words}: take one of {', '.join(choices)}{otherwise}{did_you_mean(name, choices)}")


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return a question after the choice that a wrong name is closest to; no text where none is close."""
    from difflib import get_close_matches

    lower = {choice.lower(): choice for choice in choices}
    close = get_close_matches(str(name)[:100].lower(), lower, 1)
    return f"; did you mean {lower[close[0]]!r}?" if close else ""


def suggesting_options(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Make a function raise UsageError for an option that it doesn't have, with the one that was meant."""
    names = inspect.signature(function).parameters

    @wraps(function)
    def call(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        for name in options:
            if name not in names:
                words = f"{getattr(function, '__name__', function)} has no option {name!r}"
                raise UsageError(words + (did_you_mean(name, names) or f": it has {', '.join(names)}"))
        return function(*args, **options)

    return call
