"""Test what says whether a result is right: verify, a function, or a command."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import onnx
import onnx_ir as ir

import onnxtile
from tests.commands import Cli, one_line
from tests.debugging.reduce.test_reducer import HERE
from tests.planted import network
from tests.support import parse


def test_a_function_of_the_callers_may_check() -> None:
    def no_tanh(original: ir.Model, lowered: ir.Model) -> bool:
        return lowered is original or all(node.op_type != "Nonesuch" for node in lowered.graph)

    assert onnxtile.reduce(network(), f"infer-shapes,{HERE}SwapsSub", check=no_tanh) is None
    found = onnxtile.reduce(network(), f"{HERE}Raises{{how=invalid}}", check=no_tanh)
    assert found is not None and found.nodes == ("Tanh tanh",)


CHECK = """
import sys
original, lowered = (open(path, "rb").read() for path in sys.argv[1:3])
assert b"Gemm" in lowered or b"Gemm" not in original or b"Tanh" not in original, "a Gemm is gone beside a Tanh"
"""


def test_a_command_may_check(cli: Cli, planted: Path) -> None:
    planted.with_name("of mine.py").write_text(CHECK)
    command = f"{shlex.quote(sys.executable)} 'of mine.py' {{original}} {{lowered}}"
    text = "infer-shapes,decompose-gemm,unroll-tiles"
    status, out, _ = cli("reduce", planted, "--passes", text, "--check", command, "-o", "small", "--json")
    document = json.loads(out)
    assert (status, document["pass"]) == (0, "decompose-gemm")
    assert document["failure"] == "the check ended with status 1: AssertionError: a Gemm is gone beside a Tanh"
    assert document["nodes"] == ["Gemm fc", "Tanh tanh"]
    run, check = [shlex.split(line) for line in Path("small", "command.txt").read_text().splitlines()]
    assert cli(*run[1:])[0] == 0
    assert check[1:] == ["of mine.py", "small/model.onnx", "small/lowered.onnx"]


def test_checks_that_cannot_be_are_refused(cli: Cli, planted: Path) -> None:
    def reduce(*more: object) -> tuple[int, str, str]:
        return cli("reduce", planted, "--passes", f"infer-shapes,{HERE}SwapsSub", *more)

    one_line(reduce("--check", "no-such-program {lowered}"), "there's no program 'no-such-program'")
    one_line(reduce("--check", ""), "there's no program ''")
    one_line(reduce("--check", "true 'half"), "can't be read: no closing quotation")
    one_line(reduce("--check", "true {original}"), "doesn't look at the result: write {lowered}")
    one_line(reduce("--check", "true {lowered}", "--timeout", "0"), "timeout is 0 s: give more than 0")
    one_line(reduce("--check", "false {lowered}"), "the check fails on the model itself, before any pass: the check e")
    hangs = f"{shlex.quote(sys.executable)} -c 'import time; time.sleep(9)' {{lowered}}"
    one_line(reduce("--check", hangs, "--timeout", "0.1"), "took more than 0.1 s: give --timeout more, or")
    full = planted.with_name("full")
    full.mkdir()
    (full / "mine").touch()
    one_line(reduce("-o", full), "full is there already and isn't empty")
    one_line(reduce("-o", planted), "net.onnx isn't a folder")
    one_line(reduce("-o", "no/where"), "its folder doesn't exist")
    assert sorted(path.name for path in planted.parent.iterdir()) == ["full", "net.onnx"]


TWO = """<ir_version: 8, opset_import: ["" : 17]> g (float[4] x, float[4] y) => (float[4] z)
{ d = Sub (x, y)  z = Relu (d) }"""


def test_a_command_that_hangs_may_count_as_a_no(cli: Cli, planted: Path) -> None:
    onnx.save(parse(TWO), planted)
    script = planted.with_name("hangs.py")
    script.write_text(
        "import sys, time\nfirst, second = (open(path, 'rb').read() for path in sys.argv[1:3])\n"
        "first == second or time.sleep(9)"
    )
    command = f"{shlex.quote(sys.executable)} hangs.py {{original}} {{lowered}}"
    call = ["reduce", planted, "--passes", f"{HERE}SwapsSub", "--check", command, "--timeout", "0.5"]
    status, out, _ = cli(*call, "--timeout-fails", "--json")
    assert (status, json.loads(out)["failure"]) == (0, "the check took more than 0.5 s")
