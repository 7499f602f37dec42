"""Data files beside a model, in which weights lie: where they may be, and tensors that are read from there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.io.links import links_are_followed


class DataFile(NamedTuple):
    """A data file, all links followed; `outside`: it isn't in the model's folder."""

    path: Path
    size: int
    outside: bool


def find(folder: Path, location: str) -> DataFile:
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
            f"its data file {location!r} can't be read: {_words(error)}; put it beside the model"
        ) from error
    if not present and (folder / location).is_symlink():
        raise ModelError(f"its data file {location!r} is a link that leads to no file; put the file beside the model")
    outside = not file.is_relative_to(os.path.realpath(folder))
    if outside and not links_are_followed():
        words = "is a link that leads out of the model's folder"
        raise ModelError(f"its data file {location!r} {words}; --follow-links reads it, or put the file there")
    if not regular:
        raise ModelError(f"its data file {location!r} is missing; put it beside the model")
    return DataFile(file, file.stat().st_size, outside)


def _words(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


class DataTensor(ir.ExternalTensor):
    """A tensor in a data file that was found by `find`, and is judged by nobody else.

    onnx_ir judges files again when it reads them, and refuses those with several hard links, which engines take. It
    judges none of a tensor without a `base_dir`.
    """

    __slots__ = ("file",)

    def __init__(self, tensor: ir.ExternalTensor, file: DataFile) -> None:
        super().__init__(
            tensor.location, tensor.offset, tensor.length, tensor.dtype, shape=ir.Shape(tensor.shape.numpy()),
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
