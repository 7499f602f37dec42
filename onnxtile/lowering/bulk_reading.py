"""Read a file of very many nodes in bulk: columns of numbers in place of an object for each node.

Messages of one kind are read side by side: the first field of each, then the second of each, and so on. A name is told
from others by a number of 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from onnxtile.errors import PassError
from onnxtile.ir.io.protobuf_wire import LENGTH_DELIMITED, number_of

NODE, INITIALIZER = (number_of(onnx.GraphProto, name) for name in ("node", "initializer"))
_MASKS = np.array([2 ** (8 * count) - 1 for count in range(9)], np.uint64)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_TOGETHER = 1 << 14
Bytes = np.ndarray
"""A file's bytes, one by one."""


@dataclass(frozen=True)
class Offsets:
    """Starts of the nodes and initializers of a file's main graph, and the end of the last; `rest`: other fields."""

    nodes: np.ndarray
    initializers: np.ndarray
    rest: tuple[tuple[int, int], ...]


def varints(data: Bytes, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers that begin at these bytes, and the bytes behind them."""
    numbers, behind = data[at].astype(np.int64), at + 1
    longer = np.flatnonzero(numbers > 0x7F)
    if len(longer):
        more, behind[longer] = varints(data, behind[longer])
        numbers[longer] = numbers[longer] & 0x7F | more << 7
    return numbers, behind


def contents(data: Bytes, starts: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the contents of fields of that number begin and end; PassError where they begin elsewhere."""
    numbers, at = varints(data, starts[:-1])
    lengths, begin = varints(data, at)
    if np.any(numbers != number << 3 | LENGTH_DELIMITED) or np.any(begin + lengths != starts[1:]):
        raise PassError("what was written isn't where it was written; please report this")
    return begin, starts[1:]


def fields(
    data: Bytes, starts: np.ndarray, number: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the first field of each message, the second of each, ...: message, field, content, length or number.

    That's done for some messages after the other, as many as a processor's cache holds.
    """
    words = _words(data)
    for first in range(0, len(starts) - 1, _TOGETHER):
        at, stop = contents(data, starts[first : first + _TOGETHER + 1], number)
        message = np.arange(first, first + len(at))
        while True:
            going = at < stop
            if not going.all():
                message, at, stop = message[going], at[going], stop[going]
            if not len(message):
                break
            head = words[np.minimum(at, len(words) - 1)]
            tags, values, content = (head & 0xFF).astype(np.int64), (head >> 8 & 0xFF).astype(np.int64), at + 2
            if len(longer := np.flatnonzero((head & 0x8080 != 0) | (at >= len(words)))):
                tags[longer], behind = varints(data, at[longer])
                values[longer], content[longer] = varints(data, behind)
            delimited = tags & 7 == LENGTH_DELIMITED
            if np.any(~delimited & (tags & 7 != 0)):
                raise PassError("what was written holds a field of another kind; please report this")
            yield message, tags >> 3, content, values
            at = np.where(delimited, content + values, content)


def _words(data: Bytes) -> np.ndarray:
    """Return the eight bytes from each byte on as a number; the last seven bytes have none."""
    words: np.ndarray = np.ndarray((max(len(data) - 7, 0),), "<u8", data.data, strides=(1,))
    return words


def hashes(data: Bytes, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return a number of 64 bits for each name: equal names have the same, and others another, as good as surely."""
    words = _words(data)
    numbers: np.ndarray = lengths.astype(np.uint64) * _FACTOR
    which, at, left = np.arange(len(starts)), starts, lengths
    while True:
        going = left > 0
        if not going.all():
            which, at, left = which[going], at[going], left[going]
        if not len(which):
            return numbers
        eight = words[np.minimum(at, len(words) - 1)] if len(words) else np.zeros(len(at), np.uint64)
        for place in np.flatnonzero(at >= len(words)):  # of a name at the end of the file
            eight[place] = int.from_bytes(data[at[place] : at[place] + 8].tobytes(), "little")
        mixed = (numbers[which] ^ eight & _MASKS[np.minimum(left, 8)]) * _FACTOR
        numbers[which] = mixed ^ mixed >> _HALF
        at, left = at + 8, left - 8


class Index:
    """Finds which of `numbers` each of others is, by its leading bits: those of names are spread evenly."""

    def __init__(self, numbers: np.ndarray) -> None:
        self._order = np.argsort(numbers)
        if np.any(numbers[self._order[1:]] == numbers[self._order[:-1]]):
            self._order = np.argsort(numbers, kind="stable")  # takes twice as long, and keeps equal ones in order
        self._sorted = np.append(numbers[self._order], numbers[:1])
        bits = max(1, len(numbers).bit_length())
        self._shift = np.uint64(64 - bits)
        buckets = np.arange(2**bits, dtype=np.uint64) << self._shift
        self._first = np.searchsorted(self._sorted[:-1], buckets)

    def find(self, numbers: np.ndarray) -> np.ndarray:
        """Return the place of each; of equal ones the first, -1 for one that isn't there."""
        at = self._first[(numbers >> self._shift).astype(np.int64)]
        last = len(self._order)
        going = np.flatnonzero((at < last) & (self._sorted[at] < numbers))
        while len(going):
            at[going] += 1
            going = going[(at[going] < last) & (self._sorted[at[going]] < numbers[going])]
        there = (at < last) & (self._sorted[at] == numbers)
        return np.where(there, self._order[np.minimum(at, last - 1)], -1)

    def repeated(self) -> np.ndarray:
        """Return the places of those that are there before."""
        same = self._sorted[1:-1] == self._sorted[:-2]
        return np.sort(self._order[1:][same])


def hashes_of(names: Iterable[str]) -> np.ndarray:
    """Return the numbers of names, see `hashes`."""
    encoded = [name.encode() for name in names]
    lengths = np.array([len(name) for name in encoded], np.int64)
    data = np.frombuffer(b"".join(encoded) + bytes(8), np.uint8)
    return hashes(data, np.cumsum(lengths) - lengths, lengths)
