"""Bound how much a model may ask for: a bound has a name, and `--allow NAME=NUMBER` or `allowing` moves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import NamedTuple

from onnxtile.errors import UsageError, wrong_name


class Bound(NamedTuple):
    """The most that's allowed, and what it's counted in."""

    default: int
    what: str


BOUNDS = {
    "inlined-nodes": Bound(
        50_000, "nodes that a model with local functions has when they are put in the place of their calls"
    ),
    "call-depth": Bound(100, "local functions that call each other, one within the other"),
    "generated-bytes": Bound(
        2 << 30, "bytes that operators (ConstantOfShape, Cast, ...) make of constants, and that are cut ahead of time"
    ),
    "sparse-bytes": Bound(2 << 30, "bytes of a sparse weight when it's written out, as running the model does"),
    "shape-numbers": Bound(4096, "whole numbers of a vector that shapes may depend on; a longer one isn't followed"),
    "axes": Bound(64, "axes of a value whose shape is computed; with more, its shape is unknown"),
}  # fmt: skip
_moved: ContextVar[Mapping[str, int]] = ContextVar("_moved", default=MappingProxyType({}))


def most(name: str) -> int:
    """Return the most that is allowed now."""
    return _moved.get().get(name, BOUNDS[name].default)


def raise_hint(name: str) -> str:
    """Return the end of a message about a bound: how to allow more."""
    return f"more than {most(name):,}; --allow {name}=NUMBER moves that bound"


@contextmanager
def allowing(moved: Mapping[str, int]) -> Iterator[None]:
    """Move bounds for what runs inside, such as {"inlined-nodes": 1_000_000}; UsageError for one that isn't there."""
    for name, number in moved.items():
        if name not in BOUNDS:
            raise wrong_name(f"there is no bound {name!r}", name, BOUNDS)
        if number < 0:
            raise UsageError(f"bound {name} is {number}: give a whole number from 0 on")
    token = _moved.set({**_moved.get(), **moved})
    try:
        yield
    finally:
        _moved.reset(token)


def parse_bounds(texts: Sequence[str]) -> dict[str, int]:
    """Return bounds from texts NAME=NUMBER; UsageError for anything else."""
    moved = {}
    for text in texts:
        name, equals, number = text.partition("=")
        if not (equals and number.isascii() and number.isdigit() and len(number) < 20):
            raise UsageError(f"--allow {text}: write NAME=NUMBER, such as inlined-nodes=1000000")
        moved[name] = int(number)
    return moved
