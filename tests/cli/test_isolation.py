"""Commands in a process of their own: whatever becomes of that, the program ends in one line and exit status 2."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest

import onnxtile

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts no child as a copy of its parent")
PROGRAM = """
import os, signal, subprocess, sys, time
from onnxtile.cli.isolation import IsolationError, isolate, run_isolated
from onnxtile.cli import isolation
from onnxtile.errors import ModelError

isolation.GRACE = 0.5
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have programs in the background ignore it

def program():
    try:
        isolate("net.pt: torch", {seconds})
    except IsolationError as error:
        wanted = error
    else:
        return command()
    run_isolated(program, wanted)

def command():
    {body}

try:
    program()
except ModelError as error:
    sys.exit(f"onnxtile: {{error}}")
"""


def started(body: str, seconds: float = 30) -> subprocess.Popen[str]:
    code = PROGRAM.format(body=body.replace("\n", "\n    "), seconds=seconds)
    environment = {**os.environ, "PYTHONPATH": str(Path(onnxtile.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def ended(body: str, seconds: float = 30) -> tuple[int, str, str]:
    process = started(body, seconds)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_streams_and_exit_status_pass_through() -> None:
    assert ended("print('out'); print('err', file=sys.stderr); sys.exit(3)") == (3, "out\n", "err\n")
    assert ended("os.write(2, b'from C\\n')") == (0, "", "from C\n")
    assert ended("sys.exit(os.getpid() == os.getpgrp())") == (1, "", "")


def test_a_failure_is_told_once() -> None:
    status, out, err = ended("raise ValueError('unforeseen')")
    assert (status, out, err.count("Traceback"), err.splitlines()[-1]) == (1, "", 1, "ValueError: unforeseen")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("import ctypes; ctypes.string_at(0)", "crashed (SIGSEGV); the file is damaged or hits a fault there"),
        (
            "os.write(2, b'terminate\\nwhat(): \\x1b[2J bad \\xff\\n\\n'); os.abort()",
            "crashed (SIGABRT); the file is damaged or hits a fault there: what(): \\x1b[2J bad \ufffd",
        ),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed from outside, as systems do where memory runs out"),
    ],
)
def test_a_death_is_one_line(body: str, line: str) -> None:
    assert ended(body) == (1, "", f"onnxtile: net.pt: torch {line}\n")


@pytest.mark.parametrize("body", ["time.sleep(60)", "signal.signal(signal.SIGALRM, signal.SIG_IGN); time.sleep(60)"])
def test_time_runs_out(body: str) -> None:
    begun = time.monotonic()
    status, out, err = ended(f"try:\n    {body}\nexcept Exception:\n    pass\nfinally:\n    print('cleaned up')", 0.5)
    assert (status, err) == (1, "onnxtile: net.pt: torch takes longer than 0.5 seconds; "
                                "--timeout SECONDS gives it more, 0 any time\n")  # fmt: skip
    assert out == ("" if "SIG_IGN" in body else "cleaned up\n")
    assert time.monotonic() - begun < 30


def alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended but wasn't waited for doesn't."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_child_ends_with_its_parent(number: int) -> None:
    grandchild = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid"
    other = "os.getpid()" if number == signal.SIGKILL else grandchild
    process = started(f"print(os.getpid(), {other}, flush=True)\ntime.sleep(60)")
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    assert process.pid not in pids and all(map(alive, pids))
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in err  # the child's own answer, which `main` turns into a line
    else:
        assert (process.returncode, err) == (-number, "")
    deadline = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, pids))


def test_in_place_where_the_streams_are_anothers(capsys: pytest.CaptureFixture[str]) -> None:
    from onnxtile.cli.isolation import isolate

    isolate("torch")  # pytest has its own sys.stdout, which a child couldn't write to


LOOP = """<ir_version: 8, opset_import: ["" : 17]> g (float[2,2] x) => (float[2,2] y) {
    n = Constant <value_int: int = 9223372036854775807> ()
    t = Constant <value = bool {1}> ()
    y = Loop (n, t, x) <body = b (int64 i, bool c, float[2,2] a) => (bool d, float[2,2] e) {
        d = Identity (c) e = MatMul (a, a) }> }"""
"""A model that no engine comes to an end with."""
WRONG = """
import onnx_ir as ir

class Negates(ir.passes.InPlacePass):
    def call(self, model):
        y = model.graph.outputs[0]
        node = ir.node("Neg", [y], outputs=[ir.Value(name="negated", type=y.type, shape=y.shape)])
        model.graph.append(node)
        model.graph.outputs[0] = node.outputs[0]
        y.name, node.outputs[0].name = "looped", "y"
        return ir.passes.PassResult(model, modified=True)
"""
"""A pass that is wrong, for `reduce` to look into."""


@pytest.mark.parametrize(
    "arguments",
    [
        "capture MODEL --name * --timeout 2",
        "verify MODEL MODEL --method bound --timeout 2",
        "reduce MODEL --passes infer-shapes,wrong:Negates --total-timeout 4",
    ],
)
def test_a_model_that_never_ends(arguments: str, tmp_path: Path) -> None:
    model = tmp_path / "endless.onnx"
    onnx.save(onnx.parser.parse_model(LOOP), model)
    (tmp_path / "wrong.py").write_text(WRONG)
    words = [str(model) if word == "MODEL" else word for word in arguments.split()]
    done = program(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert re.search(r"takes longer than [24] seconds; --t.* SECONDS gives it more, 0 any time", done.stderr)


def program(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(onnxtile.__file__).parents[1])}
    command = [sys.executable, "-m", "onnxtile", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, timeout=60, env=environment)
