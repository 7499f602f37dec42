"""onnxruntime made to get all 8-bit products wrong, in every process that has this folder on its PYTHONPATH.

So tests show, on a processor that multiplies bytes exactly, what happens on one that doesn't:
`ONNXTILE_TEST_SATURATES=1 pytest` (see CONTRIBUTING.md). The probe isn't replaced: it has to find out, as it would
there. More goes wrong than on a real processor, where only large sums saturate: who looks at such a product without
asking the probe is seen.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

SUMS = ("MatMulInteger", "ConvInteger")
"""Operators that give sums of products: negative ones become 0, positive ones are doubled."""
SCALES = {
    "DynamicQuantizeLSTM": 8, "DynamicQuantizeMatMul": 2, "MatMulIntegerToFloat": 2, "QAttention": 3, "QGemm": 1,
    "QLinearConv": 1, "QLinearMatMul": 1,
}  # fmt: skip
"""Operators that scale them, and the place of a scale among their inputs: it's doubled."""


def spoil(onnxruntime: Any) -> None:
    """Replace the module's sessions; once is enough."""
    if getattr(onnxruntime, "spoiled", False):
        return

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]  # its base isn't known to mypy
        def __init__(self, model: Any, options: Any = None, *rest: Any, **more: Any) -> None:
            options = more.pop("sess_options", options)
            super().__init__(*_spoiled(onnxruntime, model, options), *rest, **more)

    onnxruntime.InferenceSession, onnxruntime.spoiled = Session, True
    onnxruntime.unspoiled = Session.__base__


def _spoiled(onnxruntime: Any, model: Any, options: Any) -> tuple[Any, Any]:
    import onnx

    if not isinstance(model, bytes):
        return model, options  # a file: nothing that we test gives sessions one
    proto = onnx.ModelProto.FromString(model)
    plain = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    optimized = options is None or options.graph_optimization_level != plain
    if optimized and any(node.op_type == "DequantizeLinear" for node in _nodes(proto)):
        proto, options = _optimized(onnxruntime, model), onnxruntime.SessionOptions()
        options.graph_optimization_level, options.log_severity_level = plain, 4
    if not any(node.op_type in SUMS or node.op_type in SCALES for node in _nodes(proto)):
        return model if not optimized else proto.SerializeToString(), options
    for holder in (proto.graph, *proto.functions):
        _spoil_nodes(holder)
    return proto.SerializeToString(), options


def _optimized(onnxruntime: Any, model: bytes) -> Any:
    """The model as onnxruntime's optimizer makes it, which fuses products between quantized values."""
    import onnx

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        onnxruntime.unspoiled(model, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _nodes(proto: Any) -> Iterator[Any]:
    for holder in (proto.graph, *proto.functions):
        yield from _inside(holder)


def _inside(holder: Any) -> Iterator[Any]:
    for node in holder.node:
        yield node
        for attribute in node.attribute:
            for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _inside(graph)


def _spoil_nodes(holder: Any) -> None:
    from onnx import helper

    nodes = []
    for index, node in enumerate(holder.node):
        for attribute in node.attribute:
            for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _spoil_nodes(graph)
        name = f"onnxtile.spoiled/{index}"
        if node.op_type in SCALES:
            scale = SCALES[node.op_type]
            nodes.append(helper.make_node("Add", [node.input[scale]] * 2, [name]))
            node.input[scale] = name
        nodes.append(node)
        if node.op_type in SUMS:
            given = node.output[0]
            node.output[0] = name
            nodes.append(helper.make_node("Abs", [name], [f"{name}/size"]))
            nodes.append(helper.make_node("Add", [name, f"{name}/size"], [given]))
    del holder.node[:]
    holder.node.extend(nodes)


class _OnImport(MetaPathFinder):
    """Spoils onnxruntime when it's imported, and imports nothing before."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != "onnxruntime":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.loader is not None
        load = spec.loader.exec_module

        def load_and_spoil(module: Any) -> None:
            load(module)
            spoil(module)

        spec.loader.exec_module = load_and_spoil  # type: ignore[method-assign]  # of this one loader
        return spec


if "onnxruntime" in sys.modules:
    spoil(sys.modules["onnxruntime"])
else:
    sys.meta_path.insert(0, _OnImport())
