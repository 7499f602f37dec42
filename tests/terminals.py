"""A terminal of any width: what the program writes to one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress


class Terminal:
    """Hold what was written to standard output, without colours, once the block is left."""

    text = ""

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def widest(self) -> int:
        return max(map(len, self.lines))


@contextmanager
def terminal(columns: int) -> Iterator[Terminal]:
    """Make standard output a terminal of so many columns, for as long as the block runs."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    parts: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # that's how a terminal ends
            while part := os.read(reader, 65536):
                parts.append(part)

    thread = threading.Thread(target=read)
    thread.start()
    screen = Terminal()
    try:
        with os.fdopen(writer, "w", encoding="utf-8") as stream, redirect_stdout(stream):
            yield screen
    finally:
        thread.join()
        os.close(reader)
    text = b"".join(parts).decode().replace("\r\n", "\n")
    screen.text = re.sub(r"\x1b\[[0-9;]*m", "", text)
