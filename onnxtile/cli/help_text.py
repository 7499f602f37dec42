"""Help as it's read: paragraphs fill their lines, and options that take no value have no type."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Command(TyperCommand):
    """A command whose help isn't broken where its docstring is."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.help = in_paragraphs(self.help or "")

    def get_params(self, *arguments: Any) -> Any:
        return _without_types(super().get_params(*arguments))


class _Group(TyperGroup):
    def get_params(self, *arguments: Any) -> Any:
        return _without_types(super().get_params(*arguments))


class Commands(typer.Typer):
    """Commands, and groups of them, with such help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"cls": _Group, **options})

    def command(self, name: str | None = None, **options: Any) -> Callable[[_Function], _Function]:
        return super().command(name, **{"cls": _Command, **options})


def in_paragraphs(text: str) -> str:
    r"""Return text with each paragraph on one line.

    >>> in_paragraphs("One\n    two.\n\n    Three\n    four.")
    'One two.\n\nThree four.'
    """
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def _without_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters
