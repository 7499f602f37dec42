"""Write captured values: one .npz, or a folder of .npy with an index. The same values give the same bytes."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from onnxtile.debugging.capture.report import INDEX_SCHEMA, CapturedValue
from onnxtile.debugging.capture.statistics import storable
from onnxtile.errors import UsageError
from onnxtile.ir.io.files import check_new_folder, check_output, new_folder, replacing
from onnxtile.ir.io.interop import AnyModel
from onnxtile.ir.json_encoding import json_text
from onnxtile.ir.names import spellings

INDEX = "index.json"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""When all members of an .npz file were written, as far as it tells: the earliest that the format has."""
MOST_NAME = 150
"""Characters of a file's name that is made of a value's."""
MOST_COMMENT = 65_535
"""Bytes of a member's comment."""
COMMENTED = ("value", "node", "op", "dtype", "shape", "stored")
"""What a member's comment says of its value."""
Keep = Callable[[CapturedValue, np.ndarray], CapturedValue]
"""Takes a value, and returns its row with where the value is now."""


class Target:
    """The .npz file or folder for captured values. UsageError for what is neither, or mustn't be written."""

    def __init__(self, output: str | os.PathLike[str], model: AnyModel) -> None:
        """`model`: what mustn't be written over, if it's a path."""
        if not isinstance(output, (str, os.PathLike)):
            raise UsageError(f"output is {output!r}: give a path")
        self.path = Path(output)
        self.is_folder = self.path.is_dir() or os.fspath(output).endswith(("/", os.sep)) or not self.path.suffix
        if not self.is_folder and self.path.suffix != ".npz":
            raise UsageError(f"output {output} is neither FILE.npz nor a folder; a folder's path ends in /")
        self.check([Path(model)] if isinstance(model, (str, os.PathLike)) else [])

    def check(self, sources: Sequence[Path]) -> None:
        """Refuse to write over any of these files, or a folder that holds something; UsageError."""
        if self.is_folder:
            check_new_folder(self.path)
        else:
            check_output(self.path, *sources)

    @contextmanager
    def open(self, names: Sequence[str]) -> Iterator[Keep]:
        """Yield what writes values of these names one by one; all is moved to its path if nothing is raised."""
        if self.is_folder:
            rows: list[CapturedValue] = []
            with new_folder(self.path) as folder:
                yield _writer(_files(names), lambda row: (folder / str(row.place)).open("xb"), rows)
                (folder / INDEX).write_text(json_text({"schema": INDEX_SCHEMA, "values": rows}))
        else:
            with replacing(self.path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
                yield _writer(_members(names), lambda row: archive.open(_member(row), "w", force_zip64=True), [])


def _writer(places: Mapping[str, str], opened: Callable[[CapturedValue], IO[bytes]], rows: list[CapturedValue]) -> Keep:
    """Return what writes a value as numpy does to what is opened for its row, and adds the row to `rows`."""

    def write(row: CapturedValue, array: np.ndarray) -> CapturedValue:
        array, stored = storable(array)
        row = replace(row, place=places[row.value], stored=stored)
        with opened(row) as file:
            np.lib.format.write_array(file, array, allow_pickle=False)
        rows.append(row)
        return row

    return write


def _member(row: CapturedValue) -> zipfile.ZipInfo:
    """Return a member as numpy.savez has it, but without the time; its comment is JSON that says what it is."""
    info = zipfile.ZipInfo(f"{row.place}.npy", EPOCH)
    info.create_system, info.external_attr = 3, 0o644 << 16  # or they would tell of the system that it's made on
    document = row.to_json()
    comment = json.dumps({key: document[key] for key in COMMENTED}).encode()
    info.comment = comment if len(comment) <= MOST_COMMENT else b""
    return info


def _members(names: Sequence[str]) -> dict[str, str]:
    """Return a member for each value: its name without a / in front; of harmless signs where that may lead elsewhere.

    Names that stay as they are go first.
    """
    bare = {name: name.lstrip("/") for name in names}
    order = sorted(names, key=lambda name: (not _is_safe(bare[name]), bare[name] != name))
    return _unique({name: bare[name] if _is_safe(bare[name]) else _plain(name) for name in order})


def _is_safe(name: str) -> bool:
    """Return whether it's a plain path that stays where it's unpacked, and that numpy reads back by this name."""
    plain = name.isprintable() and "\\" not in name and len(name) <= MOST_NAME
    drive = re.match(r"[A-Za-z]:(?!\d+$)", name)
    return plain and not drive and not any(part in ("", ".", "..") or part.endswith(".npy") for part in name.split("/"))


def _files(names: Sequence[str]) -> dict[str, str]:
    """Return a file for each value, named in letters, digits and a few signs; some systems don't tell `A` from `a`."""
    stems = _unique({name: _plain(name.lstrip("/")) for name in names}, str.lower)
    return {name: f"{stem}.npy" for name, stem in stems.items()}


def _plain(name: str) -> str:
    """Return `a_b` for `a/b`; of a long name the end, which says more than the beginning."""
    name = re.sub(r"\.npy$", "_npy", name)
    return re.sub(r"^[.+-]|^$", "_", re.sub(r"[^A-Za-z0-9_.+-]", "_", name)[-MOST_NAME:])


def _unique(wanted: Mapping[str, str], as_taken: Callable[[str], str] = str) -> dict[str, str]:
    """Return the wanted spellings with a number behind those that are taken, the first that makes them new."""
    unique: dict[str, str] = {}
    taken: set[str] = set()
    for name, spelling in wanted.items():
        free = next(numbered for numbered in spellings(spelling) if as_taken(numbered) not in taken)
        taken.add(as_taken(free))
        unique[name] = free
    return unique
