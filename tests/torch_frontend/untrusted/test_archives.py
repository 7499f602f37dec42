"""Archives that torch wouldn't write are refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

from tests.torch_files import archive, members, refused  # noqa: E402  # torch may be missing


def test_odd_archives_are_refused(script: Path, tmp_path: Path) -> None:
    whole, content = script.read_bytes(), members(script)
    path = tmp_path / "odd.pt"
    for data, words in (
        (whole[:-30], "cut off, or something follows it"),
        (whole + b"more", "cut off, or something follows it"),
        (whole[:4] + b"\0" * 100 + whole, "doesn't fill its file"),
        (whole[:4] + whole[4:].replace(b"PK\x01\x02", b"PK\x01\x03"), "damaged"),
    ):
        path.write_bytes(data)
        refused(path, words)
    refused(archive(path, {**content, "net/../../out": b"1"}), "would lead out")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("net/code/big.py", b"#" * 30_000_000)
    refused(path, "unpack to 30,000,000: refused")
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("net/data.pkl", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("net/data.pkl", b"2")
    refused(path, "there twice")
    encrypted = bytearray(Path(archive(path, content)).read_bytes())
    at = encrypted.index(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    path.write_bytes(encrypted)
    refused(path, "is encrypted")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as made:
        made.writestr("net/data.pkl", b"1")
    refused(path, "packed in a way that torch doesn't read")


def test_a_member_without_a_name_is_refused(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
        new.writestr("?", b"")
    data = path.read_bytes()
    start = data.rindex(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    entry = bytearray(data[start : start + 46])
    entry[28:30] = b"\0\0"  # the length of its name
    tail = bytearray(data[end:])
    size = int.from_bytes(tail[12:16], "little") - 1
    tail[12:16] = size.to_bytes(4, "little")
    path.write_bytes(data[:start] + entry + tail)
    refused(path, "the archive is damaged or cut off")
