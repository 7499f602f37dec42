"""Time the proof of AlexNet's three Gemms at 64,64,64, unrolled, against running them; and that of a large decoder.

    python benchmarks/proof.py [FOLDER] [--rounds N] [--quick]

A random case is what the write-up that this grew out of did 10 to 1,000 times a Gemm: the lowered Gemm alone in
onnx.reference, on random inputs. Its model is in memory, cut out of the whole one beforehand; loading it into the
evaluator is timed apart from running it. The certificate and the proof begin with the parsed files too; reading and
checking these is timed apart. The proof compares all bytes of the weights, which a random case doesn't.

The decoder has Llama-2-7B's shapes (decoder.py); each form is a process of its own, file to verdict. FOLDER (a
temporary one by default) takes 15 GB; with --quick the decoder is left out.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import decoder
import networks
import numpy as np
import onnx
import onnxruntime
from lower import machine
from onnx.reference import ReferenceEvaluator

import onnxtile
from onnxtile.ir.io.load import parse
from onnxtile.verification.coverage import box_of, cover
from onnxtile.verification.opened import open_model
from onnxtile.verification.verify import verify

LIMITS = (64, 64, 64)


def gemms(original: onnx.ModelProto, lowered: onnx.ModelProto) -> list[tuple[onnx.ModelProto, str, tuple[int, int]]]:
    """Each lowered Gemm as a model of its own, its input and that one's shape."""
    made = {name: node for node in lowered.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in lowered.graph.initializer}
    weights = {tensor.name: tensor.dims for tensor in original.graph.initializer}
    found = []
    for gemm in (node for node in original.graph.node if node.op_type == "Gemm"):
        kept, waiting = {}, list(gemm.output)
        while waiting:
            node = made[waiting.pop()]
            if node.name not in kept:
                kept[node.name] = node
                waiting += [name for name in node.input if name not in constants and name != gemm.input[0]]
        nodes = [node for node in lowered.graph.node if node.name in kept]
        shape = (1, weights[gemm.input[1]][1])
        graph = onnx.helper.make_graph(
            nodes,
            "gemm",
            [onnx.helper.make_tensor_value_info(gemm.input[0], 1, shape)],
            [onnx.helper.make_tensor_value_info(gemm.output[0], 1, None)],
            [
                constants[name]
                for name in dict.fromkeys(name for node in nodes for name in node.input)
                if name in constants
            ],
        )
        model = onnx.helper.make_model(graph, opset_imports=lowered.opset_import, ir_version=lowered.ir_version)
        found.append((model, gemm.input[0], shape))
    return found


def timed(action: Callable[[], object], rounds: int) -> float:
    """The median of so many runs, in seconds."""
    times = []
    for _ in range(rounds):
        gc.collect()
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def alexnet(folder: Path, rounds: int, quick: bool) -> None:
    source, target = folder / "alexnet.onnx", folder / "alexnet.tiled.onnx"
    networks.alexnet(source)
    onnxtile.lower(source, LIMITS, output=target)
    cut = gemms(parse(source), parse(target))
    rng = np.random.default_rng(0)
    feeds = [{name: rng.standard_normal(shape).astype(np.float32)} for _, name, shape in cut]
    loaded = [ReferenceEvaluator(model) for model, _, _ in cut]
    load = timed(lambda: [ReferenceEvaluator(model) for model, _, _ in cut], rounds)
    run = timed(lambda: [each.run(None, fed) for each, fed in zip(loaded, feeds, strict=True)], rounds)
    case = load + run
    tell("one random case of each Gemm in onnx.reference", case, f"loading {load:.2f}, running {run:.2f}")

    graph = parse(target).graph
    nodes, constants = list(graph.node), {tensor.name: tensor for tensor in graph.initializer}

    def lengths(name: str) -> list[int] | None:
        return [int(each) for each in onnx.numpy_helper.to_array(constants[name])] if name in constants else None

    def certificate() -> None:
        boxes = [(node, box) for node in nodes if (box := box_of(node)) is not None]
        found = cover(nodes, boxes, [value.name for value in graph.output], lengths, {})
        assert found.products == 14_336 and not found.faults

    gc.disable()
    tiles = timed(certificate, rounds)
    gc.enable()
    tell("tile certificate of all three", tiles, f"{case / tiles:.1f}x as fast as a case")

    read = timed(lambda: [open_model(source), open_model(target)], rounds)
    proof = statistics.median(proof_time(source, target) for _ in range(rounds))
    words = f"{proof / (2 * case):.2f} of two cases, {proof / (load + 2 * run):.2f} of two that are loaded once"
    tell("exact proof of all three, all weights compared", proof, f"{words}; {read:.2f} s before to read both files")
    if quick:
        return
    whole = timed(lambda: _whole(source, target), 1)
    tell("both whole models in onnxruntime, one case", whole, f"{whole / proof:.1f}x the proof")


def proof_time(source: Path, target: Path) -> float:
    """Seconds of a proof, from when both files have been read on."""
    began: list[float] = []
    verdict = verify(source, target, progress=lambda words, *_: began.append(time.perf_counter()))
    end = time.perf_counter()
    assert verdict.equivalent and all(region.method == "exact" for region in verdict.regions)
    return end - began[1]


def tell(what: str, seconds: float, words: str) -> None:
    print(f"{what:48s}{seconds:8.2f} s   {words}", flush=True)


def _whole(*models: Path) -> None:
    info = parse(models[0]).graph.input[0]
    shape = [axis.dim_value for axis in info.type.tensor_type.shape.dim]
    fed = {info.name: np.zeros(shape, np.float32)}
    for model in models:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        session.run(None, fed)


def large(folder: Path) -> None:
    source = decoder.write(folder)
    for form in ("function", "batched"):
        target = folder / f"{form}.onnx"
        onnxtile.lower(source, LIMITS, form=form, output=target)
        code = f"""
import resource, time
start = time.perf_counter()
import onnxtile
verdict = onnxtile.verify({str(source)!r}, {str(target)!r})
assert verdict.equivalent and {{region.method for region in verdict.regions}} == {{"exact"}}
alone = sum(region.same_as is None for region in verdict.regions)
peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e6
print(f"{{len(verdict.regions)}} products, {{alone}} run, {{time.perf_counter() - start:.1f}} s, peak {{peak:.1f}} GB")
"""
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        print(f"decoder, form {form}: {done.stdout.strip()}")
        for file in folder.glob(f"{form}.onnx*"):
            file.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="without the decoder and onnxruntime")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        alexnet(folder, options.rounds, options.quick)
        if not options.quick:
            large(folder)


if __name__ == "__main__":
    main()
