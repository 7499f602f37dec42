"""Data files beside a model, in which weights lie: where they may be, how they're read, named, written and removed."""

from __future__ import annotations

import filecmp
import mmap
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError, UsageError, system_words
from onnxtile.ir.io.files import beside, move_into_place, real
from onnxtile.ir.io.links import links_are_followed
from onnxtile.ir.io.partial_files import held, remove_unless_held


class FoundDataFile(NamedTuple):
    """A data file, all links followed; `outside`: it isn't in the model's folder."""

    path: Path
    size: int
    outside: bool


def find(folder: Path, location: str) -> FoundDataFile:
    """Find the data file that a model in `folder` names by `location`. Tensors share it: `functools.cache(find)`.

    A file with several hard links is one like any other. Raises ModelError for one that isn't there, or is outside the
    model's folder: by its name always, by a symbolic link unless links are followed.
    """
    if not location or Path(location).is_absolute() or ".." in Path(location).parts:
        raise ModelError(f"its data is in {location!r}, outside the model's folder; move it there")
    try:
        file = Path(os.path.realpath(folder / location))
        present = (folder / location).exists()
        regular = file.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # a loop of links, a name too long, one with NUL
        raise ModelError(
            f"its data file {location!r} can't be read: {system_words(error)}; put it beside the model"
        ) from error
    if not present and (folder / location).is_symlink():
        raise ModelError(f"its data file {location!r} is a link that leads to no file; put the file beside the model")
    outside = not file.is_relative_to(os.path.realpath(folder))
    if outside and not links_are_followed():
        words = "is a link that leads out of the model's folder"
        raise ModelError(f"its data file {location!r} {words}; --follow-links reads it, or put the file there")
    if not regular:
        raise ModelError(f"its data file {location!r} is missing; put it beside the model")
    return FoundDataFile(file, file.stat().st_size, outside)


class DataTensor(ir.ExternalTensor):
    """A tensor in a data file that was found by `find`, and is judged by nobody else.

    onnx_ir judges files again when it reads them, and refuses those with several hard links, which engines take. It
    judges none of a tensor without a `base_dir`.
    """

    __slots__ = ("file",)

    def __init__(self, tensor: ir.ExternalTensor, file: FoundDataFile) -> None:
        super().__init__(
            tensor.location, tensor.offset, tensor.length, tensor.dtype, shape=tensor.shape,
            name=str(tensor.name), doc_string=tensor.doc_string, metadata_props=dict(tensor.metadata_props),
        )  # fmt: skip
        self.file = file

    @property
    def path(self) -> str:
        return str(self.file.path)


def bytes_of(tensor: onnx.TensorProto, folder: Path, size: int) -> tuple[bytes, Path]:
    """Return the bytes, `size` of them, of a tensor in external data, and the file that they're from."""
    facts: dict[str, Any] = {entry.key: entry.value for entry in tensor.external_data}
    file = find(folder, facts.get("location", "")).path
    with file.open("rb") as data:
        data.seek(int(facts.get("offset", 0)))
        return data.read(size), file


@contextmanager
def data_file(output: Path, write: Callable[[BinaryIO], int]) -> Iterator[str]:
    """Write a data file for the model `output`, and give its name: `output.CHECKSUM.data`, beside the model.

    `write` fills it and returns a checksum of it. It's removed again if the block raises, unless it was there before.
    Raises UsageError where the folder can't be written to or is full, and where another file has the name.
    """
    output = real(output)
    with beside(output) as temporary:
        with temporary.open("wb") as file:
            checksum = write(file)
        final = output.with_name(f"{_encodable(output.name)}.{checksum:08x}.data")
        with held(final) as present:
            if present and not filecmp.cmp(temporary, final, shallow=False):
                raise UsageError(f"data file {final} is there already and is another; move it, or give another output")
            if not present:
                move_into_place(temporary, final)
            kept = present
            try:
                yield final.name
                kept = True
            finally:
                if not kept:
                    final.unlink(missing_ok=True)


def remove_old_data(output: Path, kept: str) -> None:
    """Remove data files that were written for earlier models `output`, but `kept`, and any that a model here names.

    Those of runs that are about to write such a model stay.
    """
    output = real(output)
    pattern = re.compile(re.escape(_encodable(output.name)) + r"\.[0-9a-f]{8}\.data")
    for path in output.parent.iterdir():
        if pattern.fullmatch(path.name) and path.name != kept:
            models = [model for model in output.parent.glob("*.onnx") if model.is_file()]
            if not any(_mentions(model, path.name.encode()) for model in models):
                remove_unless_held(path)


def _mentions(path: Path, words: bytes) -> bool:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(words) >= 0


def _encodable(name: str) -> str:
    """Return a file's name as a model can hold it: bytes that aren't UTF-8 become question marks."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
