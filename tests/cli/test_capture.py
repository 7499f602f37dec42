"""`onnxtile capture` as people and scripts see it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from tests.commands import Cli
from tests.debugging.capture.test_output_files import F32, HEAD, chain
from tests.support import parse, whole
from tests.terminals import terminal


def test_on_the_command_line(cli: Cli, model: Path, tmp_path: Path) -> None:
    status, out, err = cli(
        "capture", model, "--op", "MatMul", "--op", "Relu", "--bind", "b=3", "-o", tmp_path / "v.npz"
    )
    assert (status, err) == (0, "")
    assert re.search(r"h MatMul +float32 3x8 ", out)
    assert "skipped: Relu 'deep' is in choose/then_branch, where values are there only while it runs" in out
    assert f"1 value (96 bytes) in {tmp_path / 'v.npz'}; random inputs from seed 0" in out
    assert list(np.load(tmp_path / "v.npz")) == ["h"]
    np.savez(tmp_path / "x.npz", x=whole([5, 8], F32, 1))
    status, out, err = cli("capture", model, "--name", "fc", "--input", tmp_path / "x.npz", "-o", f"{tmp_path}/v/")
    assert (status, err) == (0, "")
    assert "given inputs" in out
    assert np.load(tmp_path / "v" / "h.npy").shape == (5, 8)


def test_without_output_nothing_is_written(cli: Cli, model: Path) -> None:
    status, out, err = cli("capture", model, "--name", "fc")
    assert (status, err) == (0, "")
    assert "1 value (64 bytes) shown, not written; random inputs from seed 0, b taken as 2" in out
    assert [path.name for path in model.parent.iterdir()] == ["model.onnx"]


def test_json_is_valid_whatever_the_numbers_are(cli: Cli, model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([[np.inf, 0, 0, 0, 0, 0, 0, np.nan]], F32))
    status, out, err = cli(
        "capture", model, "--name", "*", "--input", tmp_path / "x.npz", "--json", "-o", tmp_path / "v"
    )
    document = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} isn't JSON"))
    assert (status, err) == (0, "")
    assert (document["schema"], document["output"]) == ("onnxtile.capture/1", str(tmp_path / "v"))
    assert document["inputs"] == {"source": "given", "seed": None, "sizes": {"b": 1}, "made_up": []}
    first = document["values"][0]
    assert (first["value"], first["node"], first["op"], first["place"]) == ("h", "fc", "MatMul", "h.npy")
    assert (first["min"], first["max"], first["mean"], first["nan"], first["infinite"]) == (None, None, None, 8, 0)
    assert [skipped["node"] for skipped in document["skipped"]] == ["deep", "r"]
    assert json.loads((tmp_path / "v" / "index.json").read_text())["values"] == document["values"]


def test_the_table_fits_a_terminal(cli: Cli, tmp_path: Path) -> None:
    names = [f"/backbone/stage{index}/bottleneck/convolution_output_{'x' * index}" for index in range(60)]
    onnx.save(chain([*names, "esc\x1b[2Jape"], length=1), tmp_path / "m.onnx")
    with terminal(80) as screen:
        assert cli("capture", tmp_path / "m.onnx", "--name", "*")[0] == 0
    assert screen.widest <= 80
    assert "... and 21 more; --json lists them all" in screen.lines
    _, out, _ = cli("capture", tmp_path / "m.onnx", "--name", "*")
    assert all(f"\n{name} Add " in out for name in names)
    assert "esc\\x1b[2Jape" in out and "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "onnxtile: say which nodes: by operator (--op Conv), by name (--name 'features.*'), or --name '*'"),
        (["--op", "Conv"], "onnxtile: no node is a 'Conv': the model has MatMul, Log, If, ..."),
        (["--name", "*", "--bind", "b"], "onnxtile: --bind b: write NAME=INT, such as batch=1, or batch=1,seq=128"),
        (["--name", "*", "-o", "v.json"],
            "onnxtile: output v.json is neither FILE.npz nor a folder; a folder's path ends in /"),
        (["--name", "*", "--memory", "0"],
            "onnxtile: Invalid value for '--memory': Input should be greater than or equal to 1; see --help"),
        (["--name", "*", "--input", "none.npz"], "onnxtile: none.npz: not an .npz file of plain arrays: "
            "[Errno 2] No such file or directory: 'none.npz'"),
    ],
)  # fmt: skip
def test_calls_that_are_refused(cli: Cli, model: Path, arguments: list[str], words: str) -> None:
    assert cli("capture", model, *arguments) == (2, "", f"{words}\n")


def test_the_inputs_are_not_written_over(cli: Cli, model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=whole([5, 8], F32, 1))
    before = (tmp_path / "x.npz").read_bytes()
    status, _, err = cli("capture", model, "--name", "*", "--input", tmp_path / "x.npz", "-o", tmp_path / "x.npz")
    assert (status, (tmp_path / "x.npz").read_bytes()) == (2, before)
    assert "which is needed; give another path" in err


def test_what_was_captured_can_be_fed_again(cli: Cli, model: Path, tmp_path: Path) -> None:
    cli("capture", model, "--name", "fc", "-o", tmp_path / "v.npz")
    rest = parse(f"{HEAD} g (float[b,8] h) => (float[b,8] l) {{ [log] l = Log (h) }}")
    onnx.save(rest, tmp_path / "rest.onnx")
    assert (
        cli(
            "capture", tmp_path / "rest.onnx", "--name", "log", "--input", tmp_path / "v.npz", "-o", tmp_path / "l.npz"
        )[0]
        == 0
    )
    np.testing.assert_array_equal(np.load(tmp_path / "l.npz")["l"], onnxtile.capture(model, name="log")["l"])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(parse(
        f"""{HEAD} g (float[b,8] x) => (float[b,8] y) {{
            [fc] h = MatMul (x, w)  [log] l = Log (h)  [choose] y = If (t) <
                then_branch = g1 () => (float[b,8] s) {{ [deep] s = Relu (l) }},
                else_branch = g2 () => (float[b,8] r) {{ r = Neg (l) }}> }}""",
        w=whole([8, 8], F32, 1), t=np.array(True),
    ), path)  # fmt: skip
    return path
