"""capture: files and their bytes, names that mean harm, memory, refusals that leave nothing, and the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.errors import ModelError, UnsupportedError, UsageError
from tests.cli.test_app import Cli, cli
from tests.support import FLOAT, make, matmul, parse, whole
from tests.terminals import terminal

__all__ = ["cli"]  # a fixture

F32 = np.dtype(np.float32)
HEAD = """<ir_version: 10, opset_import: ["" : 20]>"""


def chain(names: list[str], length: int = 3) -> onnx.ModelProto:
    """Each value by these names is one more than the one before; `fed` is the input."""
    nodes = [
        helper.make_node("Add", [before, "one"], [name], f"n{index}")
        for index, (before, name) in enumerate(zip(["fed", *names], names, strict=False))
    ]
    info = helper.make_tensor_value_info
    one = numpy_helper.from_array(np.ones((), F32), "one")
    return make(
        helper.make_graph(nodes, "g", [info("fed", FLOAT, [length])], [info(names[-1], FLOAT, [length])], [one])
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ZERO = {"fed": np.zeros(3, F32)}


def test_an_npz_file(tmp_path: Path) -> None:
    report = onnxtile.capture(chain(["a", "b/c", "d.e:0"]), name="*", inputs=ZERO, output=tmp_path / "v.npz")
    with np.load(tmp_path / "v.npz") as arrays:
        assert list(arrays) == ["a", "b/c", "d.e:0"]
        assert [arrays[name][0] for name in arrays] == [1, 2, 3]
    assert (report.output, [value.place for value in report.values]) == (tmp_path / "v.npz", ["a", "b/c", "d.e:0"])
    with zipfile.ZipFile(tmp_path / "v.npz") as archive:
        assert json.loads(archive.getinfo("b/c.npy").comment) == {
            "value": "b/c", "node": "n1", "op": "Add", "dtype": "float32", "shape": [3], "stored": None,
        }  # fmt: skip
    onnxtile.capture(chain(["a"]), name="*", inputs=ZERO, output=tmp_path / "v.npz")
    assert list(np.load(tmp_path / "v.npz")) == ["a"]  # an old one is replaced


@pytest.mark.parametrize("output", ["values/", "values", "values.npz/"])
def test_a_folder(tmp_path: Path, output: str) -> None:
    report = onnxtile.capture(chain(["a", "b/c", "b_c", "A"]), name="*", inputs=ZERO, output=f"{tmp_path}/{output}")
    folder = tmp_path / output
    index = json.loads((folder / "index.json").read_text())
    assert index["schema"] == "onnxtile.capture/1"
    assert index["values"] == [value.to_json() for value in report.values]
    places = {value["value"]: value["place"] for value in index["values"]}
    assert places == {"a": "a.npy", "b/c": "b_c.npy", "b_c": "b_c.1.npy", "A": "A.1.npy"}
    assert {name: np.load(folder / place)[0] for name, place in places.items()} == {"a": 1, "b/c": 2, "b_c": 3, "A": 4}
    assert sorted(files(folder)) == sorted([*places.values(), "index.json"])
    with pytest.raises(UsageError, match="is there already and isn't empty; give the path of a new folder"):
        onnxtile.capture(chain(["a"]), name="*", output=folder)


HOSTILE = [
    "../../evil", "/etc/passwd", "etc/passwd", "..", "a/../../b", "a//b", "C:/x", "C:x", "back\\slash", "nul\0byte",
    "esc\x1b[31mape", "new\nline", ".hidden", "-rf", "x.npy", "x", "x.npy/y", "file", "f" * 300, "F" * 300, "é" * 200,
    "/", "//a", "index.json", " ", "\u202ereverse", "[red]markup[/]",
]  # fmt: skip


def test_hostile_names(tmp_path: Path) -> None:
    """Nothing leads out of where it's unpacked, nothing is lost, and the report says what is where."""
    model = chain(HOSTILE)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    report = onnxtile.capture(model, name="*", inputs=ZERO, output=inner / "v.npz")
    assert [value.value for value in report.values] == HOSTILE
    with np.load(inner / "v.npz") as arrays:
        assert [int(arrays[str(value.place)][0]) for value in report.values] == list(range(1, len(HOSTILE) + 1))
        assert len(arrays.files) == len(HOSTILE)
    with zipfile.ZipFile(inner / "v.npz") as archive:
        for name in archive.namelist():
            parts = Path(name).parts
            assert not name.startswith("/")
            assert not {"..", ".", ""} & set(parts)
            assert name.isprintable()
            assert "\\" not in name
            (inner / "out" / name).resolve().relative_to(inner / "out")
        archive.extractall(inner / "out")
        comments = [json.loads(each.comment)["value"] for each in archive.infolist()]
    assert sorted(comments) == sorted(HOSTILE)
    assert len(files(inner / "out")) == len(HOSTILE)
    places = {value.value: value.place for value in report.values}
    assert (places["x"], places["file"], places["etc/passwd"]) == ("x", "file", "etc/passwd")
    assert (places["/etc/passwd"], places["../../evil"]) == ("etc/passwd.1", "_._.._evil")

    report = onnxtile.capture(model, name="*", inputs=ZERO, output=inner / "folder")
    assert len(files(inner / "folder")) == len(HOSTILE) + 1
    assert all(re.fullmatch(r"\w[\w.+-]*\.npy", str(value.place), re.ASCII) for value in report.values)
    found = [int(np.load(inner / "folder" / str(value.place))[0]) for value in report.values]
    assert found == list(range(1, len(HOSTILE) + 1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    assert sorted(path.name for path in inner.iterdir()) == ["folder", "out", "v.npz"]


def test_a_slash_in_front_is_left_out(tmp_path: Path) -> None:
    """As exporters of PyTorch begin all names."""
    onnxtile.capture(chain(["/conv/out", "/relu/out"]), name="*", output=tmp_path / "v.npz")
    assert list(np.load(tmp_path / "v.npz")) == ["conv/out", "relu/out"]


@pytest.mark.parametrize("output", ["v.npz", "v/"])
def test_the_same_bytes_again(cli: Cli, tmp_path: Path, output: str) -> None:
    """At another time, in as many runs as memory takes, in Python and on the command line."""
    model = tmp_path / "m.onnx"
    onnx.save(onnxtile.lower(matmul([9, 40], [40, 9], [9, 9]), (4, 8, 8)), model)
    arguments = ["--name", "*", "--name", "product/*", "-o"]
    for folder, memory in (("one", 256), ("two", 1)):
        (tmp_path / folder).mkdir()
        names = ["*", "product/*"]
        onnxtile.capture(model, name=names, output=f"{tmp_path}/{folder}/{output}", memory=memory)
    (tmp_path / "three").mkdir()
    assert cli("capture", model, *arguments, f"{tmp_path}/three/{output}")[0] == 0
    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")
    assert files(tmp_path / "one")


def test_what_must_stay_is_not_written_over(tmp_path: Path) -> None:
    model = tmp_path / "m.npz"  # whatever it's called
    onnx.save(chain(["a"]), model)
    before = files(tmp_path)
    with pytest.raises(UsageError, match="m.npz, which is needed; give another path"):
        onnxtile.capture(model, name="*", output=model)
    outside = tmp_path / "w.npz"
    onnx.save(
        matmul([4, 8], [8, 8], [4, 8]),
        tmp_path / "e.onnx",
        save_as_external_data=True,
        location=outside.name,
        size_threshold=0,
    )
    with pytest.raises(UsageError, match="w.npz, which is needed; give another path"):
        onnxtile.capture(tmp_path / "e.onnx", name="*", output=outside)
    assert before.items() <= files(tmp_path).items()
    with pytest.raises(UsageError, match="its folder doesn't exist; make"):
        onnxtile.capture(model, name="*", output=tmp_path / "none" / "v.npz")


@pytest.mark.parametrize("output", ["v.npz", "v/"])
def test_a_failure_leaves_nothing(tmp_path: Path, output: str) -> None:
    """The second run fails, when the first has been written."""
    model = parse(
        f"""{HEAD} g (float[n,m] x) => (float[2,3] y) {{
            [neg] a = Neg (x)  [shape] b = Reshape (a, two_three)  [last] y = Neg (b) }}""",
        two_three=np.array([2, 3]),
    )
    words = (
        r"what was chosen can't be computed: onnxruntime: .*Reshape.*; give other inputs \(--input FILE.npz\) or sizes"
    )
    with pytest.raises(UnsupportedError, match=words):
        onnxtile.capture(model, name=["neg", "last"], inputs={"x": np.ones((2, 2), F32)}, output=f"{tmp_path}/{output}")
    assert files(tmp_path) == {}
    assert not list(tmp_path.iterdir())
    assert list(onnxtile.capture(model, name="neg", inputs={"x": np.ones((2, 2), F32)})) == ["a"]


def test_made_up_sizes_are_told_where_they_contradict() -> None:
    model = parse(
        f"{HEAD} g (float[n,3] x) => (float[7,3] y) {{ y = Concat <axis = 0> (x, x, v) }}", v=whole([1, 3], F32, 1)
    )
    with pytest.raises(ModelError, match=r"contradict: .*; that is with n taken as 2: bind other sizes \(--bind\)"):
        onnxtile.capture(model, name="*")
    assert list(onnxtile.capture(model, name="*", bind={"n": 3})) == ["y"]


# memory


def runs(model: onnx.ModelProto, memory: int, **inputs: np.ndarray) -> list[str]:
    """What is told of the runs."""
    told: list[str] = []

    def say(words: str, done: int = 0, total: int | None = None) -> None:
        told.append(words)

    onnxtile.capture(model, name="*", memory=memory, progress=say, inputs=inputs or None)
    return [words for words in told if words.startswith("run ")]


def test_as_many_runs_as_the_memory_takes() -> None:
    model = chain(list("abcdef"), length=100_000)  # 0.4 MB each
    assert runs(model, 256) == ["run 1 of 1"]
    assert runs(model, 1) == ["run 1 of 3", "run 2 of 3", "run 3 of 3"]
    assert len(runs(chain(list("abc"), length=600_000), 1)) == 3


def test_values_whose_shapes_only_a_run_tells_are_measured() -> None:
    """NonZero gives as many as there are: not a run for each value behind it."""
    model = parse(
        f"""{HEAD} g (float[n] x) => (int64[1,m] d) {{
            a = NonZero (x)  b = Add (a, a)  c = Neg (b)  d = Abs (c)  q = Cast <to = 16> (a)
            s = SequenceConstruct (a)  e = Neg (d) }}"""
    )
    x = np.ones(50_000, F32)
    assert len(runs(model, 256, x=x)) == 3  # a sequence has no shape: it's alone
    assert len(runs(model, 1, x=x)) == 4


SCRIPT = """
import sys
import onnxtile
def peak():  # getrusage's figure is the parent's where that was larger
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
for memory in (16, 2000):
    report = onnxtile.capture(sys.argv[1], name="*", output=f"{sys.argv[2]}/{memory}", memory=memory)
    assert sum(value.bytes for value in report.values) > 150e6
    print(peak() // 1000)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_memory_stays_within_what_is_asked_for(tmp_path: Path) -> None:
    onnx.save(chain([f"v{index}" for index in range(20)], length=2_000_000), tmp_path / "m.onnx")
    command = [sys.executable, "-c", SCRIPT, tmp_path / "m.onnx", tmp_path]
    some, all_of_them = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert some < all_of_them - 60


# weights


def test_weights_in_a_file_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    model = matmul([4, 512], [512, 64], [4, 64])
    want = onnxtile.capture(model, name="*")
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    monkeypatch.chdir(tmp_path)
    for path in ("model/m.onnx", folder / "m.onnx"):
        np.testing.assert_array_equal(onnxtile.capture(path, name="*")["Y"], want["Y"])
    onnxtile.lower(folder / "m.onnx", (4, 32, 32), output=folder / "l.onnx", external_data=True)
    same = onnxtile.capture(folder / "l.onnx", name="product", inputs={"X": whole([4, 512], F32, 3)})
    np.testing.assert_array_equal(
        same["Y"], onnxtile.capture(folder / "m.onnx", name="product", inputs={"X": whole([4, 512], F32, 3)})["Y"]
    )
    (folder / "m.data").unlink()
    with pytest.raises(ModelError, match="its data file 'm.data' is missing; put it beside the model"):
        onnxtile.capture(folder / "m.onnx", name="*")


@pytest.mark.parametrize("kind", ["BFLOAT16", "INT4", "FLOAT8E4M3FN", "FLOAT16", "DOUBLE", "BOOL"])
@pytest.mark.parametrize("external", [False, True])
def test_weights_of_any_type(tmp_path: Path, kind: str, external: bool) -> None:
    code = onnx.TensorProto.DataType.Value(kind)
    numbers = np.random.default_rng(1).integers(0, 2, (64, 64)).astype(helper.tensor_dtype_to_np_dtype(code))
    weight = numpy_helper.from_array(numbers, "w")
    info = helper.make_tensor_value_info
    nodes = [helper.make_node("Cast", ["w"], ["c"], "cast", to=FLOAT), helper.make_node("MatMul", ["x", "c"], ["y"])]
    model = make(helper.make_graph(nodes, "g", [info("x", FLOAT, [2, 64])], [info("y", FLOAT, [2, 64])], [weight]), 21)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=external, location="m.data", size_threshold=0)
    found = onnxtile.capture(tmp_path / "m.onnx", name="cast")["c"]
    np.testing.assert_array_equal(found, numbers.astype(F32))


# the command line


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
    assert [each["node"] for each in document["skipped"]] == ["deep", "r"]
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
        (["--name", "*", "--bind", "b"], "onnxtile: --bind b: write NAME=INT, such as batch=1"),
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
