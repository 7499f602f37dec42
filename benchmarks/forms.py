"""Time what onnxruntime makes of each form, against the untiled original.

    python benchmarks/forms.py [FOLDER] [--out FILE] [--quick]

Two networks with random weights, at limits 64,64,64 and 128,128,128: AlexNet's classifier (three Gemms,
9216 x 4096 x 4096 x 1000) at batch 1 and 64, and the matrix products of a BERT-base layer (sequence 128: four of
768 x 768, one of 768 x 3072, one of 3072 x 768, and attention's two batched ones with 12 heads of 64).

Each form is timed in turns with the original, in blocks whose first runs don't count; the ratio is that of the two
medians. Default optimizations, two threads, which don't spin between runs. Before that the form's outputs are compared
with the original's. onnxruntime's time to make a session grows with the square of the nodes, so a form that takes more
than `MOST_NODES` isn't run.

Prints a Markdown table; `--out` writes it too. Nodes are those of bodies and functions as well. FOLDER (a temporary one
by default) takes 0.5 GB of models.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from lower import machine
from onnx import numpy_helper

import onnxtile

THREADS, MOST_NODES = 2, 12_000
LIMITS = (64, 128)
FORMS = {
    "unrolled": ("unrolled", "pretile"),
    "unrolled, split": ("unrolled", "split"),
    "batched": ("batched", "pretile"),
    "loop": ("loop", "pretile"),
    "function": ("function", "pretile"),
}
WANTED, WANTED_AT = 2.0, 128
DIFFERENCE = 1e-3
"""Largest difference from the original, as a share of its largest output: far above rounding, far below a lost tile."""


@dataclass(frozen=True)
class Network:
    """A model to be lowered; `rows`: M of its products."""

    name: str
    model: onnx.ModelProto
    rows: int

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        shape = [axis.dim_value for axis in self.model.graph.input[0].type.tensor_type.shape.dim]
        return {"x": np.random.default_rng(1).standard_normal(shape, np.float32)}


def classifier(batch: int) -> Network:
    """AlexNet behind its convolutions."""
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
    classifier (float[{batch},9216] x) => (float[{batch},1000] y) {{
        [fc6] h6 = Gemm <transB = 1> (x, w6, b6)
        a6 = Relu (h6)
        [fc7] h7 = Gemm <transB = 1> (a6, w7, b7)
        a7 = Relu (h7)
        [fc8] y = Gemm <transB = 1> (a7, w8, b8)
    }}"""
    weights: dict[str, tuple[int, ...]] = {"w6": (4096, 9216), "w7": (4096, 4096), "w8": (1000, 4096)}
    biases = {f"b{name[1:]}": shape[:1] for name, shape in weights.items()}
    return Network(f"AlexNet's classifier, batch {batch}", _with_weights(text, weights | biases, fan_in=-1), batch)


def layer() -> Network:
    """The products of a BERT-base layer; a Relu in the place of Gelu, and neither biases nor normalizations."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    layer (float[1,128,768] x) => (float[1,128,768] y)
        <int64[4] heads = {1, 128, 12, 64}, int64[3] joined = {1, 128, 768}, float eighth = {0.125}> {
        [query] q = MatMul (x, wq)  q4 = Reshape (q, heads)  qh = Transpose <perm = [0, 2, 1, 3]> (q4)
        [key] k = MatMul (x, wk)    k4 = Reshape (k, heads)  kh = Transpose <perm = [0, 2, 3, 1]> (k4)
        [value] v = MatMul (x, wv)  v4 = Reshape (v, heads)  vh = Transpose <perm = [0, 2, 1, 3]> (v4)
        [scores] s = MatMul (qh, kh)
        scaled = Mul (s, eighth)
        share = Softmax <axis = -1> (scaled)
        [mix] mixed = MatMul (share, vh)
        rows = Transpose <perm = [0, 2, 1, 3]> (mixed)
        attended = Reshape (rows, joined)
        [output] o = MatMul (attended, wo)
        [up] h = MatMul (o, w1)
        a = Relu (h)
        [down] y = MatMul (a, w2)
    }"""
    weights = dict.fromkeys(("wq", "wk", "wv", "wo"), (768, 768)) | {"w1": (768, 3072), "w2": (3072, 768)}
    return Network("BERT-base layer", _with_weights(text, weights, fan_in=0), 128)


def _with_weights(text: str, shapes: Mapping[str, tuple[int, ...]], fan_in: int) -> onnx.ModelProto:
    """Scaled by the length of axis `fan_in`: activations neither vanish nor overflow on their way."""
    model, random = onnx.parser.parse_model(text), np.random.default_rng(0)
    for name, shape in shapes.items():
        array = random.standard_normal(shape, np.float32) * np.float32(shape[fan_in] ** -0.5)
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.checker.check_model(model)
    return model


class Session:
    """A model in onnxruntime, and what making it took."""

    def __init__(self, path: Path, feeds: dict[str, np.ndarray], threads: int = THREADS) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.force_spinning_stop", "1")  # or else it disturbs the other's runs
        start = time.perf_counter()
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.creation = time.perf_counter() - start
        self._feeds = feeds

    def run(self) -> np.ndarray:
        output: np.ndarray = self._session.run(None, self._feeds)[0]
        return output

    def block(self, runs: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
        """Seconds of each of `runs`, behind two that don't count."""
        times = []
        for _ in range(2 + runs):
            start = clock()
            self.run()
            times.append(clock() - start)
        return times[2:]


def measured(network: Network, folder: Path, blocks: int) -> Iterator[str]:
    """The rows of one network, form by form."""
    source, target = folder / "original.onnx", folder / "tiled.onnx"
    onnx.save(network.model, source)
    original = Session(source, network.feeds)
    expected = original.run()
    alone = statistics.median(original.block(3 * blocks)) * 1e3
    nodes = str(len(network.model.graph.node))
    yield _row(network.name, "", "original", nodes, f"{original.creation:.2f}", f"{alone:.1f}", "", "", "")
    for limit in LIMITS:
        for name, (form, weights) in FORMS.items():
            report = onnxtile.lower(network.model, (limit,) * 3, form=form, weights=weights, output=target)
            head = (network.name, str(limit), name, f"{report.nodes_after:,}")
            if report.nodes_after > MOST_NODES:
                yield _row(*head, *[""] * 4, f"not run: over {MOST_NODES:,} nodes")
                continue
            session = Session(target, network.feeds)
            difference = float(np.abs(session.run() - expected).max())
            if not difference <= DIFFERENCE * np.abs(expected).max():
                raise SystemExit(f"{network.name}, {name} at {limit}: off by {difference:g}")
            ours, theirs = [], []
            for _ in range(blocks):  # in turns: a slow moment of the machine meets both
                theirs += original.block(3)
                ours += session.block(3)
            ms, original_ms = statistics.median(ours) * 1e3, statistics.median(theirs) * 1e3
            times = (f"{session.creation:.2f}", f"{ms:.1f}", f"{original_ms:.1f}", f"{ms / original_ms:.2f}")
            yield _row(*head, *times, _verdict(network, limit, name, ms / original_ms))


def _verdict(network: Network, limit: int, form: str, ratio: float) -> str:
    """Return the ratio that is wanted of this form here, if any."""
    wanted = form == "unrolled" or (form == "batched" and network.rows >= WANTED_AT)
    return f"at most {WANTED:g}: {'met' if ratio <= WANTED else 'missed'}" if wanted and limit == WANTED_AT else ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="where the models go; a temporary folder by default")
    parser.add_argument("--out", type=Path, help="write the table to this file too")
    parser.add_argument("--quick", action="store_true", help="1 block of runs instead of 5")
    arguments = parser.parse_args()
    head, *libraries = machine().splitlines()
    lines = [f"{head}; {', '.join(libraries)}, onnxruntime {onnxruntime.__version__}; {THREADS} threads", ""]
    titles = ("network", "limits", "form", "nodes", "session s", "ms", "original ms", "ratio", "wanted")
    lines += [_row(*titles), f"|---|---|---|{'---:|' * 5}---|"]
    print("\n".join(lines))
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for network in (classifier(1), classifier(64), layer()):
            for line in measured(network, folder, 1 if arguments.quick else 5):
                print(line, flush=True)
                lines.append(line)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
