"""Files in the making: locked while their run lives, so that the next run tells which are left from a dead one."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, and nothing of others is removed
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".partial"
_LONGEST = 100
"""Bytes of the output's name that are in the name of a file in the making; systems allow 255 in all."""


def partial_file(output: Path) -> AbstractContextManager[Path]:
    """Make a new file beside `output` to write to; it's gone afterwards, unless it was moved.

    What dead runs left for the same output is removed first. Raises OSError where the folder can't take it.
    """

    def make() -> tuple[Path, int | None]:
        number, name = tempfile.mkstemp(prefix=_prefix(output), suffix=_SUFFIX, dir=output.parent)
        return Path(name), number

    return _locked(output, make, lambda path: path.unlink(missing_ok=True))


def partial_folder(output: Path) -> AbstractContextManager[Path]:
    """Make a new folder beside `output`, as `partial_file` makes a file."""

    def make() -> tuple[Path, int | None]:
        path = Path(tempfile.mkdtemp(prefix=_prefix(output), suffix=_SUFFIX, dir=output.parent))
        return path, _open(path)

    return _locked(output, make, lambda path: shutil.rmtree(path, ignore_errors=True))


@contextmanager
def _locked(
    output: Path, make: Callable[[], tuple[Path, int | None]], remove: Callable[[Path], None]
) -> Iterator[Path]:
    remove_left_over(output)
    while True:
        path, number = make()
        if number is None or (_lock(number) and _is_same(number, path)):
            break
        os.close(number)  # another run took it for left over, before it was locked
    try:
        yield path
    finally:
        remove(path)
        if number is not None:
            os.close(number)


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Keep other runs from removing a file that is there; False where it's gone."""
    number = _open(path)
    try:
        yield number is not None and _lock(number, shared=True) and _is_same(number, path)
    finally:
        if number is not None:
            os.close(number)


def remove_unless_held(path: Path) -> None:
    """Remove a file, or a folder in the making, that no living run holds."""
    if fcntl is None or (number := _open(path)) is None:
        return
    try:
        if _lock(number) and _is_same(number, path):
            with contextlib.suppress(OSError):  # of somebody else: it stays
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        os.close(number)


def remove_left_over(output: Path) -> None:
    """Remove what dead runs left that were making `output`."""
    pattern = re.compile(re.escape(_prefix(output)) + r"\w{8}" + re.escape(_SUFFIX))
    with os.scandir(output.parent) as entries:
        left = [entry.name for entry in entries if pattern.fullmatch(entry.name) and not entry.is_symlink()]
    for name in left:
        remove_unless_held(output.parent / name)


def _prefix(output: Path) -> str:
    name = output.name[:_LONGEST]
    while len(os.fsencode(name)) > _LONGEST:  # a letter may be several bytes
        name = name[:-1]
    return f".{name}."


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None


def _lock(number: int, shared: bool = False) -> bool:
    """Lock an open file, or don't wait; file systems without locks take it for locked."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(number, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_same(number: int, path: Path) -> bool:
    """Return whether an open file is still the one at this path."""
    try:
        return os.path.samestat(os.fstat(number), path.stat())
    except OSError:
        return False


@contextmanager
def alone_with(path: Path) -> Iterator[bool]:
    """Keep other runs that ask so from a file that is there; False where one has it."""
    number = _open(path)
    try:
        yield number is None or _lock(number)
    finally:
        if number is not None:
            os.close(number)
