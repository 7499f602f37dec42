"""Outputs: written beside their place and moved in whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onnxtile.errors import UsageError


def check_output(output: Path, *others: Path) -> None:
    """Refuse an output that can't be or mustn't be written, before any work; UsageError.

    `others`: files that must stay, or that are written as well.
    """
    if output.is_dir():
        raise UsageError(f"output {output} is a folder; give the path of a file")
    if output.exists() and not output.is_file():
        raise UsageError(f"output {output} isn't a regular file; give the path of one")
    if not output.parent.is_dir():
        raise UsageError(f"output {output}: its folder doesn't exist; make {output.parent} first")
    for path in others:
        same = output.resolve() == path.resolve() or (output.exists() and path.exists() and output.samefile(path))
        if same:
            raise UsageError(f"output {output} is {path}, which is needed; give another path")


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """A path beside `output` to write to; moved onto `output` if all goes well, removed otherwise.

    Where `output` is a link, the file that it leads to is replaced. A kill at any moment leaves either the old file or
    the new one. Raises UsageError where the folder can't be written to or is full.
    """
    output = output.resolve()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{output.name}.", suffix=".partial", dir=output.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(output.stat().st_mode if output.exists() else 0o666 & ~_umask())
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(output)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"output {output} can't be written: {(error.strerror or str(error)).lower()}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
