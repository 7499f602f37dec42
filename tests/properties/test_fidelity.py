"""Test that what isn't touched stays; what can't be carried is refused; nothing is dropped silently."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.errors import UnsupportedError
from tests.support import FLOAT, make, operators, parse, run_onnxruntime, run_reference, sizes_of_products, whole

INFO = helper.make_tensor_value_info
F32 = np.dtype(np.float32)


def rich() -> onnx.ModelProto:
    """A model with everything that a file may carry, and one product over the limits."""
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18, "custom" : 1, "local" : 1], producer_name: "maker",
            producer_version: "7", domain: "org", model_version: 5, doc_string: "the model", metadata_props: ["k": "v"]>
        g (float[4,8] x, bool cond) => (float[4,6] y, float[4,6] z) <float[4,6] mid>
        {
           [product] mid = MatMul (x, w)
           [activation] y = local.Twice (mid)
           [choice] z = If (cond) <
              then_branch = t () => (float[4,6] a) <float[4,6] b> { b = Neg (mid)  a = Abs (b) },
              else_branch = e () => (float[4,6] c) { c = Identity (mid) }
           >
        }
        <domain: "local", opset_import: ["" : 18]> Twice (p) => (q) { q = Add (p, p) }""",
        w=whole([8, 6], F32, 1),
        unused=whole([2], F32, 2),
    )
    product = model.graph.node[0]
    product.doc_string = "the product"
    product.metadata_props.add(key="layer", value="3")
    model.graph.node[1].metadata_props.add(key="pkg", value="kept")
    model.graph.doc_string = "the graph"
    model.graph.metadata_props.add(key="gk", value="gv")
    model.graph.input[0].doc_string = "an input"
    model.graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    model.graph.value_info[0].doc_string = "the middle"
    annotation = model.graph.quantization_annotation.add(tensor_name="mid")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="unused")
    return model


@pytest.mark.parametrize("form", ["unrolled", "batched"])
def test_everything_else_survives(form: str) -> None:
    model = rich()
    lowered = onnxtile.lower(model, (2, 4, 4), form=form)
    before, after = model.graph, lowered.graph
    for field in ("ir_version", "producer_name", "producer_version", "domain", "model_version", "doc_string"):
        assert getattr(lowered, field) == getattr(model, field)
    for field in ("opset_import", "metadata_props", "functions"):
        assert list(getattr(lowered, field)) == list(getattr(model, field))
    for field in ("name", "doc_string", "input", "output", "metadata_props", "quantization_annotation"):
        assert getattr(after, field) == getattr(before, field)
    assert list(after.node)[-2:] == list(before.node)[1:]
    assert list(after.value_info) == list(before.value_info)
    assert numpy_helper.to_array(after.initializer[0]).tolist() == whole([2], F32, 2).tolist()
    feeds = {"x": whole([4, 8], F32, 3), "cond": np.array(True)}
    for want, got in zip(run_onnxruntime(model, feeds), run_onnxruntime(lowered, feeds), strict=True):
        np.testing.assert_array_equal(got, want)


def test_provenance_says_which_node_and_which_box() -> None:
    lowered = onnxtile.lower(rich(), (2, 4, 4))
    tiles = [
        {entry.key: entry.value for entry in node.metadata_props}
        for node in lowered.graph.node
        if node.op_type == "MatMul"
    ]
    assert {tile["onnxtile.origin"] for tile in tiles} == {"product"}
    assert [tile["onnxtile.tile"] for tile in tiles][:3] == ["m0:2,k0:4,n0:4", "m0:2,k4:8,n0:4", "m0:2,k0:4,n4:6"]


def test_a_model_within_the_limits_comes_back_as_it_was() -> None:
    model = rich()
    assert onnxtile.lower(model, (4, 8, 6)) == model


def test_value_info_of_initializers_is_neither_added_nor_lost() -> None:
    model = rich()
    model.graph.value_info.append(INFO("unused", FLOAT, [2]))
    names = [value.name for value in onnxtile.lower(model, (2, 4, 4)).graph.value_info]
    assert sorted(names) == ["mid", "unused"]


def test_products_in_bodies_are_lowered_with_weights_from_outside() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[4,8] x, bool cond) => (float[4,6] z) {
           z = If (cond) <
              then_branch = t () => (float[4,6] a) { a = MatMul (x, w) },
              else_branch = e () => (float[4,6] c) { c = Gemm (x, w) }
           >
        }""",
        w=whole([8, 6], F32, 1),
    )
    for form in ("unrolled", "batched"):
        lowered = onnxtile.lower(model, (2, 4, 4), form=form)
        assert onnxtile.check(lowered, (2, 4, 4)).ok
        assert {row.scope for row in onnxtile.check(lowered, (2, 4, 4)).contractions} >= {
            "z/then_branch",
            "z/else_branch",
        }
        for cond in (True, False):
            feeds = {"x": whole([4, 8], F32, 3), "cond": np.array(cond)}
            for run in (run_reference, run_onnxruntime):
                np.testing.assert_array_equal(run(lowered, feeds)[0], run(model, feeds)[0])


def test_a_product_in_a_local_function_is_checked_call_by_call() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18, "local" : 1]>
        g (float[4,8] x) => (float[4,6] y) { y = local.Layer (x, w) }
        <domain: "local", opset_import: ["" : 18]> Layer (p, q) => (r) { r = MatMul (p, q) }""",
        w=whole([8, 6], F32, 1),
    )
    (row,) = onnxtile.check(model, (2, 4, 4)).contractions
    assert (row.status, row.m, row.k, row.n) == ("over", 4, 8, 6)


def test_a_shared_weight_is_cut_once_for_each_way_it_is_cut() -> None:
    weight = whole([8, 8], F32, 1)
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[4,8] x) => (float[4,8] y, float[4,8] z, float[8,4] v) {
           h = MatMul (x, w)  y = MatMul (h, w)  z = Gemm <transB = 1> (y, w)  t = Transpose (z)  v = MatMul (w, t)
        }""",
        w=weight,
    )
    lowered = onnxtile.lower(model, (8, 4, 8))
    floats = [tensor for tensor in lowered.graph.initializer if tensor.data_type == FLOAT]
    tiles = {tensor.name: numpy_helper.to_array(tensor) for tensor in floats}
    assert sorted(tiles) == ["w.1/k0_n0", "w.1/k1_n0", "w.2/m0_k0", "w.2/m0_k1", "w/k0_n0", "w/k1_n0"]
    np.testing.assert_array_equal(tiles["w/k1_n0"], weight[4:])
    np.testing.assert_array_equal(tiles["w.1/k1_n0"], weight.T[4:])
    np.testing.assert_array_equal(tiles["w.2/m0_k1"], weight[:, 4:])


def test_a_weight_that_is_read_elsewhere_stays_whole_too() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (int64[4] ids) => (float[4,6] y) { e = Gather (w, ids)  t = Transpose (w)  y = MatMul (e, t) }""",
        w=whole([6, 8], F32, 1),
    )
    lowered = onnxtile.lower(model, (8, 4, 4))
    assert "w" in {tensor.name for tensor in lowered.graph.initializer}
    assert operators(lowered).count("Transpose") == 0


def test_a_default_that_a_caller_may_replace_is_no_constant() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[4,8] x, float[8,6] w) => (float[4,6] y) { y = MatMul (x, w) }""",
        w=whole([8, 6], F32, 1),
    )
    lowered = onnxtile.lower(model, (4, 4, 4))
    assert lowered.graph.input == model.graph.input
    feeds = {"x": whole([4, 8], F32, 3), "w": whole([8, 6], F32, 9)}
    np.testing.assert_array_equal(run_onnxruntime(lowered, feeds)[0], run_onnxruntime(model, feeds)[0])


def test_names_that_are_taken_are_avoided() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[4,8] x) => (float[4,6] y, float[4,8] "fc/m0_n0") {
           [fc] y = MatMul (x, w)
           [fc] "fc/m0_n0" = Neg (x)
           "w/k0_n0" = Abs (x)
        }""",
        w=whole([8, 6], F32, 1),
    )
    lowered = onnxtile.lower(model, (2, 4, 4))
    names = [name for node in lowered.graph.node for name in node.output]
    assert len(names) == len(set(names))
    assert "w.1/k0_n0" in {tensor.name for tensor in lowered.graph.initializer}
    feeds = {"x": whole([4, 8], F32, 3)}
    np.testing.assert_array_equal(run_reference(lowered, feeds)[0], run_reference(model, feeds)[0])


def test_lowering_twice_goes_on_where_the_first_stopped() -> None:
    model = make(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"], "fc")],
            "g",
            [INFO("x", FLOAT, [8, 8])],
            [INFO("y", FLOAT, [8, 8])],
            [numpy_helper.from_array(whole([8, 8], F32, 1), "w")],
        )
    )
    once = onnxtile.lower(model, (4, 4, 4))
    twice = onnxtile.lower(once, (2, 2, 2))
    assert onnxtile.lower(once, (4, 4, 4)) == once
    assert set(sizes_of_products(twice)) == {(2, 2, 2)}
    feeds = {"x": whole([8, 8], F32, 3)}
    np.testing.assert_array_equal(run_onnxruntime(twice, feeds)[0], run_onnxruntime(model, feeds)[0])


def test_sparse_initializers_of_the_main_graph_are_carried() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[4,8] x) => (float[4,6] y, float[2] z) { y = MatMul (x, w)  z = Identity (s) }""",
        w=whole([8, 6], F32, 1),
        s=np.array([0, 1], np.float32),
    )
    values = numpy_helper.from_array(np.array([1], np.float32), "s")
    indices = numpy_helper.from_array(np.array([1], np.int64), "s_indices")
    del model.graph.initializer[1:]
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2]))
    lowered = onnxtile.lower(model, (2, 4, 4))
    assert lowered.graph.sparse_initializer == model.graph.sparse_initializer
    feeds = {"x": whole([4, 8], F32, 3)}
    np.testing.assert_array_equal(run_onnxruntime(lowered, feeds)[1], [0, 1])


def test_what_would_be_lost_is_refused() -> None:
    training = rich()
    training.training_info.add()
    with pytest.raises(UnsupportedError, match="training_info, which names weights that would be cut; remove it first"):
        onnxtile.lower(training, (2, 4, 4))
    newer = onnx.ModelProto.FromString(rich().SerializeToString() + b"\xf2\x3e\x01x")  # field 1006
    with pytest.raises(UnsupportedError, match="the model has fields that this onnx release doesn't know"):
        onnxtile.lower(newer, (2, 4, 4))
    nested = rich()
    branch = nested.graph.node[2].attribute[0].g
    values = numpy_helper.from_array(np.array([1], np.float32), "s")
    indices = numpy_helper.from_array(np.array([1], np.int64), "i")
    branch.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2]))
    with pytest.raises(UnsupportedError, match="sparse initializers, which are carried in the main graph only"):
        onnxtile.lower(nested, (2, 4, 4))


def test_weights_in_external_data_are_cut_and_the_rest_stays_there(tmp_path: Path) -> None:
    model = rich()
    model.graph.initializer.append(numpy_helper.from_array(whole([64, 8], F32, 5), "big"))
    file = tmp_path / "model.onnx"
    onnx.save_model(model, file, save_as_external_data=True, location="model.data", size_threshold=0)
    beside, elsewhere = tmp_path / "lowered.onnx", tmp_path / "other" / "lowered.onnx"
    elsewhere.parent.mkdir()
    data = (tmp_path / "model.data").read_bytes()
    for output in (beside, elsewhere):
        onnxtile.lower(file, (2, 4, 4), output=output)
        onnx.checker.check_model(str(output))
        big = next(tensor for tensor in onnx.load(output).graph.initializer if tensor.name == "big")
        np.testing.assert_array_equal(numpy_helper.to_array(big), whole([64, 8], F32, 5))
    assert (tmp_path / "model.data").read_bytes() == data
    assert onnx.load(beside, load_external_data=False).graph.initializer[1].HasField("data_location")
    assert sorted(path.name for path in elsewhere.parent.iterdir()) == ["lowered.onnx"]


def test_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(rich().SerializeToString())
    code = "import onnxtile, sys; onnxtile.lower(sys.argv[1], (2, 4, 4), output=sys.argv[2])"
    outputs = []
    for seed in ("1", "2"):
        output = tmp_path / f"{seed}.onnx"
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, tmp_path / "m.onnx", output], check=True, env=environment)
        outputs.append(output.read_bytes())
    assert outputs[0] == outputs[1]


def test_the_ir_pass_and_the_writer_write_the_same() -> None:
    model = rich()
    for form in ("unrolled", "batched"):
        from_file, in_memory = (
            onnxtile.lower(model, (2, 4, 4), form=form),
            ir.to_proto(onnxtile.lower(ir.from_proto(model), (2, 4, 4), form=form)),
        )
        assert operators(in_memory) == operators(from_file)
        left, right = ({tensor.name: tensor.raw_data for tensor in m.graph.initializer} for m in (from_file, in_memory))
        assert left == right
