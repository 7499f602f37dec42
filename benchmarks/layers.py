"""Time layers in form batched against onnxruntime's own kernels, and the lowering of ResNet-50 against protobuf.

    python benchmarks/layers.py [--rounds N] [--only PART ...] [--nodes]

    resnet50     the distinct Convs of ResNet-50 at 224 x 224, batch 1
    transposed   ConvTranspose of 2x2, stride 2, as a U-Net has them
    lstm         LSTM of 100 steps, batch 8, 512 units
    attention    a decoder layer whose attention is GroupQueryAttention, 512 tokens, and the operator alone
    lower        ResNet-50 whole, file to file: unrolled at 64,64,64 against the floor (floor.py), batched at 16,16,16

Limits are 64,64,64 unless they are named. One thread, whose processor time counts, so that other programs disturb
less. Both models of a pair run in turns, and the ratio is that of the medians; before, their outputs are compared.
`--nodes` adds what each operator of the lowered model takes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import floor
import networks
import numpy as np
import onnx
import onnxruntime
from forms import DIFFERENCE, Session
from lower import machine
from onnx import helper, numpy_helper

import onnxtile

LIMITS = (64, 64, 64)
MICROSOFT = "com.microsoft"
FLOAT = onnx.TensorProto.FLOAT
Feeds = dict[str, np.ndarray]


def model_of(
    nodes: list[onnx.NodeProto], weights: Feeds, feeds: Feeds, outputs: list[str], opset: int = 17
) -> onnx.ModelProto:
    """Return a model of these nodes; shapes of outputs are left open."""
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(
        nodes, "layer", inputs, [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs], tensors
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def normal(*shape: int, scale: float = 1) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32) * np.float32(scale)


def one_node(op_type: str, x: np.ndarray, weights: Feeds, **attributes: Any) -> tuple[onnx.ModelProto, Feeds]:
    node = helper.make_node(op_type, ["x", *weights], ["y"], "layer", **attributes)
    return model_of([node], weights, {"x": x}, ["y"], opset=18), {"x": x}


def convolutions() -> Iterator[tuple[str, onnx.ModelProto, Feeds]]:
    """Yield the distinct Convs of ResNet-50."""
    with tempfile.TemporaryDirectory() as folder:
        networks.resnet50(Path(folder) / "resnet50.onnx")
        model = onnx.shape_inference.infer_shapes(onnx.load(Path(folder) / "resnet50.onnx"))
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.value_info, *model.graph.input)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    seen = set()
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        x, w = (shapes[name] for name in node.input[:2])
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        stride = attributes["strides"][0]
        name = f"{w[2]}x{w[3]} {x[1]}-{w[0]} at {x[2]}{f', stride {stride}' if stride > 1 else ''}"
        if name not in seen:
            seen.add(name)
            yield (
                name,
                *one_node(
                    "Conv", normal(*x), {"w": normal(*w, scale=np.prod(w[1:]) ** -0.5), "b": normal(w[0])}, **attributes
                ),
            )


def transposed() -> Iterator[tuple[str, onnx.ModelProto, Feeds]]:
    for channels, length in ((512, 16), (256, 32), (128, 64), (64, 128)):
        weights = {"w": normal(channels, channels // 2, 2, 2, scale=channels**-0.5), "b": normal(channels // 2)}
        name = f"{channels}-{channels // 2} at {length}"
        yield name, *one_node("ConvTranspose", normal(1, channels, length, length), weights, strides=[2, 2])


def lstm() -> Iterator[tuple[str, onnx.ModelProto, Feeds]]:
    steps, batch, units = 100, 8, 512
    weights = {name: normal(1, 4 * units, units, scale=units**-0.5) for name in "wr"} | {"b": normal(1, 8 * units)}
    yield "100 steps, batch 8, 512 units", *one_node("LSTM", normal(steps, batch, units), weights, hidden_size=units)


def attention() -> Iterator[tuple[str, onnx.ModelProto, Feeds]]:
    """Yield GroupQueryAttention alone, and between the other products of its layer (16 heads of 64, 4 of keys)."""
    tokens, heads, kv_heads, size, wide = 512, 16, 4, 64, 2816
    hidden, kv = heads * size, kv_heads * size
    lengths = {"last": np.array([tokens - 1], np.int32), "total": np.array(tokens, np.int32)}
    angles = np.outer(np.arange(tokens), 10000.0 ** (-np.arange(size // 2) / (size // 2)))
    lengths |= {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
    lengths |= {name: np.zeros((1, kv_heads, 0, size), np.float32) for name in ("past_k", "past_v")}
    inputs = ["q", "k", "v", "past_k", "past_v", "last", "total", "cos", "sin"]
    grouped = helper.make_node(
        "GroupQueryAttention", inputs, ["mixed", "present_k", "present_v"], "attention", domain=MICROSOFT,
        num_heads=heads, kv_num_heads=kv_heads, do_rotary=1,
    )  # fmt: skip
    feeds = {"past_k": lengths.pop("past_k"), "past_v": lengths.pop("past_v")}
    alone = feeds | {"q": normal(1, tokens, hidden), "k": normal(1, tokens, kv), "v": normal(1, tokens, kv)}
    yield "operator alone", model_of([grouped], lengths, alone, ["mixed"]), alone
    sizes = {"q": (hidden, hidden), "k": (hidden, kv), "v": (hidden, kv), "o": (hidden, hidden)}
    sizes |= {"gate": (hidden, wide), "up": (hidden, wide), "down": (wide, hidden)}
    weights = {f"w_{name}": normal(*shape, scale=shape[0] ** -0.5) for name, shape in sizes.items()}

    def linear(name: str, value: str) -> onnx.NodeProto:
        return helper.make_node("MatMul", [value, f"w_{name}"], [name], name)

    nodes = [
        *(linear(name, "x") for name in "qkv"),
        grouped,
        linear("o", "mixed"),
        linear("gate", "o"),
        linear("up", "o"),
    ]
    nodes += [helper.make_node("Sigmoid", ["gate"], ["share"]), helper.make_node("Mul", ["gate", "share"], ["silu"])]
    nodes += [helper.make_node("Mul", ["silu", "up"], ["gated"]), linear("down", "gated")]
    layer = feeds | {"x": normal(1, tokens, hidden)}
    yield "decoder layer", model_of(nodes, lengths | weights, layer, ["down"]), layer


def compare(name: str, model: onnx.ModelProto, feeds: Feeds, rounds: int, nodes: bool) -> float:
    """Print a pair's line, and return the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "original.onnx", Path(folder) / "tiled.onnx"
        onnx.save(model, source)
        report = onnxtile.lower(source, LIMITS, form="batched", output=target)
        original, tiled = (Session(path, feeds, threads=1) for path in (source, target))
        expected = original.run()
        difference = float(np.abs(tiled.run() - expected).max())
        if not difference <= DIFFERENCE * np.abs(expected).max():
            raise SystemExit(f"{name}: off by {difference:g}")
        ours, theirs = [], []
        for _ in range(rounds):  # in turns: a slow moment of the machine meets both
            theirs += original.block(2, time.thread_time)
            ours += tiled.block(2, time.thread_time)
        ratio = statistics.median(ours) / statistics.median(theirs)
        times = f"{statistics.median(ours) * 1e3:8.2f} ms {statistics.median(theirs) * 1e3:8.2f} ms"
        print(f"  {name:34} {report.nodes_after:5,} nodes {times} {ratio:6.2f}x", flush=True)
        if nodes:
            for words in shares(target, feeds):
                print(f"    {words}")
    return ratio


def shares(path: Path, feeds: Feeds) -> Iterator[str]:
    """Yield what each kind of node takes, of all that run, by onnxruntime's profile."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.enable_profiling = 1, True
        options.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        runs = 10
        for _ in range(runs):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    spent: dict[str, float] = defaultdict(float)
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            spent[f"{event['args']['op_name']} {event['name'].removesuffix('_kernel_time')}"] += event["dur"] / runs
    for name, microseconds in sorted(spent.items(), key=lambda pair: -pair[1])[:12]:
        yield f"{microseconds / 1e3:8.3f} ms  {name}"


def lowering(rounds: int) -> None:
    """Print what `lower` takes of ResNet-50, file to file."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "resnet50.onnx", Path(folder) / "tiled.onnx"
        networks.resnet50(source)
        onnxtile.lower(source, LIMITS, output=target)  # also imports what's imported late
        content = floor.Content.of(target)
        ours, bare, compact = [], [], []
        for _ in range(rounds):
            bare.append(timed(lambda: floor.write(source, content, Path(folder) / "floor.onnx")))
            ours.append(timed(lambda: onnxtile.lower(source, LIMITS, output=target)))
            compact.append(timed(lambda: onnxtile.lower(source, (16, 16, 16), form="batched", output=target)))
        best, least = min(ours), min(bare)
        words = (
            f"{best:.2f} s, {len(content.nodes):,} nodes; floor {least:.2f} s: {best / least:.2f}x; wanted: at most 3x"
        )
        print(f"  unrolled at 64,64,64  {words}")
        print(f"  batched at 16,16,16   {min(compact):.2f} s; wanted: at most 5 s", flush=True)


def timed(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


PARTS: dict[str, tuple[str, Callable[[], Iterator[tuple[str, onnx.ModelProto, Feeds]]]]] = {
    "resnet50": ("Convs of ResNet-50; wanted: at most 2x in the middle", convolutions),
    "transposed": ("ConvTranspose of 2x2, stride 2; wanted: at most 1.2x", transposed),
    "lstm": ("LSTM; wanted: at most 3x", lstm),
    "attention": ("GroupQueryAttention, 512 tokens; wanted: at most 2x for the layer", attention),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=[*PARTS, "lower"], default=[*PARTS, "lower"])
    parser.add_argument("--nodes", action="store_true", help="what each operator takes, too")
    arguments = parser.parse_args()
    print(f"{machine()}, onnxruntime {onnxruntime.__version__}; one thread\n")
    for part in arguments.only:
        if part == "lower":
            print("lower of ResNet-50, file to file")
            lowering(min(arguments.rounds, 5))
            continue
        title, pairs = PARTS[part]
        print(title)
        ratios = [compare(*pair, arguments.rounds, arguments.nodes) for pair in pairs()]
        print(f"  in the middle {statistics.median(ratios):.2f}x\n", flush=True)


if __name__ == "__main__":
    main()
