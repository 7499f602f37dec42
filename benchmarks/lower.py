"""Time the whole `lower`, file to file, against what bounds it from below and against two other ways to do it.

    python benchmarks/lower.py [FOLDER] [--quick] [--profile]

Two networks at limits 64,64,64: AlexNet (three Gemms, 14,336 tile products) and one MatMul of [64, 4096] @ [4096, 4096]
(4,096 tile products). Four ways, taken in turns in one process:

    onnxtile      onnxtile.lower(path, (64, 64, 64), output=path): unrolled, weights cut ahead of time, Add chains
    protobuf      the floor: parse the input, add the very nodes and tensors of the output, serialize, write; what to
                  add is laid out as Python values and bytes before the clock starts
    graphsurgeon  the same nodes by onnx-graphsurgeon: import, a gs.Node a tile, export, save
    helper        onnx.helper nodes inserted one by one into the protobuf list; weights are cut at run time and partial
                  sums added by one n-ary Sum, so the result has half the nodes and no cut tensors: less work

graphsurgeon and helper need onnx's shape inference to know M; a line of its own says what that alone takes.

The result's bytes and nodes are compared with the floor's, and all ways are run on a small product, before anything
is timed. FOLDER (a temporary one by default) takes the models, about 1.5 GB; files are written without waiting for the
disk, except that onnxtile does wait (fsync). Start-up times of the package and the program come last.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import importlib.metadata
import os
import platform
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import floor
import graphsurgeon_way
import networks
import numpy as np
import onnx
import seed_way
from onnx.reference import ReferenceEvaluator

import onnxtile

TILE = 64
WANTED_OF_FLOOR, WANTED_START_UP = 2.0, 0.5
LIBRARIES = ("onnxtile", "onnx", "onnx-ir", "protobuf", "numpy", "onnx-graphsurgeon")


@dataclass(frozen=True)
class Way:
    """One way to get a lowered file."""

    name: str
    target: Path
    run: Callable[[], object]

    def timed(self) -> float:
        self.target.unlink(missing_ok=True)  # or else one way would pay for dropping another's pages
        gc.collect()
        start = time.perf_counter()
        self.run()
        return time.perf_counter() - start

    @property
    def nodes(self) -> int:
        return len(onnx.load(self.target).graph.node)


def ways(source: Path) -> list[Way]:
    """onnxtile first, the floor second; the floor's content is what onnxtile has just written."""

    def target(name: str) -> Path:
        return source.with_suffix(f".{name}.onnx")

    ours = target("onnxtile")
    onnxtile.lower(source, (TILE, TILE, TILE), output=ours)  # also imports what's imported late
    content = floor.Content.of(ours)
    return [
        Way("onnxtile", ours, lambda: onnxtile.lower(source, (TILE, TILE, TILE), output=ours)),
        Way("protobuf", target("protobuf"), lambda: floor.write(source, content, target("protobuf"))),
        Way(
            "graphsurgeon", target("graphsurgeon"), lambda: graphsurgeon_way.lower(source, TILE, target("graphsurgeon"))
        ),
        Way("helper", target("helper"), lambda: seed_way.lower(source, TILE, target("helper"))),
    ]


def check_ways(folder: Path) -> None:
    """All ways compute the same: exactly, on whole numbers."""
    source = folder / "small.onnx"
    networks.small(source)
    feeds = {"x": np.random.default_rng(1).integers(-8, 8, (130, 200)).astype(np.float32)}
    (expected,) = ReferenceEvaluator(str(source)).run(None, feeds)
    for way in ways(source):
        way.run()
        (found,) = ReferenceEvaluator(str(way.target)).run(None, feeds)
        np.testing.assert_array_equal(found, expected, way.name)


def compare(network: Callable[[Path], None], folder: Path, repetitions: int) -> None:
    """Print the table of one network."""
    source = folder / f"{network.__name__}.onnx"
    network(source)
    compared = ways(source)
    alone = Way("shape inference", source.with_suffix(".none"), lambda: seed_way.shapes(onnx.load(source)))
    seconds: dict[str, list[float]] = {way.name: [] for way in (*compared, alone)}
    for _ in range(repetitions):
        for way in (*compared, alone):
            seconds[way.name].append(way.timed())
    ours, bottom, *others = compared
    if bottom.target.read_bytes() != ours.target.read_bytes():
        raise SystemExit("the floor's file isn't onnxtile's: the comparison would be unfair")
    best = {name: min(times) for name, times in seconds.items()}
    print(f"\n{network.__name__}: {len(onnx.load(source).graph.node)} nodes, {_megabytes(source)} in")
    print(f"  {'':15} {'best s':>8} {'median s':>9} {'nodes':>7} {'file':>9}  best against the others'")
    for way in compared:
        ratio = best[ours.name] / best[bottom.name] if way is ours else best[way.name] / best[ours.name]
        words = {
            ours.name: f"{ratio:.2f}x the floor; wanted: at most {WANTED_OF_FLOOR:g}x",
            bottom.name: "the floor",
        }.get(way.name, f"{ratio:.2f}x onnxtile; wanted: over 1x")
        median = statistics.median(seconds[way.name])
        print(
            f"  {way.name:15} {best[way.name]:8.3f} {median:9.3f} {way.nodes:7,} {_megabytes(way.target):>9}  {words}"
        )
    print(
        f"  {alone.name:15} {best[alone.name]:8.3f} {statistics.median(seconds[alone.name]):9.3f}  (part of {others[0].name} and {others[1].name})"
    )
    print(f"  onnxtile took {best[ours.name] / ours.nodes * 1e6:.1f} us for each node it wrote")


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def start_up(*arguments: str, repetitions: int = 5) -> None:
    """Print the median time of a fresh interpreter."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    command = " ".join(["python", *(repr(word) if " " in word else word for word in arguments)])
    print(f"  {command:30} {statistics.median(times):.3f} s; wanted: under {WANTED_START_UP:g} s")


def machine() -> str:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cpu = names[0] if names else platform.processor() or platform.machine()
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    return f"{cpu}, {os.cpu_count()} cores; Python {platform.python_version()}\n{versions}"


def _version(name: str) -> str:
    return onnxtile.__version__ if name == "onnxtile" else importlib.metadata.version(name)


def profile(folder: Path) -> None:
    """Print where onnxtile spends its time on AlexNet."""
    source = folder / "alexnet.onnx"
    ours = ways(source)[0]
    profiler = cProfile.Profile()
    profiler.runcall(ours.run)
    pstats.Stats(profiler).strip_dirs().sort_stats("cumulative").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="where the models go; a temporary folder by default")
    parser.add_argument("--quick", action="store_true", help="2 repetitions instead of 7")
    parser.add_argument("--profile", action="store_true", help="then profile one lower of AlexNet")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print(machine())
        check_ways(folder)
        for network in (networks.alexnet, networks.product):
            compare(network, folder, 2 if arguments.quick else 7)
        print("\nstart-up, median of 5")
        start_up("-c", "import onnxtile")
        start_up("-m", "onnxtile", "--help")
        if arguments.profile:
            profile(folder)


if __name__ == "__main__":
    main()
