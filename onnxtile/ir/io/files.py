"""Outputs: written beside their place and moved in whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onnxtile.errors import UsageError, system_words
from onnxtile.ir.io.partial_files import partial_file, partial_folder


def check_output(output: Path, *others: Path) -> None:
    """Refuse an output that can't be or mustn't be written, before any work; UsageError.

    `others`: files that must stay, or that are written as well.
    """
    with _refusing(output):
        _check_place(output)
    if output.is_dir():
        raise UsageError(f"output {output} is a folder; give the path of a file")
    if output.exists() and not output.is_file():
        raise UsageError(f"output {output} isn't a regular file; give the path of one")
    if not output.parent.is_dir():
        raise UsageError(f"output {output}: its folder doesn't exist; make {output.parent} first")
    for path in others:
        same = real(output) == real(path) or (output.exists() and path.exists() and output.samefile(path))
        if same:
            raise UsageError(f"output {output} is {path}, which is needed; give another path")


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """Give a path beside `output` to write to, move it onto `output` if all goes well, or remove it.

    Where `output` is a link, the file that it leads to is replaced. A kill at any moment leaves either the old file or
    the new one. Raises UsageError where the folder can't be written to or is full.
    """
    output = real(output)
    with beside(output) as temporary:
        yield temporary
        move_into_place(temporary, output)


def check_new_folder(folder: Path) -> None:
    """Refuse a folder for outputs that can't be made, or that holds something already; UsageError."""
    with _refusing(folder):
        _check_place(folder)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"output {folder} isn't a folder; give the path of a new one")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"output {folder} is there already and isn't empty; give the path of a new folder")
    if not folder.parent.is_dir():
        raise UsageError(f"output {folder}: its folder doesn't exist; make {folder.parent} first")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside `folder` to write to, move it to `folder` if all goes well, or remove it.

    `folder` must be new, or empty. Raises UsageError where it isn't, or can't be written.
    """
    check_new_folder(folder)
    with _refusing(folder), partial_folder(folder) as temporary:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        temporary.replace(folder)


@contextmanager
def beside(output: Path) -> Iterator[Path]:
    """Give a new file in the folder of `output`, and remove it afterwards; UsageError where that can't be written."""
    with _refusing(output):
        _check_place(output)
        with partial_file(output) as temporary:
            yield temporary


@contextmanager
def _refusing(output: Path) -> Iterator[None]:
    """Raise UsageError where what is done meanwhile raises OSError."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"output {output} can't be written: {system_words(error)}") from error


def _check_place(output: Path) -> None:
    """Raise OSError for a loop of links, a name that no file can have, and a file where a folder should be.

    UsageError for `-`: who says that means standard output, and wouldn't find a file of that name.
    """
    if os.fspath(output) == "-":
        raise UsageError("output -: this doesn't go to standard output; give the path of a file")
    try:
        output.stat()
    except FileNotFoundError:
        pass  # it's new, or a link to what is
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from error


def real(path: Path) -> Path:
    """Return the path with all links followed; one in a loop of links stays."""
    return Path(os.path.realpath(path))


def move_into_place(temporary: Path, output: Path) -> None:
    """Move a file into place once it's on the disk, with the permissions of the one that it replaces."""
    temporary.chmod(output.stat().st_mode if output.exists() else 0o666 & ~_umask())
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(output)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
