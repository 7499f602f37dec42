"""Protobuf's wire format, as much of it as writing a large message piece by piece takes.

A message is its fields one after the other, in any order; a field that holds bytes or a message is a tag, a length and
the bytes (protobuf.dev, "Encoding"). So very many nodes can be written without an object for each, and a file's length
needn't be known when its first bytes are written: room is left for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from google.protobuf.message import Message

LENGTH_DELIMITED = 2
LARGEST = 2**31 - 1
"""Bytes that a protobuf message may have: what its parsers take."""
ROOM = 5
"""Bytes of a length that is filled in later: enough for LARGEST."""


def number_of(message: type[Message], field: str) -> int:
    """Return the number of a message's field."""
    return int(message.DESCRIPTOR.fields_by_name[field].number)


def varint(number: int, room: int = 1) -> bytes:
    """Encode a number: seven bits a byte, the lowest first, the eighth says that more follow; `room` bytes at least.

    >>> varint(300).hex(), varint(1, room=3).hex()
    ('ac02', '818000')
    """
    encoded = bytearray()
    while number > 0x7F or len(encoded) < room - 1:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def tag(field: int) -> bytes:
    """Return what a field of bytes, text or a message begins with, before its length."""
    return varint(field << 3 | LENGTH_DELIMITED)


@lru_cache(maxsize=4096)
def head(field: int, length: int, room: int = 1) -> bytes:
    """Return what stands in front of a field of `length` bytes."""
    return tag(field) + varint(length, room)


_LENGTHS = [varint(length) for length in range(256)]


@lru_cache(maxsize=4096)
def counted(words: str) -> bytes:
    """Return text after its length: what follows the tag of a field of text."""
    encoded = words.encode()
    length = len(encoded)
    return (_LENGTHS[length] if length < len(_LENGTHS) else varint(length)) + encoded


def text(field: int, words: str) -> bytes:
    """Return a field of text."""
    return tag(field) + counted(words)


def pair(field: int, key: str, value: str) -> bytes:
    """Return a field that holds a StringStringEntryProto, such as an entry of metadata."""
    content = b"\n" + counted(key) + b"\x12" + counted(value)
    return head(field, len(content)) + content


def message(field: int, content: bytes) -> bytes:
    """Return a field that holds a message."""
    return head(field, len(content)) + content


class Bytes(Protocol):
    """The bytes that fields are read from, in memory or in a file."""

    def __getitem__(self, at: int, /) -> int: ...


def runs(data: Bytes, start: int, stop: int, most: int) -> Iterator[tuple[int, int, int]]:
    """Yield the fields of a message in runs of one number, of up to `most` bytes each: number, start, stop.

    A run of whole fields is a message itself. Only fields that hold bytes, text, a message or a varint are read;
    ValueError for others, and for a field that ends behind `stop`.
    """
    begin, running, at = start, -1, start
    while at < stop:
        number, content = _varint_at(data, at)
        length, behind = _varint_at(data, content)
        length, content = (length, behind) if number & 7 == LENGTH_DELIMITED else (0, behind)
        if number & 7 not in (0, LENGTH_DELIMITED) or content + length > stop:
            raise ValueError(f"field {number >> 3} at byte {at} is cut off, or of another kind")
        if number >> 3 != running or at - begin > most:
            if at > begin:
                yield running, begin, at
            begin, running = at, number >> 3
        at = content + length
    if at > begin:
        yield running, begin, at


def inside(data: Bytes, start: int) -> int:
    """Return where the content of the field that begins at `start` begins."""
    return _varint_at(data, _varint_at(data, start)[1])[1]


def _varint_at(data: Bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a byte, and the byte behind it."""
    number = data[at]
    if number < 0x80:
        return number, at + 1
    number, shift = number & 0x7F, 7
    while True:
        at += 1
        byte = data[at]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at + 1
        shift += 7
