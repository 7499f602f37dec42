"""Time the whole `lower`, file to file, against what bounds it from below and against two other ways to do it.

    python benchmarks/lower.py [FOLDER] [--quick] [--profile]

AlexNet at limits 64,64,64 (three Gemms, 14,336 tile products), and one MatMul of [64, 4096] @ [4096, 4096] at 64,64,64
(4,096 tile products) and at 64,16,16 (65,536: 130,818 nodes). Four ways, taken in turns in one process:

    onnxtile      onnxtile.lower(path, limits, output=path): unrolled, weights cut ahead of time, Add chains
    protobuf      the floor: parse the input, add the very nodes and tensors of the output, serialize, write; what to
                  add is laid out as Python values and bytes before the clock starts
    graphsurgeon  the same nodes by onnx-graphsurgeon: import, a gs.Node a tile, export, save
    helper        onnx.helper nodes inserted one by one into the protobuf list; weights are cut at run time and partial
                  sums added by one n-ary Sum, so the result has half the nodes and no cut tensors: less work

graphsurgeon and helper need onnx's shape inference to know M; a line of its own says what that alone takes.

Before anything is timed, all ways compute a small product, exactly; afterwards the floor's file must be equal to
onnxtile's, message by message. Best of several rounds is the figure to go by; processor time tells how much of the
rest was waiting. FOLDER (a temporary one by default) takes 1.5 GB of models; one in memory (tmpfs) gives steadier
figures. onnxtile waits for the disk (fsync), the others don't. Start-up times of the package and the program come last.
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

M = 64
WANTED_START_UP = 0.5
LIBRARIES = ("onnxtile", "onnx", "onnx-ir", "protobuf", "numpy", "onnx-graphsurgeon")


@dataclass(frozen=True)
class Case:
    """A network, the limit along K and N, the rounds; at most and at least how many times the others are wanted."""

    network: Callable[[Path], None]
    tile: int
    rounds: int
    floor: float
    helper: float
    graphsurgeon: float


CASES = (
    Case(networks.alexnet, 64, 7, 2, 1, 1),
    Case(networks.product, 64, 7, 2, 1, 1),
    Case(networks.product, 16, 3, 1.5, 8, 15),
)


@dataclass(frozen=True)
class Time:
    """Seconds that one run took, by the clock and of the processor."""

    clock: float
    processor: float


@dataclass(frozen=True)
class Way:
    """One way to get a lowered file."""

    name: str
    target: Path
    run: Callable[[], object]

    def timed(self) -> Time:
        self.target.unlink(missing_ok=True)  # or else one way would pay for dropping another's pages
        gc.collect()
        clock, processor = time.perf_counter(), time.process_time()
        self.run()
        return Time(time.perf_counter() - clock, time.process_time() - processor)


def ways(source: Path, tile: int) -> list[Way]:
    """onnxtile first, the floor second; the floor's content is what onnxtile has just written."""

    def target(name: str) -> Path:
        return source.with_suffix(f".{name}.onnx")

    ours = target("onnxtile")
    limits = (M, tile, tile)
    onnxtile.lower(source, limits, output=ours)  # also imports what's imported late
    content = floor.Content.of(ours)
    return [
        Way("onnxtile", ours, lambda: onnxtile.lower(source, limits, output=ours)),
        Way("protobuf", target("protobuf"), lambda: floor.write(source, content, target("protobuf"))),
        Way(
            "graphsurgeon",
            target("graphsurgeon"),
            lambda: graphsurgeon_way.lower(source, limits, target("graphsurgeon")),
        ),
        Way("helper", target("helper"), lambda: seed_way.lower(source, limits, target("helper"))),
    ]


def check_ways(folder: Path) -> None:
    """All ways compute the same: exactly, on whole numbers."""
    source = folder / "small.onnx"
    networks.small(source)
    feeds = {"x": np.random.default_rng(1).integers(-8, 8, (130, 200)).astype(np.float32)}
    (expected,) = ReferenceEvaluator(str(source)).run(None, feeds)
    for way in ways(source, M):
        way.run()
        (found,) = ReferenceEvaluator(str(way.target)).run(None, feeds)
        np.testing.assert_array_equal(found, expected, way.name)


def compare(case: Case, folder: Path, rounds: int) -> None:
    """Print the table of one network."""
    source = folder / f"{case.network.__name__}.onnx"
    case.network(source)
    compared = ways(source, case.tile)
    alone = Way("inference", source.with_suffix(".none"), lambda: seed_way.shapes(onnx.load(source)))
    times: dict[str, list[Time]] = {way.name: [] for way in (*compared, alone)}
    for _ in range(rounds):  # in turns: a slow moment of the machine meets them all
        for way in (*compared, alone):
            times[way.name].append(way.timed())
    best = {name: min(run.clock for run in runs) for name, runs in times.items()}
    nodes = {way.name: len(onnx.load(way.target).graph.node) for way in compared}
    ours, bottom, *_ = compared
    if onnx.load(ours.target) != onnx.load(bottom.target):
        raise SystemExit("the floor's file isn't onnxtile's: the comparison would be unfair")

    print(f"\n{case.network.__name__} at {M},{case.tile},{case.tile}: {_megabytes(source)} in, best of {rounds}")
    print(f"  {'':12} {'best s':>7} {'median':>7} {'cpu':>7} {'nodes':>7} {'out':>9}")
    for way in (*compared, alone):
        clock = statistics.median(run.clock for run in times[way.name])
        processor = min(run.processor for run in times[way.name])
        size = _megabytes(way.target) if way.target.exists() else ""
        figures = f"{best[way.name]:7.3f} {clock:7.3f} {processor:7.3f} {nodes.get(way.name, ''):>7} {size:>9}"
        if way is ours:
            words = f"{best[ours.name] / best[bottom.name]:.2f}x the floor; wanted: at most {case.floor:g}x"
        elif way is bottom:
            words = "the floor"
        elif way is alone:
            words = "onnx's shape inference, part of the two above"
        else:
            wanted = case.helper if way.name == "helper" else case.graphsurgeon
            words = f"{best[way.name] / best[ours.name]:.2f}x onnxtile; wanted: at least {wanted:g}x"
        print(f"  {way.name:12} {figures}  {words}")
    print(f"  onnxtile: {best[ours.name] / nodes[ours.name] * 1e6:.1f} us for each node written, weights included")


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
    """Describe the machine that the figures were measured on."""
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
    limits, output = (M, M, M), source.with_suffix(".profiled.onnx")
    profiler = cProfile.Profile()
    profiler.runcall(onnxtile.lower, source, limits, output=output)
    pstats.Stats(profiler).strip_dirs().sort_stats("cumulative").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="where the models go; a temporary folder by default")
    parser.add_argument("--quick", action="store_true", help="2 rounds")
    parser.add_argument("--profile", action="store_true", help="then profile one lower of AlexNet")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print(machine())
        check_ways(folder)
        for case in CASES:
            compare(case, folder, 2 if arguments.quick else case.rounds)
        print("\nstart-up, median of 5")
        start_up("-c", "import onnxtile")
        start_up("-m", "onnxtile", "--help")
        if arguments.profile:
            profile(folder)


if __name__ == "__main__":
    main()
