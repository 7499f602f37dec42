"""The command line as scripts see it: exit status, what goes to which stream, what is written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.cli.app import main
from tests.support import FLOAT, matmul, operators, parse, whole

Cli = Callable[..., tuple[int, str, str]]
INFO = helper.make_tensor_value_info


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the program in this process: (exit status, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["onnxtile", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(matmul([8, 8], [8, 8], [8, 8]), path)
    return path


def test_the_main_job(cli: Cli, model: Path) -> None:
    assert cli("check", model, "--max", "4,4,4")[0] == 1
    status, out, err = cli("lower", model, "--max", "4,4,4", "--verify")
    assert (status, err) == (0, "")
    assert "1 product at 4,4,4: 1 tiled" in out
    assert "equivalent" in out
    lowered = model.with_name("model.tiled.onnx")
    assert operators(onnx.load(lowered)).count("MatMul") == 8
    assert cli("check", lowered, "--max", "4,4,4")[0] == 0
    assert cli("verify", model, lowered)[0] == 0
    assert sorted(path.name for path in model.parent.iterdir()) == ["model.onnx", "model.tiled.onnx"]


def test_json_is_one_object_on_standard_output(cli: Cli, model: Path, tmp_path: Path) -> None:
    report, output = tmp_path / "report.json", tmp_path / "out.onnx"
    status, out, err = cli("lower", model, "--max", "4,*,4", "-o", output, "--json", "--verify", "--report", report)
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert json.loads(report.read_text()) == document
    assert document["schema"] == "onnxtile.lower/1"
    assert document["limits"] == {"m": 4, "k": None, "n": 4}
    assert (document["over"], document["unknown"]) == (0, 0)
    assert (document["nodes_before"], document["nodes_after"]) == (1, len(onnx.load(output).graph.node))
    assert document["contractions"] == [
        {
            "name": "product", "op": "MatMul", "scope": "", "m": 8, "k": 8, "n": 8, "batch": 1, "dtype": "float32",
            "status": "tiled", "reason": None, "tiles": {"m": 4, "k": 8, "n": 4},
            "part": "", "family": "matmul",
        }
    ]  # fmt: skip
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
    assert document["schema"] == "onnxtile.verify/1"
    assert (document["equivalent"], document["method"], document["cases"]) == (True, "exact", 2)
    assert document["outputs"][0].keys() >= {"name", "max_abs_error", "allowed"}

    document = json.loads(cli("passes", "--json")[1])
    assert document["schema"] == "onnxtile.passes/1"
    assert [each["name"] for each in document["passes"]][:2] == ["bind-dims", "infer-shapes"]


def test_run_takes_a_pipeline(cli: Cli, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    pipeline = "infer-shapes,tile-matmul{max=4,4,4 accumulate=tree},check-limits{max=4,4,4}"
    status, out, _ = cli("run", model, "--passes", pipeline, "-o", output)
    assert status == 0
    assert [line.split()[2] for line in out.splitlines()[:3]] == ["infer-shapes", "tile-matmul", "check-limits"]
    assert operators(onnx.load(output)) == operators(onnxtile.lower(model, (4, 4, 4), accumulate="tree"))
    status, _, err = cli("run", model, "--passes", "infer-shapes,check-limits{max=4,4,4}", "-o", tmp_path / "no.onnx")
    assert status == 2
    assert err == "onnxtile: pass check-limits: MatMul 'product' is 8x8x8, over the limits 4,4,4\n"
    assert not (tmp_path / "no.onnx").exists()


def test_what_is_left_over_the_limits_makes_status_1(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "dynamic.onnx"
    onnx.save(matmul(["batch", 8], [8, 8], ["batch", 8]), path)
    status, out, _ = cli("lower", path, "--max", "4,4,4")
    assert status == 1
    assert "M is 'batch'; bind it with --bind batch=INT" in out
    assert cli("lower", path, "--max", "4,4,4", "--bind", "batch=8", "--verify")[0] == 0
    assert cli("lower", path, "--max", "*,4,4", "--verify")[0] == 0
    assert cli("lower", path, "--max", "4,4,4", "--form", "batched", "--verify", "--bind", "batch=6")[0] == 0


def test_a_result_that_is_not_equivalent_is_not_written(cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxtile.tiling.forms.unrolled import Unrolled

    def forgets_the_last_tile(self, sink, product, a, b, output, prefix):  # type: ignore[no-untyped-def]
        sink.node("Neg", [a.name], [output])

    monkeypatch.setattr(Unrolled, "spell", forgets_the_last_tile)
    status, out, _ = cli("lower", model, "--max", "8,8,4", "--verify")
    assert status == 1
    assert "NOT equivalent" in out
    assert "nothing was written" in out
    assert sorted(path.name for path in model.parent.iterdir()) == ["model.onnx"]


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


def one_line(result: tuple[int, str, str], words: str) -> None:
    import re

    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("onnxtile: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert re.search(words, err), err


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
        (["lower", "MODEL"], "Missing option '--max'"),
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
        (["run", "MODEL", "--passes", "fold", "-o", "FOLDER/o.onnx"], "pass 'fold' is unknown: take one of bind-dims"),
        (
            ["run", "MODEL", "--passes", "infer-shape", "-o", "FOLDER/o.onnx"],
            "did you mean 'infer-shapes'?",
        ),
        (["run", "MODEL", "--passes", "tile-matmul", "-o", "FOLDER/o.onnx"], "pass tile-matmul needs max"),
        (["run", "MODEL", "--passes", "tile-matmul{min=3}", "-o", "FOLDER/o.onnx"], "no option 'min'; it has max"),
        (["run", "MODEL", "--passes", "tile-matmul{max}", "-o", "FOLDER/o.onnx"], "option 'max' has no value"),
        (["run", "MODEL", "--passes", "bind-dims{batch=x}", "-o", "FOLDER/o.onnx"], "not a whole number"),
        (
            ["run", "MODEL", "--passes", "bind-dims{batch=3}", "-o", "FOLDER/o.onnx"],
            "pass bind-dims: dimension 'batch'",
        ),
        (["run", "MODEL", "--passes", "", "-o", "FOLDER/o.onnx"], "the pipeline is empty"),
        (["run", "MODEL", "--passes", "a{{b", "-o", "FOLDER/o.onnx"], "can't read"),
        (["verify", "MODEL", "MISSING"], "no such file"),
        (["frobnicate"], "No such command"),
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


def test_a_write_that_fails_leaves_the_old_output(
    cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "out.onnx"
    output.write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    one_line(cli("lower", model, "--max", "4,4,4", "-o", output), "can't be written: no space left on device")
    assert output.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "out.onnx"]


def test_an_original_that_is_over_names_its_products(cli: Cli, tmp_path: Path) -> None:
    names = ["first", "second", "third"]
    nodes = [helper.make_node("Gemm", [f"h{i}", "w"], [f"h{i + 1}"], name) for i, name in enumerate(names)]
    weight = numpy_helper.from_array(whole([8, 8], np.dtype(np.float32), 0), "w")
    graph = helper.make_graph(nodes, "g", [INFO("h0", FLOAT, [8, 8])], [INFO("h3", FLOAT, [8, 8])], [weight])
    path = tmp_path / "three.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    status, out, _ = cli("check", path, "--max", "4,4,4")
    assert status == 1
    assert all(name in out for name in names)
    assert "3 products at 4,4,4: 3 over" in out


def test_families_that_are_not_asked_for_are_counted(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "conv.onnx"
    onnx.save(
        parse(
            """<ir_version: 8, opset_import: ["" : 17]>
            g (float[1,3,8,8] x, float[3,2,5] s) => (float[1,4,6,6] y, float[3,1,2,4] z) {
                [conv] y = Conv (x, w)
                z = LSTM <hidden_size: int = 4> (s, a, b)
            }""",
            w=whole([4, 3, 3, 3], np.dtype(np.float32), 0),
            a=whole([1, 16, 5], np.dtype(np.float32), 1),
            b=whole([1, 16, 4], np.dtype(np.float32), 2),
        ),
        path,
    )
    status, out, _ = cli("check", path, "--max", "4,4,4")
    assert status == 0
    assert out.splitlines()[0] == "not asked: 1 conv, 2 rnn (--ops)"
    status, out, _ = cli("lower", path, "--max", "4,4,4", "--ops", "matmul,conv", "--json")
    row, *others = json.loads(out)["contractions"]
    assert status == 1
    assert (row["status"], row["reason"]) == ("refused", "operator: Conv isn't lowered yet")
    assert [(each["family"], each["part"], each["status"]) for each in others] == [
        ("rnn", "input", "not-asked"),
        ("rnn", "state", "not-asked"),
    ]
    out = cli("check", path, "--max", "4,4,4", "--ops", "rnn")[1]
    assert "LSTM input" in out
    assert "not asked: 1 conv (--ops)" in out


def test_start_up_imports_nothing_heavy() -> None:
    code = (
        "import sys, onnxtile, onnxtile.cli.app;"
        "print([name for name in ('numpy', 'onnx', 'onnx_ir', 'onnxruntime', 'sympy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_the_module_is_the_program(model: Path) -> None:
    command = [sys.executable, "-m", "onnxtile"]
    assert subprocess.run([*command, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    done = subprocess.run([*command, "check", model, "--max", "4,4,4"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
