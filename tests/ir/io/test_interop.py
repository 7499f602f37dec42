"""Each kind of model comes back as it went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import ModelError, UsageError
from tests.support import matmul, operators, run_onnxruntime, sizes_of_products, whole

F32 = np.dtype(np.float32)


def test_a_path_gives_a_modelproto_and_with_output_a_report(tmp_path: Path) -> None:
    model = matmul([8, 8], [8, 8], [8, 8])
    onnx.save(model, tmp_path / "m.onnx")
    lowered = onnxtile.lower(str(tmp_path / "m.onnx"), max=(4, 4, 4))
    assert (
        lowered == onnxtile.lower(model, max="4,4,4") == onnxtile.lower(tmp_path / "m.onnx", onnxtile.Limits(4, 4, 4))
    )
    report = onnxtile.lower(tmp_path / "m.onnx", (4, 4, 4), output=tmp_path / "out.onnx")
    assert onnx.load(tmp_path / "out.onnx") == lowered
    assert (report.ok, len(report.contractions), report.contractions[0].tiles) == (True, 1, (4, 4, 4))
    assert report.nodes_after == len(lowered.graph.node)


def test_an_ir_model_gives_an_ir_model_and_stays_as_it_is() -> None:
    model = ir.from_proto(matmul([8, 8], [8, 8], [8, 8]))
    before = ir.to_proto(model)
    lowered = onnxtile.lower(model, (4, 4, 4))
    assert isinstance(lowered, ir.Model)
    assert ir.to_proto(model) == before
    assert set(sizes_of_products(ir.to_proto(lowered))) == {(4, 4, 4)}
    assert onnxtile.verify(model, lowered).equivalent


def test_a_graphsurgeon_script(tmp_path: Path) -> None:
    """A real one: a network built and edited in graphsurgeon, lowered, edited again, exported."""

    @gs.Graph.register()
    def dense(self: gs.Graph, name: str, x: gs.Tensor, w: np.ndarray, b: np.ndarray) -> gs.Tensor:
        y = gs.Variable(f"{name}_out", dtype=np.float32)
        weight, bias = gs.Constant(f"{name}_w", w), gs.Constant(f"{name}_b", b)
        self.layer(op="Gemm", name=name, inputs=[x, weight, bias], outputs=[y], attrs={"transB": 1})
        return y

    x = gs.Variable("x", dtype=np.float32, shape=(4, 12))
    graph = gs.Graph(inputs=[x], opset=17, ir_version=8, name="net")
    hidden = graph.dense("fc1", x, whole([10, 12], F32, 1), whole([10], F32, 2))
    active = gs.Variable("active", dtype=np.float32)
    graph.layer(op="Relu", name="relu", inputs=[hidden], outputs=[active])
    y = graph.dense("fc2", active, whole([6, 10], F32, 3), whole([6], F32, 4))
    y.shape = (4, 6)
    graph.outputs = [y]
    graph.cleanup().toposort()
    original = gs.export_onnx(graph)

    lowered = onnxtile.lower(graph, (4, 4, 4))
    assert isinstance(lowered, gs.Graph)
    assert [node.op for node in graph.nodes] == ["Gemm", "Relu", "Gemm"]
    assert onnxtile.check(lowered, (4, 4, 4)).ok
    for node in lowered.nodes:
        if node.op == "Relu":
            node.op = "Neg"
    lowered.cleanup().toposort()
    exported = gs.export_onnx(lowered)
    for node in original.graph.node:
        if node.op_type == "Relu":
            node.op_type = "Neg"
    feeds = {"x": whole([4, 12], F32, 5)}
    np.testing.assert_array_equal(run_onnxruntime(exported, feeds)[0], run_onnxruntime(original, feeds)[0])
    assert operators(exported).count("MatMul") == 9 + 6


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"a model is a path, ModelProto, onnx_ir.Model or graphsurgeon Graph, not int"
    ):
        onnxtile.lower(7, (4, 4, 4))


def test_a_modelproto_with_external_data_needs_its_path() -> None:
    model = matmul([8, 8], [8, 8], [8, 8])
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "w.data")
    model.graph.initializer[0].ClearField("raw_data")
    with pytest.raises(ModelError, match="is in external data 'w.data'; pass the model's path, or load its data first"):
        onnxtile.lower(model, (4, 4, 4))
