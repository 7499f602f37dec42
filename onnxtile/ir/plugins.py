"""Plugins: what other packages offer through entry points; one that is broken is named and left out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Container, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from onnxtile.errors import BrokenPluginError, PluginWarning, UsageError

_NAME = re.compile(r"\w[\w.-]*")
"""Names that pipelines and options can say."""


def plugins(group: str, taken: Container[str] = ()) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name, in the order of names; names that are `taken` or repeat are left out.

    Nothing of them is imported.
    """
    found: dict[str, EntryPoint] = {}
    try:
        points = list(entry_points(group=group))
    except Exception as error:  # some package's metadata can't be read, or isn't what it should be
        leave_out(UsageError(f"plugins ({group}) are left out: {_words(error)}"))
        return found
    for point in sorted(points, key=lambda point: (point.name, point.value)):
        if not _NAME.fullmatch(point.name):
            _leave_out(point, "its name isn't one of letters, digits, -, _ and .")
        elif point.name in taken:
            _leave_out(point, "onnxtile has one of that name")
        elif point.name in found and point.value != found[point.name].value:
            _leave_out(point, f"{named(found[point.name])} has that name")
        else:
            found[point.name] = point
    return found


def loaded(points: dict[str, EntryPoint]) -> Iterator[tuple[str, Any]]:
    """Import plugins one by one, and yield each with its name; one that fails is a PluginWarning."""
    for name, point in points.items():
        try:
            yield name, load(point)
        except UsageError as error:
            leave_out(error)


def load(point: EntryPoint) -> Any:
    """Import a plugin. Raises UsageError that names it."""
    try:
        return point.load()
    except Exception as error:  # importing runs the package's own code, which may raise anything
        raise broken(point, error) from error


def broken(point: EntryPoint, error: object) -> BrokenPluginError:
    """Return the error for a plugin that doesn't do what it should; `error`: an exception, or words."""
    words = _words(error) if isinstance(error, Exception) else error
    return BrokenPluginError(f"plugin {named(point)} is broken: {words}; mend or uninstall it")


def leave_out(error: UsageError) -> None:
    """Warn of a plugin that is left out."""
    warnings.warn(PluginWarning(str(error)), stacklevel=2)


def named(point: EntryPoint) -> str:
    """Return how messages name a plugin: its name, its group and its package."""
    package = "" if point.dist is None else f" of {point.dist.name} {point.dist.version}"
    return f"{point.name!r} ({point.group}{package})"


def _leave_out(point: EntryPoint, why: str) -> None:
    leave_out(UsageError(f"plugin {named(point)} is left out: {why}"))


def _words(error: Exception) -> str:
    """Return the type of an error and what it says, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
