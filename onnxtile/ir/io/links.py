"""Say whether data files of models may be links that lead out of the model's folder, once for all that are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_FOLLOWED: ContextVar[bool] = ContextVar("followed", default=False)


def follow_links(follow: bool) -> None:
    """Say whether data files of models that are read from now on may be links that lead out of the model's folder.

    They mayn't by default: a model from a stranger could have any file of this machine put into another.
    """
    _FOLLOWED.set(follow)


@contextmanager
def following_links(follow: bool = True) -> Iterator[None]:
    """Follow links for models that are read in this block; False changes nothing."""
    token = _FOLLOWED.set(follow or _FOLLOWED.get())
    try:
        yield
    finally:
        _FOLLOWED.reset(token)


def links_are_followed() -> bool:
    """Return whether data files may be links that lead out."""
    return _FOLLOWED.get()
