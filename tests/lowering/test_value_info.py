"""Types and shapes of new values are written where they're asked for: in every form, in bodies, and no guess."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper

import onnxtile
from onnxtile.errors import UnsupportedError
from onnxtile.lowering import value_info
from tests.support import FORMS, matmul, parse, whole

RAGGED = matmul(["batch", 5, 6], [6, 7], ["batch", 5, 7])
LIMITS = (4, 4, 4)
F32 = np.dtype(np.float32)


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def said(graph: onnx.GraphProto) -> dict[str, str]:
    """Return types and shapes by name, in the words of ONNX text; `?` is a size of which nothing is said."""
    return {
        info.name: f"{helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type).name}"
        + str([dim.dim_param or dim.dim_value or "?" for dim in info.type.tensor_type.shape.dim]).replace("'", "")
        for info in graph.value_info
    }


@pytest.mark.parametrize("form", FORMS)
def test_each_new_value_has_its_type_and_shape(form: str, tmp_path: Path) -> None:
    how = {"form": form, "value_info": True}
    lowered = onnxtile.lower(RAGGED, LIMITS, **how)  # type: ignore[call-overload]  # a name of a form
    onnx.checker.check_model(lowered, full_check=True)
    for graph in graphs(lowered.graph):
        given = {value.name for value in graph.output}
        assert list(said(graph)) == [name for node in graph.node for name in node.output if name not in given]
    onnxtile.lower(RAGGED, LIMITS, output=tmp_path / "l.onnx", **how)  # type: ignore[call-overload]  # the same
    assert onnx.load(tmp_path / "l.onnx") == lowered
    of_ir = onnxtile.lower(ir.from_proto(RAGGED), LIMITS, **how)  # type: ignore[call-overload]  # the same
    weights = {tensor.name for tensor in lowered.graph.initializer}
    in_ir = said(ir.to_proto(of_ir).graph)
    assert {name: text for name, text in in_ir.items() if name not in weights} == said(lowered.graph)
    for graph in graphs(lowered.graph):
        del graph.value_info[:]
    assert lowered == onnxtile.lower(RAGGED, LIMITS, form=form)  # type: ignore[call-overload]  # the same


def test_sizes_are_numbers_and_names_of_inputs() -> None:
    of_loop = onnxtile.lower(RAGGED, LIMITS, form="loop", value_info=True)
    main, over_m, *_ = graphs(of_loop.graph)
    assert said(main)["product/A_padded"] == "float32[batch, 8, 8]"
    assert said(main)["product/A_tiles"] == "float32[2, 2, batch, 4, 4]"
    assert said(over_m)["product/A_tile_shape"] == "int64[4]"
    free = matmul(["m", 6], [6, 7], ["m", 7])
    batched = said(onnxtile.lower(free, LIMITS, form="batched", value_info=True).graph)
    assert any("?" in text for text in batched.values())  # ceil(m / 4) has no name
    assert set("".join(batched.values())) <= set("float32int64bool[]?m, 0123456789")


def test_what_the_file_says_stays_and_what_it_left_open_is_said() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[n,6] x) => (float[n,7] z) <float[rows,7] y> { y = MatMul (x, w)  a = Relu (y)  z = Neg (a) }""",
        w=whole([6, 7], F32, 1),
    )  # fmt: skip
    found = said(onnxtile.lower(model, (None, 4, 4), value_info=True).graph)
    assert (found["y"], found["a"]) == ("float32[rows, 7]", "float32[n, 7]")
    assert found["y/m0_n0"] == "float32[n, 4]"


def test_weights_in_a_data_file_and_old_models(tmp_path: Path) -> None:
    large = matmul([5, 60], [60, 7], [5, 7], opset=9)
    large.ir_version = 3
    large.graph.input.append(helper.make_tensor_value_info("W", onnx.TensorProto.FLOAT, [60, 7]))
    how = {"external_data": True, "value_info": True}
    onnxtile.lower(large, (4, 16, 4), output=tmp_path / "l.onnx", **how)  # type: ignore[call-overload]  # bool
    lowered = onnx.load(tmp_path / "l.onnx")
    assert said(lowered.graph)["product/m0_n0_k3"] == "float32[4, 4]"
    assert onnxtile.verify(large, tmp_path / "l.onnx").equivalent


def test_shapes_follow_from_small_weights() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[5,6] x) => (float[7,5] z) { y = MatMul (x, w)  a = Reshape (y, s)  z = Abs (a) }""",
        w=whole([6, 7], F32, 1), s=np.array([7, 5]),
    )  # fmt: skip
    assert said(onnxtile.lower(model, LIMITS, value_info=True).graph)["a"] == "float32[7, 5]"


def test_models_as_large_as_are_described_and_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = matmul([5, 6], [6, 7], [5, 7])
    nodes = len(onnxtile.lower(model, LIMITS).graph.node)
    monkeypatch.setattr(value_info, "MOST_NODES", nodes)
    assert onnxtile.lower(model, LIMITS, value_info=True).graph.value_info
    monkeypatch.setattr(value_info, "MOST_NODES", nodes - 1)
    words = f"shapes of {nodes} nodes aren't inferred for value_info, only those of {nodes - 1}: take form batched"
    for given in (model, ir.from_proto(model)):
        with pytest.raises(UnsupportedError, match=words):
            onnxtile.lower(given, LIMITS, value_info=True)
    with pytest.raises(UnsupportedError, match=words):
        onnxtile.lower(model, LIMITS, value_info=True, output=tmp_path / "l.onnx")
    assert not list(tmp_path.iterdir())
