"""verify as it's called: what is refused and in which words, sizes that aren't known, files, and what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import ModelError, OnnxtileError, UnsupportedError, UsageError
from tests.commands import Cli
from tests.support import matmul, parse, whole
from tests.terminals import terminal

F32 = np.dtype(np.float32)
MODEL = matmul([4, 8], [8, 6], [4, 6])
LOWERED = onnxtile.lower(MODEL, (2, 4, 3))
X = {"X": np.ones((4, 8), np.float32)}

CALLS: dict[str, dict[str, Any]] = {
    "method is 'Exact': take one of exact, bound; did you mean 'exact'?": {"method": "Exact"},
    "method is 'proof': take one of exact, bound": {"method": "proof"},
    "inputs are for method bound: the exact proof makes its own": {"method": "exact", "inputs": X},
    "cases is 0: give a whole number, 1 or more": {"cases": 0},
    "cases is -3: give a whole number, 1 or more": {"cases": -3},
    "cases is 1.0: give a whole number, 1 or more": {"cases": 1.0},
    "cases is True: give a whole number, 1 or more": {"cases": True},
    "cases is '2': give a whole number, 1 or more": {"cases": "2"},
    "seed is -1: give a whole number, 0 or more": {"seed": -1},
    "seed is 0.5: give a whole number, 0 or more": {"seed": 0.5},
    "input 'Q' isn't one of the model's: X": {"inputs": {"Q": X["X"]}},
}


@pytest.mark.parametrize("words", CALLS)
def test_calls_that_are_refused(words: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(words)}$"):
        onnxtile.verify(MODEL, LOWERED, **CALLS[words])


def test_what_is_taken_where_nobody_says() -> None:
    exact, bound = onnxtile.verify(MODEL, LOWERED), onnxtile.verify(MODEL, LOWERED, inputs=X)
    assert (exact.method, exact.cases) == ("exact", 1) and exact.seed > 0
    assert exact.seed != onnxtile.verify(MODEL, LOWERED).seed
    assert (bound.method, bound.cases, bound.seed) == ("bound", 4, 0)
    assert (bound.regions, exact.layers) == ((), ())


FREE = """<ir_version: 10, opset_import: ["" : 20]> g (float[n,8] x) => (float[n,6] y) { y = MatMul (x, w) }"""


@pytest.mark.parametrize("form", ["unrolled", "batched", "function"])
@pytest.mark.parametrize("bind", [None, {"n": 1}, {"n": 7}])
def test_free_dimensions(form: str, bind: dict[str, int] | None) -> None:
    model = parse(FREE, w=whole([8, 6], F32, 1))
    lowered = onnxtile.lower(model, (None, 4, 3), form=form)
    (region,) = onnxtile.verify(model, lowered, bind=bind).regions
    assert (region.method, region.equivalent) == ("exact", True)


@pytest.mark.parametrize(
    ("bind", "words"),
    [
        ({"n": -1}, "dimension 'n' is bound to -1: give a whole number, 0 or more"),
        ({"n": "3"}, "dimension 'n' is bound to '3': give a whole number, 0 or more"),
        ({"m": 3}, "dimension 'm' isn't a free dimension of the model: its free dimensions are n"),
    ],
)
def test_sizes_that_are_refused(bind: dict[str, Any], words: str) -> None:
    model = parse(FREE, w=whole([8, 6], F32, 1))
    with pytest.raises(UsageError, match=words):
        onnxtile.verify(model, onnxtile.lower(model, (None, 4, 3)), bind=bind)


CONTRADICTING = """<ir_version: 10, opset_import: ["" : 20]> g (float[n,8] x, float[k,8] z) => (float[7,6] y) {
    c = Concat <axis = 0> (x, z)  t = Add (c, v)  [p] y = MatMul (t, w) }"""


def test_sizes_that_depend_on_each_other() -> None:
    """n + k has to be 7, which nobody can guess: words say what to do."""
    model = parse(CONTRADICTING, w=whole([8, 6], F32, 1), v=whole([7, 8], F32, 1))
    lowered = onnxtile.lower(model, (4, 4, 3))
    assert onnxtile.verify(model, lowered, bind={"n": 3, "k": 4}).equivalent
    with pytest.raises((UnsupportedError, ModelError), match=r"no engine runs the original: .* or --bind|contradict"):
        onnxtile.verify(model, lowered, bind={"n": 3, "k": 3})


def test_an_output_may_be_declared_as_it_is_inferred() -> None:
    """Some exporters declare another number of axes, and engines run that; `lower` writes what is right."""
    model = matmul([2, 5, 8], [8, 6], [2, 6])
    lowered = onnxtile.lower(model, (4, 4, 3))
    assert onnxtile.verify(model, lowered).equivalent
    dims = lowered.graph.output[0].type.tensor_type.shape.dim
    del dims[:]
    for size in (2, 5, 6):
        dims.add(dim_value=size)
    assert onnxtile.verify(model, lowered).equivalent
    dims[1].dim_value = 4
    assert "the shapes of 'Y' differ" in str(onnxtile.verify(model, lowered).reason)


@pytest.mark.parametrize(
    ("dims", "bind"),
    [
        (["?", 8], {"x_0": 5}), ([-1, 8], {"x_0": 5}), ([None, 8], {"x_0": 5}), (["n + 1", 8], {"n": 4}),
        (["2*n", 8], {"n": 3}), (["my batch", 8], {"my batch": 5}),
    ],
    ids=str,
)  # fmt: skip
def test_dimensions_are_called_as_lower_calls_them(dims: list[Any], bind: dict[str, int]) -> None:
    model = matmul(dims, [8, 6], [None, 6])
    model.graph.input[0].name = model.graph.node[0].input[0] = "x"
    lowered = onnxtile.lower(model, (4, 4, 3), bind=bind)
    assert onnxtile.verify(model, lowered, bind=bind).equivalent
    said = str(onnxtile.verify(model, lowered).reason)
    assert "if that's meant, say so: --bind" in said


@pytest.mark.parametrize(
    "product",
    [
        "MatMul (x, w)",
        "Gemm (x, w)",
        "Gemm <transA = 1, transB = 1> (xt, wt)",
        'Einsum <equation = "nk,km->nm"> (x, w)',
    ],
)
def test_a_size_that_the_weight_tells(product: str) -> None:
    """k is free in the model, but only 8 can be right."""
    weight = whole([8, 6], F32, 1)
    turned = "t" in product.split("(")[1]
    fed, given = ("float[k,n] xt", {"wt": weight.T}) if turned else ("float[n,k] x", {"w": weight})
    model = parse(
        f"""<ir_version: 10, opset_import: ["" : 20]> g ({fed}) => (float[n,6] y) {{ y = {product} }}""", **given
    )
    lowered = onnxtile.lower(model, (None, 4, 3))
    assert lowered != model
    (region,) = onnxtile.verify(model, lowered).regions
    assert (region.method, region.equivalent) == ("exact", True)


@pytest.mark.parametrize("shape", [[0, 4, 8], [2, 0, 8]])
def test_empty_batches(shape: list[int]) -> None:
    model = matmul(shape, [8, 6], [*shape[:2], 6])
    (region, *_) = onnxtile.verify(model, onnxtile.lower(model, (4, 4, 3))).regions
    assert region.equivalent


def large(folder: Path) -> tuple[Path, Path]:
    """A model in which one table is kept and one weight is cut, both in files of their own; and it lowered."""
    rng = np.random.default_rng(0)
    model = parse(
        """<ir_version: 10, opset_import: ["" : 20]> g (int64[4] i) => (float[4,40] y) {
        [look] e = Gather (t, i)  [p] y = MatMul (e, w) }""",
        t=rng.standard_normal((50, 64)).astype(F32),
        w=rng.standard_normal((64, 40)).astype(F32),
    )
    original, lowered = folder / "a.onnx", folder / "b.onnx"
    onnx.save(model, original, save_as_external_data=True, location="a.data", size_threshold=0)
    onnxtile.lower(original, (4, 16, 20), output=lowered, external_data=True)
    return original, lowered


def test_weights_in_files(tmp_path: Path) -> None:
    original, lowered = large(tmp_path)
    verdict = onnxtile.verify(original, lowered, seed=3)
    assert (verdict.equivalent, verdict.kept) == (True, 1)
    loaded = onnxtile.verify(onnx.load(original), lowered, seed=3)
    assert loaded == verdict


def test_a_byte_of_a_file_of_weights_is_told(tmp_path: Path) -> None:
    original, lowered = large(tmp_path)
    data = tmp_path / "b.data"  # the table's bytes are in the original's file until here
    onnx.save(onnx.load(lowered), lowered, save_as_external_data=True, location=data.name, size_threshold=0)
    assert onnxtile.verify(original, lowered).equivalent
    stubs = {each.name: each for each in onnx.load(lowered, load_external_data=False).graph.initializer}
    for name, region in (("t", "look"), ("w/k1_n0", "p")):
        offset = int(next(each.value for each in stubs[name].external_data if each.key == "offset"))
        before = data.read_bytes()
        data.write_bytes(before[: offset + 2] + bytes([before[offset + 2] ^ 1]) + before[offset + 3 :])
        wrong = [each for each in onnxtile.verify(original, lowered).regions if not each.equivalent]
        assert [each.name for each in wrong] == [region]
        data.write_bytes(before)


def test_one_file_for_both_models_needs_no_reading(tmp_path: Path) -> None:
    """The same place of the same file is the same constant, also by another path."""
    original, _ = large(tmp_path)
    (tmp_path / "inside").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    verdict = onnxtile.verify(original, tmp_path / "link" / "a.onnx")
    assert (verdict.equivalent, verdict.kept, verdict.regions) == (True, 2, ())


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("../secret", "its data is in '../secret', outside the model's folder; move it there"),
        ("/etc/hostname", "outside the model's folder; move it there"),
        ("missing", "its data file 'missing' is missing; put it beside the model"),
        ("leads.out", "leads out of the model's folder; --follow-links reads it"),
        ("", "outside the model's folder; move it there"),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_weights_in_files_elsewhere_are_refused(tmp_path: Path, location: str, words: str, which: int) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(100_000))
    (folder / "leads.out").symlink_to(tmp_path / "secret")
    paths = large(folder)
    model = onnx.load(paths[which], load_external_data=False)
    tensor = next(each for each in model.graph.initializer if each.data_location == onnx.TensorProto.EXTERNAL)
    next(each for each in tensor.external_data if each.key == "location").value = location
    onnx.save(model, paths[which])
    with pytest.raises(OnnxtileError) as refused:
        onnxtile.verify(*paths)
    assert words in str(refused.value)
    assert str(refused.value).startswith(str(paths[which]))
    assert "\n" not in str(refused.value)


LAYERS = """<ir_version: 10, opset_import: ["" : 20]> g (float[4,8] x) => (float[4,6] y) {
    [first] a = MatMul (x, u)
    [act] b = Tanh (a)  [second] c = MatMul (b, v)  [last] d = Relu (c)  [third] y = MatMul (d, w) }"""


def layers() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    shapes = {"u": (8, 8), "v": (8, 8), "w": (8, 6)}
    return parse(LAYERS, **{name: rng.standard_normal(shape).astype(F32) for name, shape in shapes.items()})


def broken() -> onnx.ModelProto:
    """The second of three products adds one part twice."""
    lowered = onnxtile.lower(layers(), (2, 4, 3))
    add = next(node for node in lowered.graph.node if node.name.startswith("second") and node.op_type == "Add")
    add.input[1] = add.input[0]
    return lowered


def test_method_bound_names_the_first_wrong_value() -> None:
    verdict = onnxtile.verify(layers(), broken(), method="bound")
    assert not verdict.equivalent
    assert [(layer.name, layer.equivalent) for layer in verdict.layers] == [
        ("a", True), ("b", True), ("c", False), ("d", False)
    ]  # fmt: skip
    assert verdict.first_outside == verdict.to_json()["first_outside"] == "c"
    right = onnxtile.verify(layers(), onnxtile.lower(layers(), (2, 4, 3)), method="bound")
    assert (right.equivalent, right.first_outside, len(right.layers)) == (True, None, 4)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two models, and one that is wrong."""
    paths = [tmp_path / name for name in ("a.onnx", "b.onnx", "wrong.onnx")]
    for path, model in zip(paths, (layers(), onnxtile.lower(layers(), (2, 4, 3)), broken()), strict=True):
        onnx.save(model, path)
    return paths


def test_the_table_fits_a_screen(files: list[Path], cli: Cli) -> None:
    """80 columns: a row for each region, then the verdict."""
    status, out, err = cli("verify", *files[:2])
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["region", "operator", "products", "status", "why"]
    assert [line.split()[0] for line in lines[1:4]] == ["first", "second", "third"]
    assert lines[-1].startswith("equivalent: 2 nodes kept, 3 regions: 3 proven")


def test_the_table_shows_what_is_wrong_first(files: list[Path], cli: Cli) -> None:
    status, out, _ = cli("verify", files[0], files[2])
    lines = out.splitlines()
    assert status == 1
    assert lines[1].startswith("second")
    assert "different" in lines[1]
    assert any(line.startswith("look at second/") for line in lines)
    assert lines[-1] == "NOT equivalent: 2 nodes kept, 3 regions: 2 proven, 1 different"


def test_names_of_any_length_and_kind_fit_too(tmp_path: Path, cli: Cli) -> None:
    model = layers()
    for node in model.graph.node:
        node.name = f"/{'model/layers/' * 9}[bold]{node.name}[/]"
    paths = tmp_path / "a.onnx", tmp_path / "b.onnx"
    onnx.save(model, paths[0])
    onnx.save(onnxtile.lower(model, (2, 4, 3)), paths[1])
    for columns in (40, 80, 120, 300):
        with terminal(columns) as screen:
            assert cli("verify", *paths)[0] == 0
        assert max(map(len, screen.lines[:-1])) <= max(columns, 80)
        assert screen.lines[1].startswith("/mode")
        assert screen.lines[1].split()[1:3] == ["MatMul", "12"]
    assert all(f"\n{node.name}  " in screen.text for node in model.graph.node if node.op_type == "MatMul")
    assert screen.text == cli("verify", *paths)[1]


@pytest.mark.parametrize("more", [[], ["--method", "bound"]])
def test_json_is_one_object(files: list[Path], cli: Cli, more: list[str]) -> None:
    for lowered, status in ((files[1], 0), (files[2], 1)):
        ended, out, _ = cli("verify", files[0], lowered, "--json", *more)
        told = json.loads(out)
        assert (ended, told["schema"], told["equivalent"]) == (status, "onnxtile.verify/2", status == 0)
        assert told["method"] == (more[-1] if more else "exact")


def test_figures_that_are_not_finite_are_null(tmp_path: Path, cli: Cli) -> None:
    model, other = layers(), layers()
    other.graph.initializer[2].CopyFrom(numpy_helper.from_array(np.full((8, 6), np.inf, F32), "w"))
    paths = tmp_path / "a.onnx", tmp_path / "b.onnx"
    onnx.save(model, paths[0])
    onnx.save(other, paths[1])
    status, out, _ = cli("verify", *paths, "--method", "bound", "--json")
    told = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} isn't JSON"))
    assert (status, told["outputs"][0]["max_abs_error"]) == (1, None)
