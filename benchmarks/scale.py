"""Lowering at scale: time against protobuf alone as the nodes grow, memory, and a decoder of 7 billion parameters.

    python benchmarks/scale.py [FOLDER] [--layers 32] [--skip-unrolled]

Each lowering runs in a process of its own, whose peak memory the operating system tells. FOLDER wants 30 GB of disk:
the decoder's weights are sparse, but what `batched` writes of them isn't.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import decoder
import floor
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROUNDS = 3
"""The best of so many counts, where one takes seconds."""

CHILD = """
import sys, time
import onnx, onnxtile, onnxtile.lowering.lower
if sys.argv[5] == "unjudged":
    onnxtile.lowering.lower.left_over = lambda *_: ()
begin = time.perf_counter()
report = onnxtile.lower(sys.argv[1], sys.argv[2], form=sys.argv[3], output=sys.argv[4])
seconds = time.perf_counter() - begin
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, report.nodes_after, int(peak.split()[1]) * 1024)
"""


def lower(model: Path, limits: str, form: str, output: Path, judged: str = "judged") -> tuple[float, int, int]:
    """Seconds, nodes and peak bytes of one lowering in a new process; `unjudged`: what was written isn't looked at."""
    command = [sys.executable, "-c", CHILD, str(model), limits, form, str(output), judged]
    seconds, nodes, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), int(nodes), int(peak)


def product(path: Path, size: int) -> None:
    weight = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "fc")],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, size])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def growth(folder: Path) -> None:
    """One product at smaller and smaller tiles: 34,000 to a million nodes."""
    print("one 4096x4096 product, unrolled; wanted: at most 1.5x the floor, 1 KB a node beyond the weights")
    print(f"{'tile':>6} {'nodes':>10} {'s':>8} {'floor s':>8} {'ratio':>6} {'unjudged':>9} {'KB a node':>10}")
    source, output = folder / "product.onnx", folder / "product.tiled.onnx"
    product(source, 4096)
    base = lower(source, "*,*,*", "unrolled", output)[2]
    for tile in (32, 16, 8, 6):
        seconds, nodes, peak = min(lower(source, f"64,{tile},{tile}", "unrolled", output) for _ in range(ROUNDS))
        limits = f"64,{tile},{tile}"
        unjudged = min(lower(source, limits, "unrolled", output, "unjudged")[0] for _ in range(ROUNDS))
        bare = floor_seconds(source, output)
        beyond = (peak - base) / nodes / 1e3
        ratios = f"{seconds / bare:5.2f}x {unjudged / bare:8.2f}x"
        print(f"{tile:6} {nodes:10,} {seconds:8.2f} {bare:8.2f} {ratios} {beyond:10.2f}", flush=True)


def floor_seconds(source: Path, lowered: Path) -> float:
    """Seconds that protobuf alone takes for the same: see floor.py."""
    content, times = floor.Content.of(lowered), []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        floor.write(source, content, lowered.with_suffix(".floor"))
        times.append(time.perf_counter() - begin)
    return min(times)


def copy_seconds(source: Path, target: Path) -> float:
    """Seconds to read a file and write it, up to the disk: what the weights alone take."""
    begin = time.perf_counter()
    with source.open("rb") as read, target.open("wb") as written:
        while piece := read.read(1 << 24):
            written.write(piece)
        os.fsync(written.fileno())
    return time.perf_counter() - begin


def llama(folder: Path, layers: int, unrolled: bool) -> None:
    model = decoder.write(folder, layers)
    size = (folder / "decoder.weights").stat().st_size
    print(f"\ndecoder of {layers} layers, {size / 1e9:.1f} GB of weights; wanted: 60 s (function, batched), 1 GB")
    copy = folder / "decoder.copy"
    print(f"{'copying the weights alone':22} {copy_seconds(folder / 'decoder.weights', copy):7.1f} s", flush=True)
    copy.unlink()
    jobs = [("function", "64,64,64"), ("batched", "64,64,64")] + [("unrolled", "128,128,128")] * unrolled
    for form, limits in jobs:
        output = folder / f"decoder.{form}.onnx"
        seconds, nodes, peak = lower(model, limits, form, output)
        written = sum(path.stat().st_size for path in folder.glob(f"decoder.{form}.*"))
        print(
            f"{form:9} {limits:12} {seconds:7.1f} s {nodes:10,} nodes "
            f"{written / 1e9:6.1f} GB written, peak {peak / 1e9:.2f} GB",
            flush=True,
        )
        for path in folder.glob(f"decoder.{form}.*"):
            path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--skip-unrolled", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        growth(Path(name))
        llama(Path(name), arguments.layers, not arguments.skip_unrolled)


if __name__ == "__main__":
    main()
