"""Read a zip archive from a stranger: what it says of itself is held against its size before anything of it is read."""

from __future__ import annotations

import struct
import zipfile
from pathlib import PurePosixPath
from typing import BinaryIO

from onnxtile.errors import ModelError
from onnxtile.ir.io.checker import one_line

MAGIC = b"PK\x03\x04"
MOST_TIMES = 100
"""Packed members (torch packs only source text) may unpack to so many times the file's size."""
_END, _END_64, _LOCATOR_64 = 22, 56, 20
"""Bytes of the records at the end of an archive."""


class Archive:
    """The members of an archive by name, without the folder that all are in (`root`). ModelError for an odd one.

    Odd is all that two readers of zip might understand differently, or that torch never writes: something before or
    behind the archive, members that appear twice or overlap, that are encrypted, or that unpack to far more than
    there is.
    """

    def __init__(self, file: BinaryIO, location: str) -> None:
        self.location = location
        size = file.seek(0, 2)
        _check_end(file, size, location)
        try:
            self._zip = zipfile.ZipFile(file)
            members = [info for info in self._zip.infolist() if not info.is_dir()]
        except Exception as error:  # zipfile raises what comes up, of any kind
            raise ModelError(f"{location}: the archive is damaged or cut off: {one_line(error)}") from error
        for info in members:
            _check_member(info, location)
        stored = sum(info.compress_size for info in members)
        packed = sum(info.file_size for info in members if info.compress_type != zipfile.ZIP_STORED)
        if stored > size:
            raise ModelError(
                f"{location}: its members are {stored:,} bytes together, the file is {size:,}: they overlap"
            )
        if packed > MOST_TIMES * size:
            raise ModelError(f"{location}: {size:,} bytes unpack to {packed:,}: refused")
        names = [info.filename for info in members]
        if len(set(names)) < len(self._zip.infolist()) and len(set(names)) < len(names):
            raise ModelError(f"{location}: a member of the archive is there twice")
        roots = {name.partition("/")[0] for name in names if "/" in name}
        self.root = f"{roots.pop()}/" if len(roots) == 1 and all("/" in name for name in names) else ""
        self._members = {name.removeprefix(self.root): info for name, info in zip(names, members, strict=True)}

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        """Return a member whole. Raises ModelError where it's damaged."""
        try:
            return self._zip.read(self._members[name])
        except Exception as error:  # the same
            raise ModelError(f"{self.location}: its member {name!r} is damaged: {one_line(error)}") from error


def _check_end(file: BinaryIO, size: int, location: str) -> None:
    """Refuse an archive that doesn't fill its file: its list of members lies right before its end, the file's end."""
    file.seek(max(0, size - _END - _LOCATOR_64 - _END_64))
    tail = file.read()
    end = tail[-_END:]
    if len(end) < _END or not end.startswith(b"PK\x05\x06"):
        raise ModelError(f"{location}: the archive is cut off, or something follows it")
    length, offset = struct.unpack("<2L", end[12:20])
    last = size - _END
    if tail[-_END - _LOCATOR_64 :].startswith(b"PK\x06\x07"):
        record = tail[: -_END - _LOCATOR_64]
        if len(record) < _END_64 or not record.startswith(b"PK\x06\x06"):
            raise ModelError(f"{location}: the archive's list of members is damaged")
        length, offset = struct.unpack("<2Q", record[40:56])
        last -= _LOCATOR_64 + _END_64
    if offset + length != last:
        raise ModelError(f"{location}: the archive doesn't fill its file")


def _check_member(info: zipfile.ZipInfo, location: str) -> None:
    name = info.filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or name != info.orig_filename:
        raise ModelError(f"{location}: its member {name!r} would lead out of the archive")
    if info.flag_bits & 0x41:
        raise ModelError(f"{location}: its member {name!r} is encrypted; torch doesn't read that")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ModelError(f"{location}: its member {name!r} is packed in a way that torch doesn't read")
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise ModelError(f"{location}: its member {name!r} has two sizes")
