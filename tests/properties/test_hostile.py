"""Models and calls that are out to break something: each gets a right result or a refusal, never a wrong model."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper

import onnxtile
from onnxtile.errors import ModelError, UnsupportedError, UsageError
from tests.support import FLOAT, make, matmul, operators, parse, run_onnxruntime, run_reference, whole

F32 = np.dtype(np.float32)
INFO = helper.make_tensor_value_info
LIMITS = (4, 4, 4)


def same(model: onnx.ModelProto, lowered: onnx.ModelProto, **feeds: np.ndarray) -> None:
    onnx.checker.check_model(lowered, full_check=True)
    for want, got in zip(run_reference(model, feeds), run_reference(lowered, feeds), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop"])
def test_weights_of_a_branch_beside_a_product_of_the_main_graph(form: str) -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[8,8] x, bool c) => (float[8,8] y, float[8,8] z) {
           y = If (c) <then_branch = t () => (float[8,8] p) { p = Neg (x) },
                       else_branch = e () => (float[8,8] q) <float[8,8] v = {VALUES}> { q = MatMul (x, v) }>
           z = MatMul (x, w) }""".replace("VALUES", ",".join(str(i % 3) for i in range(64))),
        w=whole([8, 8], F32, 1),
    )
    lowered = onnxtile.lower(model, LIMITS, form=form)
    assert onnxtile.check(lowered, LIMITS).ok
    for c in (True, False):
        same(model, lowered, x=whole([8, 8], F32, 2), c=np.array(c))


@pytest.mark.parametrize("name", ["", "same", "MatMul"])
def test_lowered_models_whose_names_were_stripped(name: str) -> None:
    model = matmul([8, 16], [16, 8], [8, 8])
    once = onnxtile.lower(model, (8, 8, 8))
    for node in once.graph.node:
        node.name = name
    twice = onnxtile.lower(once, LIMITS)
    assert onnxtile.check(twice, LIMITS).ok
    same(model, twice, X=whole([8, 16], F32, 2))


OWN_DOMAIN = """<ir_version: 8, opset_import: ["" : 18, "onnxtile" : 1]>
g (float[8,8] x) => (float[8,8] y) { t = onnxtile.mine (x)  y = MatMul (t, w) }
<domain: "onnxtile", opset_import: ["" : 18]> mine (a) => (b) { b = Neg (a) }"""


def test_functions_of_others_in_our_domain_stay() -> None:
    model = parse(OWN_DOMAIN, w=whole([8, 8], F32, 1))
    lowered = onnxtile.lower(model, LIMITS)
    assert [function.name for function in lowered.functions] == ["mine"]
    same(model, lowered, x=whole([8, 8], F32, 2))


def test_a_forged_function_is_refused() -> None:
    honest = onnxtile.lower(matmul([8, 8], [8, 8], [8, 8]), LIMITS, form="function")
    honest.functions[0].node[0].op_type = "Identity"
    forged = onnxtile.lower(matmul([8, 8], [8, 8], [8, 8]), LIMITS, form="function")
    for node in forged.functions[0].node:
        if node.op_type == "MatMul":
            node.op_type = "Add"
    with pytest.raises(ModelError, match="isn't what onnxtile makes; rename it, or remove it"):
        onnxtile.lower(forged, (64, 64, 64))
    other = parse(OWN_DOMAIN.replace("mine", "MatMul_8x8x8_by_4x4x4_float_chain"), w=whole([8, 8], F32, 1))
    with pytest.raises(onnxtile.OnnxtileError, match="isn't what onnxtile makes"):
        onnxtile.lower(other, LIMITS)


def test_a_function_form_file_is_written_out_later() -> None:
    model = matmul([8, 8], [8, 8], [8, 8])
    kept = onnxtile.lower(model, LIMITS, form="function")
    assert operators(onnxtile.lower(kept, LIMITS)).count("MatMul") == 8
    (row,) = onnxtile.check(kept, LIMITS).contractions
    assert (row.m, row.k, row.n, row.status) == (4, 4, 4, "fits")


@pytest.mark.parametrize("name", ["", "same"])
def test_a_function_form_file_whose_names_were_stripped(name: str) -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[8,8] x) => (float[8,8] y, float[8,8] z) { [a] y = MatMul (x, w)  [b] z = MatMul (y, x) }""",
        w=whole([8, 8], F32, 1),
    )
    kept = onnxtile.lower(model, LIMITS, form="function")
    for node in kept.graph.node:
        node.name = name
        del node.metadata_props[:]
    for form in ("unrolled", "batched", "loop"):
        same(model, onnxtile.lower(kept, LIMITS, form=form), x=whole([8, 8], F32, 2))


def test_an_output_named_like_a_tile_of_another_product() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[8,8] x) => (float[8,8] y, float[8,8] "fc/m0_n0") {
           [fc] y = MatMul (x, w)  [other] "fc/m0_n0" = MatMul (y, w) }""",
        w=whole([8, 8], F32, 1),
    )
    for form in ("unrolled", "batched", "loop", "function"):
        same(model, onnxtile.lower(model, LIMITS, form=form), x=whole([8, 8], F32, 2))


def test_branches_of_ir_version_3_are_refused() -> None:
    model = parse(
        """<ir_version: 3, opset_import: ["" : 9]>
        g (float[8,8] x, float[8,8] w, bool c) => (float[8,8] y) {
           y = If (c) <then_branch = t () => (float[8,8] p) { p = Neg (x) },
                       else_branch = e () => (float[8,8] q) { q = MatMul (x, w) }> }"""
    )
    assert onnxtile.lower(model, LIMITS) == model


def test_a_default_is_no_fact() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[n] x, int64[2] s) => (float[p,8] y) { r = Reshape (x, s)  y = MatMul (r, w) }""",
        w=whole([8, 8], F32, 1),
        s=np.array([2, 8]),
    )
    (row,) = onnxtile.check(model, LIMITS).contractions
    assert row.status == "over"
    assert row.m != 2
    assert onnxtile.lower(model, LIMITS) == model


def test_shapes_that_inference_only_assumes_are_not_believed() -> None:
    cut = parse(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[n,8] x) => (float[p,8] y) { s = Slice (x, a, b)  y = MatMul (s, w) }""",
        w=whole([8, 8], F32, 1),
        a=np.array([0]),
        b=np.array([100]),
    )
    assert onnxtile.check(cut, (None, 4, 4)).over
    assert onnxtile.check(cut, (64, 64, 64)).unknown
    bound = onnxtile.check(cut, (64, 64, 64), bind={"n": 30})
    assert bound.contractions[0].m == 30
    growing = parse(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (int64 n, float[2,8] x) => (float[p,8] y) {
           go = Constant <value = bool {1}> ()
           z = Loop (n, go, x) <body = b (int64 i, bool ci, float[q,8] s) => (bool co, float[r,8] so) {
              co = Identity (ci)  so = Concat <axis = 0> (s, x) }>
           y = MatMul (z, w) }""",
        w=whole([8, 8], F32, 1),
    )
    body = growing.graph.node[1].attribute[0].g
    for value in (body.input[2], body.output[1]):
        value.type.tensor_type.ClearField("shape")
    assert onnxtile.check(growing, (64, 64, 64)).unknown


@pytest.mark.parametrize("alpha", [0.01, -0.5, 3.0])
def test_float16_products_are_scaled_before_they_overflow(alpha: float) -> None:
    model = parse(
        f"""<ir_version: 8, opset_import: ["" : 18]>
        g (float16[2,8] x, float16[8,8] w) => (float16[2,8] y) {{ y = Gemm <alpha = {alpha}> (x, w) }}"""
    )
    size = {0.01: 200, -0.5: 100, 3.0: 20}[alpha]
    feeds = {"x": np.full([2, 8], size, np.float16), "w": np.full([8, 8], size, np.float16)}
    want, got = run_onnxruntime(model, feeds)[0], run_onnxruntime(onnxtile.lower(model, LIMITS), feeds)[0]
    assert np.isfinite(want).all()
    np.testing.assert_allclose(got.astype(float), want.astype(float), rtol=4 * 2.0**-11)


@pytest.mark.parametrize(
    ("dtype", "alpha"), [("uint32", -1.0), ("int32", 3e9), ("int32", 0.5), ("float16", 1e-9), ("float16", 1e9)]
)
def test_factors_that_the_type_cannot_hold_are_refused(dtype: str, alpha: float) -> None:
    model = parse(
        f"""<ir_version: 8, opset_import: ["" : 18]>
        g ({dtype}[8,8] x, {dtype}[8,8] w) => ({dtype}[8,8] y) {{ y = Gemm <alpha = {alpha:.12f}> (x, w) }}"""
    )
    assert onnxtile.lower(model, LIMITS) == model


@pytest.mark.parametrize("shape", [(2**31, 2**31, 2**31), (2**40, 0, 64), (0, 2**40, 2**20)])
def test_tiles_without_number_are_refused(shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["y"])],
        "g",
        [INFO("a", FLOAT, [m, k]), INFO("b", FLOAT, [k, n])],
        [INFO("y", FLOAT, [m, n])],
    )
    model = make(graph)
    assert onnxtile.lower(model, (64, 64, 64)) == model
    assert onnxtile.estimate(model, (64, 64, 64))[0].nodes_before == 1


def test_products_in_functions_are_judged_alike_by_lower_and_check(tmp_path: Path) -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18, "local" : 1]>
        g (float[4,8] x) => (float[4,6] y) { y = local.Layer (x, w) }
        <domain: "local", opset_import: ["" : 18]> Layer (p, q) => (r) { r = MatMul (p, q) }""",
        w=whole([8, 6], F32, 1),
    )
    onnx.save(model, tmp_path / "m.onnx")
    for limits, ok in (((4, 8, 6), True), ((4, 8, 5), False)):
        assert onnxtile.check(model, limits).ok is ok
        (row,) = onnxtile.lower(tmp_path / "m.onnx", limits, output=tmp_path / "out.onnx").contractions
        assert row.status == ("fits" if ok else "tiled")
        assert onnxtile.check(tmp_path / "out.onnx", limits).ok


def broken_weight(change: str) -> onnx.ModelProto:
    model = matmul([8, 8], [8, 8], [8, 8])
    tensor = model.graph.initializer[0]
    if change == "duplicate":
        node = model.graph.node[0]
        node.op_type, node.name = "Gemm", "fc"
        for _ in range(2):
            node.attribute.add(name="alpha", f=1.0, type=onnx.AttributeProto.FLOAT)
    elif change == "attribute":
        constant = model.graph.node.add(op_type="Constant", output=["c"])
        value = constant.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t
        value.CopyFrom(tensor)
        value.ClearField("raw_data")
        value.data_location = onnx.TensorProto.EXTERNAL
        value.external_data.add(key="location", value="w.bin")
    else:
        tensor.ClearField("raw_data")
        if change == "few floats":
            tensor.float_data.extend([1.0, 2.0])
    return model


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("few floats", "initializer 'W': its float_data has 2 numbers, its shape .* needs 64"),
        ("no data", "initializer 'W': its float_data has 0 numbers"),
        ("duplicate", "Gemm 'fc' of the main graph has two attributes of one name"),
        ("attribute", "attribute 'value' of Constant 'c' .* is in external data 'w.bin'; pass the model's path"),
    ],
)
def test_broken_models_are_refused(change: str, words: str) -> None:
    with pytest.raises((ModelError, UnsupportedError), match=words):
        onnxtile.lower(broken_weight(change), LIMITS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"form": ["unrolled"]}, "form \\['unrolled'\\] is unknown"),
        ({"ops": None}, "ops is None: name at least one"),
        ({"ops": []}, "ops is \\[\\]: name at least one"),
        ({"bind": [1]}, "bind is \\[1\\]: give sizes by name"),
        ({"output": 3}, "output is 3: give a path"),
        ({"accumulate": 3}, "accumulate is 3"),
        ({"max": (2**70, 1, 1)}, "limit M: 1180591620717411303424 is over 9223372036854775807"),
        ({"max": "9" * 5000 + ",1,1"}, "is over 9223372036854775807, the largest limit: write \\* for none"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        onnxtile.lower(matmul([8, 8], [8, 8], [8, 8]), **({"max": LIMITS} | arguments))  # type: ignore[arg-type]


def test_other_calls_that_are_wrong_are_refused() -> None:
    model = matmul([8, 8], [8, 8], [8, 8])
    with pytest.raises(UsageError, match="3 is neither a pass nor the name of one"):
        onnxtile.PassManager([3])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="passes run on an onnx_ir.Model, not ModelProto"):
        onnxtile.PassManager("infer-shapes")(model)  # type: ignore[arg-type]
    for cases in (0, -1, True):
        with pytest.raises(UsageError, match=f"cases is {cases}: give a whole number, 1 or more"):
            onnxtile.verify(model, model, cases=cases)
    with pytest.raises(UsageError, match="input 'Q' isn't one of the model's: X"):
        onnxtile.verify(model, model, inputs={"Q": np.zeros(1)})
    with pytest.raises(UsageError, match="dimension 'a/b' becomes"):
        onnxtile.lower(matmul(["a/b", 8], [8, 8], ["a", 8]), LIMITS, bind={"a": 1, "b": 2})
    assert onnxtile.Limits.of((np.int64(4), 4, None)).axes == (4, 4, None)  # type: ignore[arg-type]


def test_outputs_that_would_destroy_something_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    onnx.save_model(
        matmul([8, 8], [8, 8], [8, 8]), model, save_as_external_data=True, location="w.bin", size_threshold=0
    )
    weights = (tmp_path / "w.bin").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("w.bin", "which is needed"), ("m.onnx", "which is needed"), ("pipe", "isn't a regular file")):
        with pytest.raises(UsageError, match=words):
            onnxtile.lower(model, (64, 64, 64), output=tmp_path / name)
    assert (tmp_path / "w.bin").read_bytes() == weights
    link, real = tmp_path / "link.onnx", tmp_path / "real.onnx"
    real.write_text("old")
    link.symlink_to(real)
    onnxtile.lower(model, LIMITS, output=link)
    assert link.is_symlink()
    onnx.checker.check_model(onnx.load(real))


def test_a_model_behind_a_link_finds_its_data_beside_the_link(tmp_path: Path) -> None:
    real, here = tmp_path / "real", tmp_path / "here"
    real.mkdir()
    here.mkdir()
    onnx.save_model(
        matmul([8, 8], [8, 8], [8, 8]), here / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    (here / "m.onnx").rename(real / "m.onnx")
    (here / "m.onnx").symlink_to(real / "m.onnx")
    for output in (here / "o.onnx", real / "o.onnx"):
        onnxtile.lower(here / "m.onnx", LIMITS, weights="split", output=output)
        onnx.checker.check_model(str(output))


def test_binding_leaves_other_dimensions_alone() -> None:
    model = matmul(["n", 8], [8, 8], ["n", 8])
    model.graph.input.append(INFO("z", FLOAT, [None, "batch size"]))
    lowered = onnxtile.lower(model, LIMITS, bind={"n": 3})
    assert lowered.graph.input[1] == model.graph.input[1]
    assert [dim.dim_value for dim in lowered.graph.input[0].type.tensor_type.shape.dim] == [3, 8]


def test_an_annotated_weight_is_not_cut() -> None:
    model = matmul([8, 8], [8, 8], [8, 8])
    annotation = model.graph.quantization_annotation.add(tensor_name="W")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="W")
    lowered = onnxtile.lower(model, LIMITS)
    assert lowered.graph.quantization_annotation == model.graph.quantization_annotation
    assert "W" in {tensor.name for tensor in lowered.graph.initializer}
    same(model, lowered, X=whole([8, 8], F32, 2))


def test_the_ir_way_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    lowered = onnxtile.lower(ir.from_proto(matmul([8, 8], [8, 8], [8, 8])), LIMITS, weights="split")
    ir.to_proto(lowered)
    assert capfd.readouterr() == ("", "")


def test_a_split_that_contradicts_itself_is_refused() -> None:
    """onnx's shape inference would end the process."""
    graph = onnx.parser.parse_graph("g (float[4] x) => (float[2] a) { a, b, c = Split <num_outputs = 1> (x) }")
    split = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    with pytest.raises(ModelError, match="has 3 outputs and says that they are 1"):
        onnxtile.profile(split)
