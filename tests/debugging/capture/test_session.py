"""Values don't depend on what else is run, and weights come from where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.errors import ModelError, UnsupportedError
from tests.debugging.capture.test_capture import HEAD, same
from tests.debugging.capture.test_output_files import F32
from tests.support import FLOAT, make, matmul, parse, whole


def test_float16_does_not_depend_on_what_else_is_captured() -> None:
    """onnxruntime leaves roundings out between nodes that it computes as float32; captured values are all rounded."""
    rng = np.random.default_rng(0)
    model = parse(
        f"""{HEAD} g (float16[8,16] x) => (float16[8,16] y) {{
            [a] a = MatMul (x, w)  [b] b = Pow (a, two)  [c] c = Reshape (b, shape)  [d] d = LayerNormalization (c, s)
            [e] e = Add (d, x)  [f] f = Tanh (e)  [g] g = Mul (f, e)  [h] y = MatMul (g, w) }}""",
        w=rng.standard_normal((16, 16)).astype(np.float16),
        s=rng.standard_normal(16).astype(np.float16),
        two=np.array(2, np.float16),
        shape=np.array([8, 16]),
    )
    together = onnxtile.capture(model, name="*")
    alone = {name: onnxtile.capture(model, name=node)[name] for node, name in zip("abcdefgh", together, strict=True)}
    same(together, alone)


def test_random_numbers_are_the_same_in_all_runs() -> None:
    model = parse(
        f"""{HEAD} g (float[4] x) => (float[4] y) {{
            [r] r = RandomNormalLike (x)  [s] s = RandomUniformLike (x)  [add] y = Add (r, s) }}"""
    )
    found = onnxtile.capture(model, name="*", seed=3)
    assert not np.array_equal(found["r"], found["s"])
    np.testing.assert_array_equal(found["y"], found["r"] + found["s"])
    for name, node in (("r", "r"), ("s", "s"), ("y", "add")):
        np.testing.assert_array_equal(onnxtile.capture(model, name=node, seed=3)[name], found[name])
    assert not np.array_equal(onnxtile.capture(model, name="r", seed=4)["r"], found["r"])


def test_what_no_engine_knows_is_in_nobody_s_way_but_of_what_follows() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 20, "mine" : 1]> g (float[2] x) => (float[2] y) {
            [before] a = Neg (x)  [strange] b = mine.Strange (a)  [after] y = Abs (b) }"""
    )
    assert list(onnxtile.capture(model, name="before")) == ["a"]
    with pytest.raises(UnsupportedError, match=r"what was chosen can't be computed: onnxruntime: .*Strange"):
        onnxtile.capture(model, name="after")


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
