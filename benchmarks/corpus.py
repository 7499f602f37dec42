"""Lower every model of a corpus, check each result from outside, and write a table of what came out.

    python benchmarks/corpus.py CORPUS [--limits 64,64,64 ...] [--form unrolled ...] [--only NAME ...] [--out FILE]

CORPUS is a folder of models with an `index.json`: a list of {"name", "file", "inputs"}. `inputs` maps each input of the
model to {"dtype", "shape"} and, where it isn't to be N(0, 1) (integers: 0 or 1), to "scale" (N(0, scale)), "low" and
"high" (whole numbers from low to high - 1) or "value" (a constant). Free dimensions are bound to those shapes.

A result is wrong where it differs from the original by more than `onnxtile.verify` allows (on its own inputs or on
those of the index), isn't valid, holds a product over the limits that the report doesn't list as refused, or isn't the
same bytes the second time. The exit status is 1 if a result is wrong or anything but an OnnxtileError is raised.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import onnxruntime

import onnxtile
from onnxtile.dimensions import fed_inputs, free_dimensions, name_free_dimensions
from onnxtile.source import load
from onnxtile.verification.compare import OutputVerdict

MANY_NODES = 20_000
"""From here on onnx's reference evaluator runs the models: onnxruntime's loading time grows with the square of this."""
Feeds = dict[str, np.ndarray]
Shapes = dict[str, list[int | None]]


@dataclass
class Result:
    """What came of one model at one size in one form. `wrong` is empty where all is well."""

    ops: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    nodes: int = 0
    seconds: float = 0.0
    error: float = 0.0
    share: float = 0.0
    unsized: int = 0
    unverified: str = ""
    failure: str = ""
    crashed: bool = False
    wrong: list[str] = field(default_factory=list)

    def cells(self) -> list[str]:
        if self.failure:
            return [f"**{self.failure.partition(':')[0]}**", "", "", ""]
        found = [str(self.statuses[status] or "-") for status in ("tiled", "fits", "refused")]
        error = "exact" if self.error == 0 else f"{self.error:.0e} ({100 * self.share:.2g} %)"
        return [" / ".join(found), f"{self.nodes:,}", f"**{error}**" if self.wrong else error, f"{self.seconds:.1f}"]


def examine(path: Path, inputs: dict[str, Any], limits: str, form: str, folder: Path) -> Result:
    """Lower one model and check the result; raises OnnxtileError where it can't be lowered."""
    result, bind = Result(), sizes(path, inputs)
    lowered, again = folder / "lowered.onnx", folder / "again.onnx"
    start = time.perf_counter()
    report = onnxtile.lower(path, limits, form=form, bind=bind, output=lowered)
    result.seconds, result.nodes = time.perf_counter() - start, report.nodes_after
    onnxtile.lower(path, limits, form=form, bind=bind, output=again)
    if lowered.read_bytes() != again.read_bytes():
        result.wrong.append("lowering again gives other bytes")
    rows = [row for row in report.contractions if row.status != "not-asked"]
    result.ops.update(row.op for row in rows)
    result.statuses.update(row.status for row in rows)
    result.refusals.update(f"{row.op}: {row.reason}" for row in rows if row.status in ("refused", "unknown"))
    try:
        onnx.checker.check_model(str(lowered))
    except onnx.checker.ValidationError as error:
        result.wrong.append(f"the checker refuses it: {error}")
    given = onnx.load(path, load_external_data=False)
    expected = Counter(node.op_type for _, node in products(given.graph, {}))
    if any(result.ops[op] != expected[op] for op in ("MatMul", "Gemm")):
        result.wrong.append(f"the model holds {dict(expected)}, the report says {dict(result.ops)}")
    exempt = {row.name for row in rows if row.status in ("refused", "unknown")}
    check_limits(onnx.load(lowered), limits, exempt, result)
    check_equivalence(path, lowered, bind, inputs, result)
    return result


def sizes(path: Path, inputs: dict[str, Any]) -> dict[str, int]:
    """What the index's shapes make of the model's free dimensions."""
    model = load(path)
    name_free_dimensions(model)
    free, found = free_dimensions(model), {}
    for value in fed_inputs(model):
        for dim, size in zip(value.shape or (), inputs[str(value.name)]["shape"], strict=True):
            if not isinstance(dim, int) and dim.value in free:
                found[str(dim.value)] = int(size)
    return found


def products(graph: onnx.GraphProto, outer: Shapes) -> Iterator[tuple[Shapes, onnx.NodeProto]]:
    """Every MatMul and Gemm of the graph and of those inside its nodes, with the shapes that are known there."""
    shapes = dict(outer)
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            shapes[value.name] = [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.domain in ("", "ai.onnx") and node.op_type in ("MatMul", "Gemm"):
            yield shapes, node
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from products(inner, shapes)


def check_limits(model: onnx.ModelProto, limits: str, exempt: set[str], result: Result) -> None:
    """Hold every product that onnx's own shape inference can size against the limits."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for shapes, node in products(inferred.graph, {}):
        if exempt & {node.name, node.output[0]}:
            continue
        a, b = (shapes.get(name) for name in node.input[:2])
        if a is None or b is None:
            result.unsized += 1
            continue
        transposed = {attribute.name: attribute.i for attribute in node.attribute if attribute.name.startswith("trans")}
        m, k = ([1, *a] if len(a) == 1 else a)[-2:][:: -1 if transposed.get("transA") else 1]
        n = ([*b, 1] if len(b) == 1 else b)[-2:][0 if transposed.get("transB") else 1]
        result.unsized += None in (m, k, n)
        for axis, size, limit in zip("MKN", (m, k, n), limits.split(","), strict=True):
            if limit != "*" and size is not None and size > int(limit):
                result.wrong.append(f"{node.op_type} {node.name!r} has {axis}={size}")


def check_equivalence(path: Path, lowered: Path, bind: dict[str, int], inputs: dict[str, Any], result: Result) -> None:
    """Run both models; what may differ is what `verify` allows, and `verify` itself must agree."""
    feeds, outputs = feed(inputs), onnx.load(path, load_external_data=False).graph.output
    verdicts: Sequence[OutputVerdict]
    try:
        verdict = onnxtile.verify(path, lowered, bind=bind)
        verdicts = verdict.outputs
        result.wrong += [f"verify says: {verdict.reason}"] if verdict.reason else []
    except onnxtile.UnsupportedError as error:
        result.unverified = str(error)
        allowed = float("inf") if result.statuses["tiled"] else 0.0
        verdicts = [OutputVerdict(output.name, 0.0, allowed, True, True) for output in outputs]
    before, after = (run(model, feeds, result.nodes >= MANY_NODES) for model in (path, lowered))
    for output, y, z in zip(verdicts, before, after, strict=True):
        if not output.equivalent:
            result.wrong.append(f"verify says of output {output.name!r}: {output.reason}")
        if y.shape != z.shape or y.dtype != z.dtype:
            result.wrong.append(f"output {output.name!r} is {z.dtype}{z.shape}, not {y.dtype}{y.shape}")
            continue
        same = np.array_equal(y, z) if y.dtype.kind not in "fc" else np.array_equal(y, z, equal_nan=True)
        error = 0.0 if same else float(np.abs(y.astype(np.float64) - z.astype(np.float64)).max())
        for difference in (error, output.max_abs_error):
            share = difference / output.allowed if output.allowed else float(difference > 0)
            result.error, result.share = max((result.share, result.error), (share, difference))[::-1]
        if not error <= output.allowed:
            result.wrong.append(f"output {output.name!r} differs by {error:.2g}; {output.allowed:.2g} is allowed")


def feed(inputs: dict[str, Any], seed: int = 0) -> Feeds:
    """Real inputs: what the index says of each."""
    rng, feeds = np.random.default_rng(seed), {}
    for name, how in inputs.items():
        if "value" in how:
            value = np.full(how["shape"], how["value"])
        elif "int" in how["dtype"]:
            value = rng.integers(how.get("low", 0), how.get("high", 2), how["shape"])
        else:
            value = rng.standard_normal(how["shape"]) * how.get("scale", 1)
        feeds[name] = np.asarray(value).astype(how["dtype"])
    return feeds


def run(path: Path, feeds: Feeds, large: bool) -> list[np.ndarray]:
    if large:
        with np.errstate(all="ignore"):
            return list(map(np.asarray, onnx.reference.ReferenceEvaluator(str(path)).run(None, feeds)))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return list(map(np.asarray, session.run(None, feeds)))


def machine() -> str:
    """The CPU's name, and how many cores of it there are."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def document(results: dict[str, dict[str, dict[str, Result]]], command: str) -> Iterator[str]:
    """The page, line by line; `results` are by form, model and limits."""
    versions = ", ".join(f"{each.__name__} {each.__version__}" for each in (onnxtile, onnx, onnxruntime, np))
    yield "# What becomes of real models\n"
    yield f"Written by `{command}`: {versions}, Python {platform.python_version()}, {machine()}.\n"
    yield from (
        "Every model is lowered with its free dimensions bound to the sizes of its inputs. For each limit (M,K,N):\n",
        "- **products**: how many were cut into tiles / fit as they were / were refused and left as they are;",
        "- **nodes**: in the result, those inside If, Loop and Scan included;",
        "- **error**: the output element that comes nearest to its bound: by how much it differs from the original's,",
        "  and the share that this is of what rounding explains; *exact*: no output differs in any bit;",
        "- **s**: seconds from file to file.\n",
        "Each result was run beside its original on random inputs, passed onnx's checker, was the same bytes when made",
        "again, and had all products that weren't refused measured anew by onnx's own shape inference.\n",
    )
    for form, models in results.items():
        limits = list(next(iter(models.values())))
        yield f"## Form {form}\n"
        titles = [title for each in limits for title in (f"{each}: products", "nodes", "error", "s")]
        yield row(["model", "matrix products", *titles])
        yield row(["---", "---", *["---:"] * len(titles)])
        for name, found in models.items():
            ops = next((each.ops for each in found.values() if each.ops), Counter[str]())
            held = ", ".join(f"{count} {op}" for op, count in ops.items()) or "none"
            yield row([name, held, *(cell for each in found.values() for cell in each.cells())])
        yield ""
    yield from listing("Refused", results, lambda each: [f"{n} x {why}" for why, n in each.refusals.items()])
    yield from listing("Not lowered", results, lambda each: [each.failure] if each.failure else [])
    yield from listing("Not run by `verify`", results, lambda each: [each.unverified] if each.unverified else [])
    yield from listing("Wrong", results, lambda each: each.wrong)
    yield from listing(
        "Not measured anew", results, lambda each: [f"{each.unsized} products of unknown size"] if each.unsized else []
    )


def listing(
    title: str, results: dict[str, dict[str, dict[str, Result]]], words: Callable[[Result], list[str]]
) -> Iterator[str]:
    """A section that says each thing once, and where it holds."""
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for form, models in results.items():
        for name, found in models.items():
            for limits, result in found.items():
                for each in words(result):
                    places[each][name].append(f"{form} {limits}")
    everywhere = sum(len(next(iter(models.values()))) for models in results.values())
    if places:
        yield f"## {title}\n"
    for each, names in places.items():
        where = (name if len(at) == everywhere else f"{name} ({'; '.join(at)})" for name, at in names.items())
        yield f"- {', '.join(where)}: {each}"
    if places:
        yield ""


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description="Lower every model of a corpus and check each result from outside.")
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="folder with index.json")
    parser.add_argument("--limits", action="append", metavar="M,K,N", help="64,64,64 and 16,32,48 by default")
    parser.add_argument("--form", action="append", help="unrolled and batched by default")
    parser.add_argument("--only", action="append", metavar="NAME", help="this model; may be given several times")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table to this Markdown file")
    options = parser.parse_args()
    all_limits, forms = options.limits or ["64,64,64", "16,32,48"], options.form or ["unrolled", "batched"]
    entries = json.loads((options.corpus / "index.json").read_text())
    entries = [entry for entry in entries if not options.only or entry["name"] in options.only]
    if not entries:
        parser.error("the corpus has no model of that name")
    results: dict[str, dict[str, dict[str, Result]]] = {form: defaultdict(dict) for form in forms}
    bad = 0
    for entry in entries:
        for form in forms:
            for limits in all_limits:
                start = time.perf_counter()
                result = attempt(options.corpus / entry["file"], entry["inputs"], limits, form)
                results[form][entry["name"]][limits] = result
                bad += result.crashed or bool(result.wrong)
                words = [
                    *result.cells(),
                    f"(all {time.perf_counter() - start:.1f} s)",
                    result.failure,
                    result.unverified,
                    *result.wrong,
                ]
                print(f"{entry['name']} {form} {limits}:", *words, flush=True)
    command = f"python benchmarks/corpus.py CORPUS {' '.join(f'--limits {each}' for each in all_limits)}"
    command += "".join(f" --form {form}" for form in forms)
    if options.out:
        options.out.write_text("\n".join(document(results, command)).rstrip() + "\n")
    print(f"{bad} of {len(entries) * len(forms) * len(all_limits)} are wrong or crashed")
    return int(bad > 0)


def attempt(path: Path, inputs: dict[str, Any], limits: str, form: str) -> Result:
    """`examine` with whatever it raises: an OnnxtileError is an answer, anything else is a crash."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return examine(path, inputs, limits, form, Path(folder))
        except onnxtile.OnnxtileError as error:
            return Result(failure=f"{type(error).__name__}: {error}")
        except Exception as error:
            traceback.print_exc()
            return Result(failure=f"CRASH: {type(error).__name__}: {error}", crashed=True)


if __name__ == "__main__":
    sys.exit(main())
