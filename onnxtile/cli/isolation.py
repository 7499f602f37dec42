"""Run a command in a process of its own: whatever ends that process, or keeps it from ending, is one line of output.

torch and onnxruntime read files in C++, which a damaged file may bring down, and no exception of Python tells of that.
A command that hands a stranger's file to them calls `isolate` before it does anything else, and goes on as if nothing
had happened. Where the program is in its first process, `isolate` leaves the command; `main` starts it again in a
child, which inherits what's imported already, and waits. Light commands never come here and start as fast as before.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any, NoReturn

from onnxtile.errors import ModelError

GRACE = 3.0
"""Seconds that a child has to remove what it has half written, once its time is up."""
TIMEOUT = 600
"""Seconds that a command in a process of its own may take, where `--timeout` doesn't say."""
_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP")
_MOST_LETTERS = 200
_child = False


class IsolationError(Exception):
    """Leaves a command before it has done anything, for `main` to run it in a process of its own; never shown.

    `job`: what runs there, as in `net.pt: torch`.
    """

    def __init__(self, job: str, seconds: float, option: str) -> None:
        super().__init__(job)
        self.job, self.seconds, self.option = job, seconds, option


class _TimeIsUpError(BaseException):
    """Raised in the child, so that it cleans up as it does for Ctrl-C; no handler of the model's errors stops it."""


def isolate(job: str, seconds: float | None = None, option: str = "--timeout") -> None:
    """Have the rest of this command run in a process of its own for at most so many seconds; 0: as long as it takes.

    Call it before the command does anything: it runs again from its start. Nothing happens in that process itself, nor
    where the system can't fork or somebody has put an object of Python in place of the standard streams (a test, a
    program that calls `main`): a child can't write to that.
    """
    own = sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
    if not _child and own and hasattr(os, "fork"):
        raise IsolationError(job, TIMEOUT if seconds is None else seconds, option)


def run_isolated(program: Callable[[], object], wanted: IsolationError) -> NoReturn:
    """Run `program` in a child and leave with its exit status, by SystemExit; it has said what there is to say.

    Raises ModelError where the child was killed, crashed, or took too long. A signal that stops this process stops the
    child first; Ctrl-C as well, which the child answers.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with tempfile.TemporaryFile() as native:
        alive, held = os.pipe()  # its other end is held by the child alone: it's closed when the child ends
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(alive)
            _run(program, native, parent)
        os.close(held)
        try:
            late, status, received = _waited(pid, alive, wanted.seconds)
        finally:
            os.close(alive)
        if received is not None and os.WIFSIGNALED(status):
            signal.signal(received, signal.SIG_DFL)
            os.kill(os.getpid(), received)
        native.seek(0)
        last_words = native.read().decode(errors="replace")
    if late:
        cure = f"{wanted.option} SECONDS gives it more, 0 any time"
        raise ModelError(
            f"{wanted.job} takes longer than {wanted.seconds:g} second{'' if wanted.seconds == 1 else 's'}; {cure}"
        )
    if os.WIFSIGNALED(status):
        raise ModelError(_death(wanted.job, os.WTERMSIG(status), last_words))
    sys.stderr.write(last_words)
    sys.exit(os.WEXITSTATUS(status))


def _run(program: Callable[[], object], native: IO[bytes], parent: int) -> NoReturn:
    """Live the child's life. What native code writes to standard error goes to a file: a crash says what it likes."""
    global _child
    _child = True
    status = 1
    try:
        os.setpgid(0, 0)
        _die_with(parent)
        signal.signal(signal.SIGALRM, _time_is_up)
        old = sys.stderr
        sys.stderr = os.fdopen(os.dup(2), "w", encoding=old.encoding, errors=old.errors, buffering=1)
        os.dup2(native.fileno(), 2)
        program()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except _TimeIsUpError:
        pass  # the parent says so
    except BaseException:  # nothing may get past here, into the parent's code; told as Python would
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # a closed pipe; `main` has seen to it
                stream.flush()
        os._exit(status)


def _time_is_up(number: int, frame: object) -> NoReturn:
    raise _TimeIsUpError


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, where it can (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)


def _waited(pid: int, alive: int, seconds: float) -> tuple[bool, int, int | None]:
    """Return whether the child's time ran out, its status as waitpid has it, and the signal that was passed on."""
    late, status = False, None
    with _forwarding(pid) as received:
        try:
            if not select.select([alive], [], [], seconds or None)[0]:
                late = True
                os.kill(pid, signal.SIGALRM)
                select.select([alive], [], [], GRACE)
            else:
                status = os.waitpid(pid, 0)[1]
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)  # it, and processes that it has left behind
            if status is None:
                status = os.waitpid(pid, 0)[1]
    return late, status, received[0] if received else None


@contextlib.contextmanager
def _forwarding(pid: int) -> Iterator[list[int]]:
    """Pass on signals that would stop this process; the child, in a group of its own, doesn't get them otherwise."""
    received: list[int] = []

    def forward(number: int, frame: object) -> None:
        received.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    before: dict[int, Any] = {}
    for name in _FORWARDED:
        number = getattr(signal, name)
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            before[number] = signal.signal(number, forward)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _death(job: str, number: int, last_words: str) -> str:
    """Return the line for a child that a signal ended."""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if name == "SIGKILL":
        return f"{job} was killed from outside, as systems do where memory runs out"
    lines = [line for line in last_words.splitlines() if line.strip()]
    last = f": {lines[-1][:_MOST_LETTERS]}" if lines else ""
    return f"{job} crashed ({name}); the file is damaged or hits a fault there{last}"
