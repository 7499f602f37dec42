"""Reports: what comes first, what is counted, and that no name is broken, in a terminal of any width and in a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.commands import Cli, one_line
from tests.support import parse, whole
from tests.terminals import terminal

F32 = np.dtype(np.float32)
LONG = "backbone/[red]layers[/red].11/" * 6 + ":smile: attention/query"


def products(widths: list[int], names: list[str]) -> onnx.ModelProto:
    """A chain of MatMul of one row, from width to width."""
    lines = [f'["{name}"] h{index + 1} = MatMul (h{index}, w{index})' for index, name in enumerate(names)]
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
        chain (float[1,{widths[0]}] h0) => (float[1,{widths[-1]}] h{len(names)}) {{ {" ".join(lines)} }}"""
    weights = {f"w{index}": whole([widths[index], widths[index + 1]], F32, index) for index in range(len(names))}
    return parse(text, **weights)


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred products that fit 8,8,8, but for two, and one of a size that nobody knows."""
    widths = [8] * 101
    widths[40] = widths[70] = 9
    model = products(widths, [f"layer{index}" for index in range(100)])
    path = tmp_path_factory.mktemp("hundred") / "net.onnx"
    onnx.save(model, path)
    return path


def test_check_shows_what_does_not_fit_and_counts_the_rest(cli: Cli, hundred: Path) -> None:
    status, out, err = cli("check", hundred, "--max", "8,8,8")
    lines = out.splitlines()
    assert (status, err) == (1, "")
    assert [line.split()[0] for line in lines[:5]] == ["product", "layer39", "layer40", "layer69", "layer70"]
    assert lines[5:] == [
        "96 products fit; --all lists them",
        "100 products at 8,8,8: 4 over, 96 fit",
        "on the engine: 6,144 of 6,432 MACs (95.5%), 96 calls, utilization of tiles 100%",
    ]
    with terminal(80) as screen:
        assert cli("check", hundred, "--max", "8,8,8")[0] == 1
    assert screen.lines == [*lines, f"to cut them: onnxtile lower {hundred} --max 8,8,8"]
    everything = cli("check", hundred, "--max", "8,8,8", "--all")[1].splitlines()
    order = [39, 40, 69, 70, *(index for index in range(100) if index not in (39, 40, 69, 70))]
    assert [line.split()[0] for line in everything[1:-2]] == [f"layer{index}" for index in order]
    document = json.loads(cli("check", hundred, "--max", "8,8,8", "--json")[1])
    assert [row["name"] for row in document["contractions"]] == [f"layer{index}" for index in range(100)]


def test_lower_shows_what_it_cut_and_counts_the_rest(cli: Cli, hundred: Path, tmp_path: Path) -> None:
    status, out, err = cli("lower", hundred, "--max", "8,8,8", "-o", tmp_path / "out.onnx", "--verify")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in lines[1:5]] == ["layer39", "layer40", "layer69", "layer70"]
    assert lines[5] == "96 products fit; --all lists them"
    assert lines[6] == "100 products at 8,8,8: 4 tiled, 96 fit"
    assert lines[8].startswith("100 nodes became ")
    assert lines[8].endswith(f", form unrolled, in {tmp_path / 'out.onnx'}")
    status, out, _ = cli("check", tmp_path / "out.onnx", "--max", "8,8,8")
    assert (status, len(out.splitlines())) == (0, 3)


def test_what_needs_action_comes_before_what_was_cut(cli: Cli, tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[8,8] x, float[n,8] z) => (float[8,8] y, float[n,8] u) {
        ["small"] a = MatMul (x, w) ["big"] b = MatMul (a, v) ["back"] y = MatMul (b, t) ["free"] u = MatMul (z, w) }"""
    onnx.save(parse(text, w=whole([8, 8], F32, 1), v=whole([8, 16], F32, 2), t=whole([16, 8], F32, 3)), tmp_path / "m")
    status, out, _ = cli("lower", tmp_path / "m", "--max", "8,8,8")
    lines = out.splitlines()
    assert status == 1
    assert [line.split()[0] for line in lines[1:4]] == ["free", "big", "back"]
    assert "1 product fits; --all lists it" in lines


@pytest.mark.parametrize("columns", [20, 60, 80, 132])
def test_a_terminal_gets_names_without_their_middle(cli: Cli, tmp_path: Path, columns: int) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(products([16, 16, 16], [LONG, "short"]), path)
    calls = [["check", path, "--max", "4,4,4"], ["profile", path], ["capture", path, "--name", "*"]]
    for call in calls:
        status, piped, _ = cli(*call)
        with terminal(columns) as screen:
            assert cli(*call)[0] == status
        rows = [line for line in screen.lines if " MatMul " in line]
        assert len(rows) == 2
        assert max(map(len, rows)) <= max(columns, 80)
        if call[0] != "capture":  # that names values
            assert f"\n{LONG} MatMul " in piped
            head, tail = rows[0].split(" MatMul ")[0].split("...")
            assert LONG.startswith(head) and LONG.endswith(tail) and head and tail


def test_a_pipe_gets_every_row_and_every_letter(cli: Cli, hundred: Path) -> None:
    out = cli("profile", hundred)[1]
    assert all(f"\nlayer{index} MatMul " in out for index in range(100))
    with terminal(80) as screen:
        cli("profile", hundred)
    assert "... and 40 more; --top, --by, --json or --csv" in screen.lines


def test_only_some_statuses_are_listed(cli: Cli, hundred: Path) -> None:
    status, out, _ = cli("check", hundred, "--max", "8,8,8", "--only", "fits")
    lines = out.splitlines()
    assert (status, len(lines)) == (1, 1 + 96 + 2)
    assert "over" not in "".join(lines[:-2])
    with terminal(80) as screen:
        cli("check", hundred, "--max", "8,8,8", "--only", "fits,over")
    assert len(screen.lines) == 1 + 100 + 3
    assert (
        cli("check", hundred, "--max", "8,8,8", "--only", "unknown")[1].splitlines()[0]
        == "no product has status unknown"
    )
    for words, why in (
        (("--only", "fit"), "--only fit: take one of over, refused, .*did you mean 'fits'"),
        (("--only", "over", "--all"), "--all lists all products, --only some"),
        (("--only", "over", "--json"), "--json lists all products, --only some"),
    ):
        one_line(cli("check", hundred, "--max", "8,8,8", *words), why)


@pytest.mark.parametrize("command", ["check", "lower"])
@pytest.mark.parametrize("columns", [80, 120])
def test_rows_of_a_report_are_no_wider_than_the_terminal(cli: Cli, tmp_path: Path, columns: int, command: str) -> None:
    model = products([400, 400, 400], [LONG, "backbone/short/MatMul"])
    onnx.save(model, tmp_path / "net.onnx")
    arguments = [command, tmp_path / "net.onnx", "--max", "100,100,100", *(["--dry-run"] if command == "lower" else [])]
    with terminal(columns) as screen:
        cli(*arguments)
    assert max(map(len, screen.lines[:3])) <= columns
    assert ("left out at this width: type" in screen.text) == (columns == 80)
    assert "backbone/short/MatMul" in screen.lines[2]
