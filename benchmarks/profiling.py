"""Time and memory of profiling, against onnx-tool 1.0.1 and onnxsim 0.8.1, in one process on the same files.

    python benchmarks/profiling.py

Peers that aren't installed are left out: `pip install onnx-tool==1.0.1 onnxsim==0.8.1`. The models are ResNet-50 with
100 MB of weights, from the onnx wheel's structure, and a transformer of 1,044 nodes with 113 MB. Every tool reads the
file, infers shapes and counts; each time is the best of some rounds that all take part in. Memory is what a process of
its own needs at most beyond what it needs for a model of one product: with the weights as they are, and four times as
large.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROUNDS = 7


def ours(path: str) -> Any:
    import onnxtile

    return onnxtile.profile(path).totals.macs


def onnx_tool(path: str) -> Any:
    import onnx_tool

    model = onnx_tool.Model(path)
    model.graph.shape_infer()
    model.graph.profile()
    macs = model.graph.macs
    return int(sum(macs) if hasattr(macs, "__len__") else macs)


def onnxsim(path: str) -> Any:
    from onnxsim.model_info import ModelInfo

    return ModelInfo(onnx.load(path)).macs


TOOLS: dict[str, Callable[[str], Any]] = {"onnxtile": ours, "onnx-tool": onnx_tool, "onnxsim": onnxsim}


def resnet50(path: Path) -> None:
    """The wheel's light ResNet-50 with weights in place of the nodes that make constants."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    model = onnx.load(folder / "light_resnet50.onnx")
    graph, rng = model.graph, np.random.default_rng(0)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made = [node for node in graph.node if node.op_type == "ConstantOfShape"]
    for node in made:
        weight = rng.standard_normal(shapes[node.input[0]]).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(weight, node.output[0]))
        graph.node.remove(node)
    for name in {node.input[0] for node in made}:
        graph.initializer.remove(next(tensor for tensor in graph.initializer if tensor.name == name))
    model.ir_version = 8  # from 4 on initializers needn't be inputs, and are constants where they aren't
    constants = {tensor.name for tensor in graph.initializer}
    for value in [value for value in graph.input if value.name in constants]:
        graph.input.remove(value)
    onnx.save(model, path)


def transformer(path: Path, layers: int = 36, width: int = 256, heads: int = 8, length: int = 128) -> None:
    """Layers of 29 nodes, attention written out."""
    rng = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights = [
        numpy_helper.from_array(np.array([0, 0, heads, width // heads], np.int64), "split"),
        numpy_helper.from_array(np.array([0, 0, width], np.int64), "merge"),
        numpy_helper.from_array(np.array((width // heads) ** -0.5, np.float32), "scale"),
    ]

    def weight(name: str, *shape: int) -> str:
        weights.append(numpy_helper.from_array(rng.standard_normal(shape, dtype=np.float32), name))
        return name

    def node(op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [f"{name}_out"], name, **attributes))
        return f"{name}_out"

    def linear(x: str, name: str, rows: int, columns: int) -> str:
        product = node("MatMul", [x, weight(f"{name}.weight", rows, columns)], f"{name}/MatMul")
        return node("Add", [product, weight(f"{name}.bias", columns)], f"{name}/Add")

    x = "x"
    for layer in range(layers):
        p = f"layer{layer}"
        normal = node("LayerNormalization", [x, weight(f"{p}.g1", width), weight(f"{p}.b1", width)], f"{p}/ln1")
        parts = []
        for which, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            split = node("Reshape", [linear(normal, f"{p}/{which}", width, width), "split"], f"{p}/{which}/split")
            parts.append(node("Transpose", [split], f"{p}/{which}/heads", perm=perm))
        scores = node("Mul", [node("MatMul", parts[:2], f"{p}/scores"), "scale"], f"{p}/scaled")
        mixed = node("MatMul", [node("Softmax", [scores], f"{p}/softmax"), parts[2]], f"{p}/mixed")
        merged = node("Reshape", [node("Transpose", [mixed], f"{p}/rows", perm=[0, 2, 1, 3]), "merge"], f"{p}/merged")
        x = node("Add", [x, linear(merged, f"{p}/out", width, width)], f"{p}/residual1")
        normal = node("LayerNormalization", [x, weight(f"{p}.g2", width), weight(f"{p}.b2", width)], f"{p}/ln2")
        up = node("Gelu", [linear(normal, f"{p}/up", width, 4 * width)], f"{p}/gelu")
        x = node("Add", [x, linear(up, f"{p}/down", 4 * width, width)], f"{p}/residual2")
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, length, width]) for name in ("x", x)]
    graph = helper.make_graph(nodes, "transformer", value[:1], value[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def product(path: Path) -> None:
    """One MatMul: what a tool needs for any model."""
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"], "n")], "g", value[:1], value[1:], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def quietly(tool: str, path: Path) -> Any:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TOOLS[tool](str(path))


def peak(tool: str, path: Path) -> float:
    """MB that a process needs at most for reading and counting."""
    done = subprocess.run([sys.executable, __file__, tool, str(path)], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    tools = [name for name in TOOLS if importlib.util.find_spec(name.replace("-", "_"))]
    with tempfile.TemporaryDirectory() as folder:
        models = {name: Path(folder) / f"{name}.onnx" for name in ("product", "ResNet-50", "transformer", "wide")}
        product(models["product"])
        resnet50(models["ResNet-50"])
        transformer(models["transformer"])
        transformer(models["wide"], width=512)
        for name in ("ResNet-50", "transformer"):
            times: dict[str, list[float]] = {tool: [] for tool in tools}
            counts: dict[str, Any] = {}
            for _ in range(ROUNDS):
                for tool in tools:
                    start = time.perf_counter()
                    counts[tool] = quietly(tool, models[name])
                    times[tool].append(time.perf_counter() - start)
            start = time.perf_counter()
            nodes = len(onnx.load(models[name]).graph.node)
            floor = time.perf_counter() - start
            print(f"{name}, {nodes:,} nodes, {models[name].stat().st_size / 1e6:.0f} MB; onnx.load alone {floor:.3f} s")
            best = min(times["onnxtile"])
            for tool in tools:
                ratio = f"{min(times[tool]) / best:5.2f} x onnxtile"
                print(f"  {tool:10} {min(times[tool]):7.3f} s  {ratio}  MACs {counts[tool]}")
        print(f"memory, MB: transformer, and with {models['wide'].stat().st_size / 1e6:.0f} MB of weights")
        for tool in tools:
            least = peak(tool, models["product"])
            print(
                f"  {tool:10}"
                + "".join(f" {peak(tool, models[name]) - least:8.0f}" for name in ("transformer", "wide"))
            )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        quietly(sys.argv[1], Path(sys.argv[2]))
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        print(int(status["VmHWM"].split()[0]) / 1000)  # getrusage's figure is the parent's where that was larger
    else:
        main()
