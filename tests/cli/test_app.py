"""The command line as scripts see it: exit status, what goes to which stream, what is written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import onnxtile
from tests.commands import Cli, one_line
from tests.support import matmul


def test_json_is_one_object_on_standard_output(cli: Cli, model: Path, tmp_path: Path) -> None:
    report, output = tmp_path / "report.json", tmp_path / "out.onnx"
    status, out, err = cli("lower", model, "--max", "4,*,4", "-o", output, "--json", "--verify", "--report", report)
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert json.loads(report.read_text()) == document
    assert document["schema"] == "onnxtile.lower/1"
    assert document["limits"] == {"m": 4, "k": None, "n": 4, "only_matmul": False}
    assert (document["over"], document["unknown"]) == (0, 0)
    assert (document["nodes_before"], document["nodes_after"]) == (1, len(onnx.load(output).graph.node))
    assert document["contractions"] == [
        {
            "name": "product", "op": "MatMul", "scope": "", "m": 8, "k": 8, "n": 8, "batch": 1, "written": None,
            "dtype": "float32", "status": "tiled", "reason": None, "tiles": {"m": 4, "k": 8, "n": 4},
            "part": "", "family": "matmul", "origin": None,
            "macs": 512, "calls": 4, "padded_macs": 512, "padding": 0, "utilization": 1,
        }
    ]  # fmt: skip
    assert document["engine"] == {
        "calls": 4, "macs": 512, "padded_macs": 512, "padding": 0, "utilization": 1, "of_macs": 512,
    }  # fmt: skip
    assert (document["form"], document["weights"]) == ("unrolled", "pretile")
    assert (document["version"], document["input"]) == (onnxtile.__version__, str(model))
    assert document["verify"]["equivalent"] is True

    status, out, _ = cli("check", model, "--max", "4,4,4", "--json")
    document = json.loads(out)
    assert status == 1
    assert document["schema"] == "onnxtile.check/1"
    assert document["over"] == 1
    assert [row["status"] for row in document["contractions"]] == ["over"]

    status, out, _ = cli("verify", model, output, "--json", "--cases", 2, "--seed", 5)
    document = json.loads(out)
    assert status == 0
    assert document["schema"] == "onnxtile.verify/2"
    assert (document["equivalent"], document["method"], document["cases"]) == (True, "exact", 1)
    assert document["outputs"][0].keys() >= {"name", "max_abs_error", "allowed"}

    document = json.loads(cli("passes", "--json")[1])
    assert document["schema"] == "onnxtile.passes/1"
    assert [step["name"] for step in document["passes"]][:2] == ["bind-dims", "infer-shapes"]


def broken(tmp_path: Path) -> dict[str, tuple[bytes, str]]:
    """Bad model files by name, with the words that must come."""
    good = matmul([8, 8], [8, 8], [8, 8])
    dangling, cyclic, contradicting, twice = (onnx.ModelProto.FromString(good.SerializeToString()) for _ in range(4))
    dangling.graph.node[0].input[0] = "nowhere"
    cyclic.graph.node.append(helper.make_node("Neg", ["q"], ["p"]))
    cyclic.graph.node.append(helper.make_node("Neg", ["p"], ["q"]))
    contradicting.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 7
    twice.graph.node.append(helper.make_node("Neg", ["X"], ["Y"]))
    declared = onnx.ModelProto.FromString(good.SerializeToString())
    declared.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 5
    short = onnx.ModelProto.FromString(good.SerializeToString())
    short.graph.initializer[0].raw_data = short.graph.initializer[0].raw_data[:-4]
    huge = onnx.ModelProto.FromString(good.SerializeToString())
    huge.graph.initializer[0].dims[:] = [2**40, 2**40]
    return {
        "empty": (b"", "holds no graph"),
        "cut_off": (good.SerializeToString()[:-20], "not an ONNX model, or cut off"),
        "random": (bytes(np.random.default_rng(0).integers(0, 256, 500, np.uint8)), "not an ONNX model|holds no graph"),
        "text": (b"<html>this is no model</html>", "not an ONNX model|holds no graph"),
        "no_graph": (onnx.ModelProto(ir_version=8).SerializeToString(), "holds no graph; give a whole ONNX model"),
        "dangling": (
            dangling.SerializeToString(),
            "MatMul 'product' reads 'nowhere', which nothing before it computes",
        ),
        "cyclic": (cyclic.SerializeToString(), "Neg .* reads 'q', which nothing before it computes; there is a cycle"),
        "contradicting": (contradicting.SerializeToString(), "contradict"),
        "declared": (declared.SerializeToString(), "contradict"),
        "twice": (twice.SerializeToString(), "'Y'"),
        "short": (short.SerializeToString(), "initializer 'W': its data has 252 bytes, its shape .* needs 256"),
        "huge": (huge.SerializeToString(), "initializer 'W': its data has 256 bytes"),
    }


@pytest.mark.parametrize("name", broken(Path()))
@pytest.mark.parametrize("command", ["lower", "check"])
def test_a_bad_file_gets_one_line(cli: Cli, tmp_path: Path, name: str, command: str) -> None:
    data, words = broken(tmp_path)[name]
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    one_line(cli(command, path, "--max", "4,4,4"), words)
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lower", "MISSING", "--max", "4,4,4"], "no such file or directory; give the path of an ONNX file"),
        (["lower", "FOLDER", "--max", "4,4,4"], "is a directory"),
        (["lower", "MODEL", "--max", "0,4,4"], "'0' isn't a limit"),
        (["lower", "MODEL", "--max", "-4,4,4"], "'-4' isn't a limit"),
        (["lower", "MODEL", "--max", "4,4"], "2 part"),
        (["lower", "MODEL", "--max", "4,4,4,4"], "4 part"),
        (["lower", "MODEL", "--max", "big"], "1 part"),
        (["lower", "MODEL"], "what the engine multiplies isn't given: say --max M,K,N, or --engine FILE|NAME"),
        (["lower", "MODEL", "--max", "4,4,4", "-o", "MODEL"], "which is needed; give another path"),
        (["lower", "MODEL", "--max", "4,4,4", "-o", "FOLDER/none/out.onnx"], "its folder doesn't exist"),
        (["lower", "MODEL", "--max", "4,4,4", "-o", "FOLDER"], "is a folder"),
        (["lower", "MODEL", "--max", "4,4,4", "--form", "spiral"], "form 'spiral' is unknown: take one of unrolled"),
        (["lower", "MODEL", "--max", "4,4,4", "--weights", "x"], "weights is 'x': take one of pretile, split"),
        (["lower", "MODEL", "--max", "4,4,4", "--form", "batch"], "did you mean 'batched'?"),
        (["lower", "MODEL", "--max", "4,4,4", "--ops", "matmull"], "or all; did you mean 'matmul'?"),
        (["lower", "MODEL", "--max", "4,4,4", "--accumulate", "x"], "accumulate"),
        (
            ["lower", "MODEL", "--max", "4,4,4", "--ops", "pool"],
            "operator family 'pool' is unknown: take one of matmul",
        ),
        (["lower", "MODEL", "--max", "4,4,4", "--bind", "batch=2"], "all of its inputs have fixed shapes"),
        (["lower", "MODEL", "--max", "4,4,4", "--bind", "batch"], "write NAME=INT"),
        (["lower", "MODEL", "--max", "4,4,4", "--bind", "batch=-1"], "write NAME=INT"),
        (["lower", "MODEL", "--max", "4,4,4", "--report", "FOLDER/none/r.json"], "its folder doesn't exist"),
        (
            ["run", "MODEL", "--passes", "bind-dims{batch=3}", "-o", "FOLDER/o.onnx"],
            "pass bind-dims: dimension 'batch'",
        ),
        (["run", "MODEL", "--passes", "", "-o", "FOLDER/o.onnx"], "the pipeline is empty"),
        (["verify", "MODEL", "MISSING"], "no such file"),
        (["frobnicate"], "No such command"),
        (["lower", "MODEL", "--max", "4,4,4", "--accumulate", "trea"], "'sum'; did you mean 'tree'[?]; see --help"),
        (["lower", "MODEL", "--max", "4,4,4", "--bath", "1"], "No such option: --bath; did you mean --bind[?]; see"),
        (["lower", "MODEL", "--maxx", "4,4,4"], "No such option: --maxx; did you mean --max[?]; see --help"),
        (["lower", "MODEL", "--max", "4,4,4", "--dump-after", "tile-matmull", "d"], "did you mean 'tile-matmul'?"),
        (["verify", "MODEL", "MODEL", "--require", "prove"], "did you mean 'proven'?"),
    ],
)
def test_a_bad_call_gets_one_line(cli: Cli, model: Path, arguments: list[str], words: str) -> None:
    folder, before = model.parent, model.read_bytes()
    places = {"MODEL": str(model), "MISSING": str(folder / "missing.onnx"), "FOLDER": str(folder)}

    def place(argument: str) -> str:
        first, slash, rest = argument.partition("/")
        return places.get(first, first) + slash + rest

    one_line(cli(*map(place, arguments)), words)
    assert model.read_bytes() == before
    assert list(folder.iterdir()) == [model]


@pytest.mark.parametrize(
    ("passes", "words"),
    [
        ("fold", "pass 'fold' is unknown: `onnxtile passes` lists all"),
        ("infer-shape", "did you mean 'infer-shapes'?"),
        ("tile-matmul", "pass tile-matmul needs max"),
        ("tile-matmul{min=3}", "no option 'min'; it has max"),
        ("tile-matmul{max}", "option 'max' has no value"),
        ("bind-dims{batch=x}", "not a whole number"),
        ("a{{b", "a pass is missing before '{'"),
    ],
)
def test_a_bad_pipeline_gets_a_line_and_the_place(cli: Cli, model: Path, passes: str, words: str) -> None:
    output = model.with_name("o.onnx")
    status, out, err = cli("run", model, "--passes", passes, "-o", output)
    line, shown, marks = err.splitlines()
    assert (status, out, shown.strip(), set(marks.strip())) == (2, "", passes, {"^"})
    assert line.startswith("onnxtile: pipeline, column ") and words in line
    assert not output.exists()


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("gone.data", "its data file 'gone.data' is missing"),
        ("../outside.data", "outside the model's folder"),
        ("/etc/passwd", "outside the model's folder"),
        ("link.data", "a link that leads out of the model's folder; --follow-links"),
        ("short.data", "its data is in bytes 0 to 256 of 'short.data', which has 100"),
    ],
)
def test_external_data_that_cannot_be_trusted(cli: Cli, tmp_path: Path, location: str, words: str) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "outside.data").write_bytes(bytes(256))
    (folder / "link.data").symlink_to(tmp_path / "outside.data")
    (folder / "short.data").write_bytes(bytes(100))
    bad = matmul([8, 8], [8, 8], [8, 8])
    tensor = bad.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "256"}.items():
        tensor.external_data.add(key=key, value=value)
    (folder / "bad.onnx").write_bytes(bad.SerializeToString())
    one_line(cli("lower", folder / "bad.onnx", "--max", "4,4,4"), words)


def test_start_up_imports_nothing_heavy() -> None:
    code = (
        "import sys, onnxtile, onnxtile.cli.app;"
        "heavy = ('numpy', 'onnx', 'onnx_ir', 'onnxruntime', 'pydantic', 'sympy', 'torch');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_the_module_is_the_program(model: Path) -> None:
    command = [sys.executable, "-m", "onnxtile"]
    assert subprocess.run([*command, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    done = subprocess.run([*command, "check", model, "--max", "4,4,4"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
