"""Lower every model of a corpus, check each result from outside, and write a table of what came out.

    python benchmarks/corpus.py CORPUS [--limits 64,64,64 ...] [--form unrolled ...] [--only NAME ...] [--shapeless]
                                       [--out FILE]

CORPUS is a folder of models with an `index.json`: a list of {"name", "file", "inputs"}. `inputs` maps each input of a
model to {"dtype", "shape"} and, where it isn't to be N(0, 1) (integers: 0 or 1), to "scale" (N(0, scale)), "low" and
"high" (whole numbers from low to high - 1) or "value" (a constant). Free dimensions are bound to those shapes.

A result is wrong where it differs from the original by more than `onnxtile.verify` allows (on its own inputs or on
those of the index), isn't valid, holds a product over the limits that the report doesn't list as refused, or isn't the
same bytes the second time. With `--shapeless` the models' outputs lose their shapes first, as some exporters leave them
out. The exit status is 1 if a result is wrong or anything but an OnnxtileError is raised.
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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

import onnxtile
from onnxtile.ir.dimensions import fed_inputs, free_dimensions, name_free_dimensions
from onnxtile.ir.io.load import load
from onnxtile.verification.engines import ENGINES, preferred

INTRODUCTION = """
Every model is lowered with its free dimensions bound to the sizes of its inputs. For each size of the engine (M,K,N):

- **products**: how many were cut into tiles / fit as they were / were refused and left as they are (reasons below);
- **nodes**: of the result, those inside If, Loop and Scan included;
- **error**: how much the result's outputs differ from the original's, where that comes nearest to what rounding
  explains, and how much of it that is; *exact*: no bit differs;
- **s**: seconds from file to file, the better of two.

Each result was run beside its original, passed onnx's checker, was the same bytes the second time, and had its products
measured anew by onnx's own shape inference, as far as that can size them.
"""
Shapes = dict[str, list[int | None]]


OPS = "matmul,attention"
"""Families that are lowered."""


@dataclass
class Result:
    """Hold the outcome for one model at one size in one form. `wrong` is empty where all is well."""

    ops: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    nodes: int = 0
    seconds: float = float("inf")
    error: float = 0.0
    share: float = 0.0
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def cells(self) -> list[str]:
        if not self.nodes:
            return ["**not lowered**", "", "", ""]
        counts = " / ".join(str(self.statuses[status] or "-") for status in ("tiled", "fits", "refused"))
        error = "**wrong**" if self.wrong else f"{self.error:.0e} ({self.share:.2g} %)" if self.error else "exact"
        return [counts, f"{self.nodes:,}", error, f"{self.seconds:.1f}"]


def examine(path: Path, inputs: dict[str, Any], limits: str, form: str, shapeless: bool = False) -> Result:
    """Lower one model and check the result. An OnnxtileError is an answer; anything else that's raised is a crash."""
    result = Result()
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = without_shapes(path, Path(folder)) if shapeless else path
            _examine(path, inputs, limits, form, Path(folder), result)
        except onnxtile.OnnxtileError as error:
            result.notes.append(f"not lowered: {type(error).__name__}: {error}")
        except Exception as error:
            traceback.print_exc()
            result.wrong.append(f"CRASH: {type(error).__name__}: {error}")
    return result


def _examine(path: Path, inputs: dict[str, Any], limits: str, form: str, folder: Path, result: Result) -> None:
    bind, files = sizes(path, inputs), [folder / "lowered.onnx", folder / "again.onnx"]
    for file in files:
        start = time.perf_counter()
        report = onnxtile.lower(path, limits, ops=OPS, form=form, bind=bind, output=file)
        result.seconds = min(result.seconds, time.perf_counter() - start)
    rows = [row for row in report.contractions if row.status != "not-asked"]
    left = [row for row in rows if row.status not in ("tiled", "fits")]
    result.nodes = report.nodes_after
    result.ops.update(row.op for row in rows)
    result.statuses.update(row.status for row in rows)
    result.notes += [f"{row.status}: {row.op}: {row.reason}" for row in left]
    if files[0].read_bytes() != files[1].read_bytes():
        result.wrong.append("lowering again gives other bytes")
    refused = [checker_says(each) for each in (path, files[0])]
    if refused[1] and refused[1] != refused[0]:
        result.wrong.append(f"the checker refuses it: {refused[1]}")
    held = Counter(node.op_type for _, node in products(onnx.load(path, load_external_data=False).graph, {}))
    if any(result.ops[op] != held[op] for op in ("MatMul", "Gemm")):
        result.wrong.append(f"the model holds {dict(held)}, the report says {dict(result.ops)}")
    check_limits(files[0], limits, {row.name for row in left}, result)
    check_equivalence(path, files[0], bind, inputs, result)


def checker_says(path: Path) -> str | None:
    """Return why onnx's checker refuses a file; None: it doesn't."""
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        return str(error)
    return None


def without_shapes(path: Path, folder: Path) -> Path:
    """Write the model to the folder, with all of its weights in it, and without the shapes of its outputs."""
    model = onnx.load(path)
    for output in model.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")
    onnx.save(model, folder / "shapeless.onnx")
    return folder / "shapeless.onnx"


def sizes(path: Path, inputs: dict[str, Any]) -> dict[str, int]:
    """Bind the model's free dimensions to the sizes that the index gives."""
    model = load(path)
    name_free_dimensions(model)
    shapes = [(value.shape or (), inputs[str(value.name)]["shape"]) for value in fed_inputs(model)]
    found = {str(dim): size for dims, given in shapes for dim, size in zip(dims, given, strict=True)}
    return {name: found[name] for name in free_dimensions(model) if name in found}


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


def check_limits(lowered: Path, limits: str, left: set[str], result: Result) -> None:
    """Hold every product that onnx's own shape inference can size against the limits, but those that were `left`."""
    model = onnx.shape_inference.infer_shapes(onnx.load(lowered), data_prop=True)
    unsized, caps = 0, [float("inf") if limit == "*" else int(limit) for limit in limits.split(",")]
    for shapes, node in products(model.graph, {}):
        a, b = (shapes.get(name) or [None, None] for name in node.input[:2])
        transposed = {attribute.name for attribute in node.attribute if attribute.i}
        m, k = ([1, *a] if len(a) == 1 else a)[-2:][:: -1 if "transA" in transposed else 1]
        n = ([*b, 1] if len(b) == 1 else b)[-2:][0 if "transB" in transposed else 1]
        unsized += None in (m, k, n)
        over = [size is not None and size > cap for size, cap in zip((m, k, n), caps, strict=True)]
        if any(over) and not left & {node.name, node.output[0]}:
            result.wrong.append(f"{node.op_type} {node.name!r} is {m} x {k} x {n}")
    if unsized:
        result.notes.append("onnx's shape inference can't size all products of the result")


def check_equivalence(path: Path, lowered: Path, bind: dict[str, int], inputs: dict[str, Any], result: Result) -> None:
    """Run both models; what may differ is what rounding explains, and `verify` must prove them equivalent."""
    feeds, names = feed(inputs), [output.name for output in onnx.load(path, load_external_data=False).graph.output]
    allowed = dict.fromkeys(names, float("inf") if result.statuses["tiled"] else 0.0)
    found = []
    try:
        verdict = onnxtile.verify(path, lowered, bind=bind)
        wrong = [f"{each.op} {each.name!r}: {each.reason}" for each in verdict.regions if not each.equivalent]
        if not verdict.equivalent:
            result.wrong.append(f"verify: {verdict.reason or wrong}")
        bounds = onnxtile.verify(path, lowered, bind=bind, method="bound", cases=2)
        allowed |= {output.name: output.allowed for output in bounds.outputs}
        found = [(output.name, output.max_abs_error) for output in bounds.outputs]
    except onnxtile.UnsupportedError:
        result.notes.append("`verify` can't make up inputs that the model runs on; compared on those of the index only")
    engine = ENGINES[preferred(result.nodes)[0]]
    before, after = (list(map(np.asarray, engine(onnx.load(each))(feeds))) for each in (path, lowered))
    found += [(name, difference(y, z)) for name, y, z in zip(names, before, after, strict=True)]
    for name, error in found:
        share = 100 * error / allowed[name] if allowed[name] else 0.0
        result.share, result.error = max((result.share, result.error), (share, error))
        if not error <= allowed[name]:
            result.wrong.append(f"output {name!r} differs by {error:.2g}; {allowed[name]:.2g} is allowed")


def difference(y: np.ndarray, z: np.ndarray) -> float:
    if y.shape != z.shape or y.dtype != z.dtype:
        return float("inf")
    if y.dtype.kind != "f":
        return 0.0 if np.array_equal(y, z) else float("inf")
    return 0.0 if np.array_equal(y, z, equal_nan=True) else float(np.abs(y.astype(float) - z.astype(float)).max())


def feed(inputs: dict[str, Any], seed: int = 0) -> dict[str, np.ndarray]:
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


def document(results: dict[str, dict[str, dict[str, Result]]], command: str) -> Iterator[str]:
    """The page, line by line; `results` are by form, model and limits."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    machine = f"{names[0].partition(': ')[2] if names else platform.machine()}, {os.cpu_count()} cores"
    versions = ", ".join(f"{each.__name__} {each.__version__}" for each in (onnxtile, onnx, onnxruntime, np))
    yield "# Real models, lowered\n"
    yield f"Written by `{command}` with {versions}, Python {platform.python_version()}; {machine}."
    yield INTRODUCTION
    places: dict[str, dict[str, None]] = defaultdict(dict)
    for form, models in results.items():
        limits = list(next(iter(models.values())))
        titles = [title for each in limits for title in (f"{each}: products", "nodes", "error", "s")]
        yield f"## Form {form}\n"
        yield f"| model | matrix products | {' | '.join(titles)} |"
        yield f"| --- | --- |{' ---: |' * len(titles)}"
        for name, found in models.items():
            ops = next((each.ops for each in found.values() if each.ops), Counter[str]())
            held = ", ".join(f"{count} {op}" for op, count in ops.items()) or "none"
            yield f"| {' | '.join([name, held, *(cell for each in found.values() for cell in each.cells())])} |"
            for each in (note for result in found.values() for note in result.wrong + result.notes):
                places[each][name] = None
        yield ""
    yield "## Notes\n"
    yield from (f"- {', '.join(where)}: {each}" for each, where in places.items())


def main() -> int:
    parser = argparse.ArgumentParser(description="Lower every model of a corpus and check each result from outside.")
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="folder with index.json")
    parser.add_argument("--limits", action="append", metavar="M,K,N", help="64,64,64 and 16,32,48 by default")
    parser.add_argument("--form", action="append", help="unrolled and batched by default")
    parser.add_argument("--only", action="append", metavar="NAME", help="this model; may be given several times")
    parser.add_argument(
        "--shapeless", action="store_true", help="take the shapes of all outputs out of the models first"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table to this Markdown file")
    options = parser.parse_args()
    sizes, forms = options.limits or ["64,64,64", "16,32,48"], options.form or ["unrolled", "batched"]
    entries = json.loads((options.corpus / "index.json").read_text())
    entries = [entry for entry in entries if not options.only or entry["name"] in options.only]
    if not entries:
        parser.error("the corpus has no model of that name")
    results: dict[str, dict[str, dict[str, Result]]] = {form: defaultdict(dict) for form in forms}
    bad = 0
    for entry, form, limits in ((e, f, s) for e in entries for f in forms for s in sizes):
        start = time.perf_counter()
        result = examine(options.corpus / entry["file"], entry["inputs"], limits, form, options.shapeless)
        results[form][entry["name"]][limits] = result
        bad += bool(result.wrong)
        took = f"[{time.perf_counter() - start:.1f} s with checks]"
        print(entry["name"], form, limits, *result.cells(), took, *result.wrong, *dict.fromkeys(result.notes), sep="  ")
    if options.out:
        command = " ".join(
            [
                "python benchmarks/corpus.py CORPUS",
                *(f"--limits {s}" for s in sizes),
                *(f"--form {f}" for f in forms),
                *["--shapeless"] * options.shapeless,
            ]
        )
        options.out.write_text("\n".join(document(results, command)) + "\n")
    print(f"{bad} of {len(entries) * len(forms) * len(sizes)} results are wrong, or none came")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
