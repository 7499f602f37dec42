"""Protobuf's wire format, as much of it as streaming a large message takes.

A message is its fields one after the other, in any order; a field that holds bytes or a message is a tag, a length and
the bytes (protobuf.dev, "Encoding"). So a file can be written piece by piece when the lengths are known, and only the
piece at hand is in memory.
"""

from __future__ import annotations

from functools import lru_cache

LENGTH_DELIMITED = 2
LARGEST = 2**31 - 1
"""Bytes that a protobuf message may have: what its parsers take."""


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow.

    >>> varint(300).hex()
    'ac02'
    """
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


@lru_cache(maxsize=4096)
def head(field: int, length: int) -> bytes:
    """What stands in front of a field of `length` bytes."""
    return varint(field << 3 | LENGTH_DELIMITED) + varint(length)
