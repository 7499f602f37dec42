"""capture: files and their bytes, names that mean harm, memory, refusals that leave nothing, and the command line."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.errors import UnsupportedError, UsageError
from tests.commands import Cli
from tests.support import FLOAT, make, matmul, parse

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
    assert index["schema"] == "onnxtile.capture-index/1"
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
