"""Writes the mutation table of docs/proof.md: who catches which deliberate fault in a lowered model, and locates it.

    python -m venv .peers && .peers/bin/pip install . onnxsim==0.8.1 z3-solver polygraphy
    .peers/bin/python benchmarks/mutations.py

onnxsim and polygraphy are taken from the environment that this runs in; their columns say so where they aren't there.
The faults are those of `tests/faults`, which the tests hold `onnxtile.verify` to.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the faults are among the tests

import onnxtile  # noqa: E402  # found by the line above, as the next are
from onnxtile.errors import OnnxtileError  # noqa: E402
from tests.faults import CASES, FAULTS, Fault, failing, feeds, run  # noqa: E402

PAGE = ROOT / "docs" / "proof.md"
BEGIN, END = "<!-- mutations: written by benchmarks/mutations.py -->", "<!-- end of mutations -->"
RTOL, ATOL = 1e-3, 1e-4
MILLISECONDS = 10_000
"""How long onnxsim may think about one pair of models, twice."""
CAUGHT, MISSED, UNDECIDED, CANNOT, ABSENT = "caught", "missed", "undecided", "can't run", "not installed"
Models = tuple[onnx.ModelProto, onnx.ModelProto]


def by_onnxtile(models: Models, fault: Fault | None = None, touched: set[str] = frozenset()) -> tuple[str, str]:
    """onnxtile.verify's word, and how near its suspects are to the nodes with the fault."""
    try:
        verdict = onnxtile.verify(*models)
    except OnnxtileError:
        return CANNOT, ""
    if verdict.equivalent or fault is None:
        return MISSED if verdict.equivalent else CAUGHT, ""
    regions = failing(verdict)
    suspects = [name for region in regions for name in region.where]
    place = next((number for number, name in enumerate(suspects, 1) if name in touched), None)
    if place is not None:
        return CAUGHT, f"{place} of {len(suspects)}"
    return CAUGHT, "layer" if any(region.name in fault.origin for region in regions) else ""


def by_certify(models: Models) -> str:
    """onnxsim.certify.certify of the two models: for any input, and for inputs within ranges; whichever says more.

    Local functions are inlined, as it knows none. It refutes, proves, or skips what it has no rule for.
    """
    from onnxsim.certify import certify

    inlined = [onnx.inliner.inline_local_functions(model) for model in models]
    boxes = {
        value.name: (-3.0, 3.0) if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT else (0.0, 255.0)
        for value in models[0].graph.input
    }
    words = set()
    for ranges in (None, boxes):
        try:
            report = certify(*inlined, input_ranges=ranges, timeout_ms=MILLISECONDS, total_timeout_ms=MILLISECONDS)
        except Exception:  # of many kinds, where it meets what it doesn't expect
            words.add(CANNOT)
            continue
        refuted = "refuted" in report.outputs.values()
        words.add(CAUGHT if refuted else MISSED if report.ok else UNDECIDED)
    return next(word for word in (CAUGHT, MISSED, UNDECIDED, CANNOT) if word in words)


def by_polygraphy(models: Models) -> str:
    """Do what `polygraphy run` does with --save-outputs and --load-outputs: onnxruntime, its inputs, its tolerances."""
    from polygraphy.backend.onnxrt import OnnxrtRunner, SessionFromOnnx
    from polygraphy.comparator import Comparator
    from polygraphy.logger import G_LOGGER

    G_LOGGER.module_severity = {"": G_LOGGER.CRITICAL}

    def agree(models: Models) -> bool:
        runners = [OnnxrtRunner(SessionFromOnnx(each.SerializeToString()), str(at)) for at, each in enumerate(models)]
        return bool(Comparator.compare_accuracy(Comparator.run(runners)))

    try:
        agree((models[0], models[0]))
    except Exception:  # its own, and onnxruntime's of many kinds: all mean the same here
        return CANNOT
    try:
        return MISSED if agree(models) else CAUGHT
    except Exception:  # the original runs, the lowered model doesn't: the user sees that
        return CAUGHT


def by_allclose(models: Models) -> str:
    """numpy.allclose of all outputs, on one input of normal numbers."""
    fed = feeds(models[0], seed=0)
    wanted = run(models[0], fed)
    try:
        got = run(models[1], fed)
    except Exception:  # engines raise types of their own; a lowered model that doesn't run is wrong
        return CAUGHT
    for one, other in zip(got, wanted, strict=True):
        p, q = one.astype(np.float64), other.astype(np.float64)
        if p.shape != q.shape or not np.allclose(p, q, RTOL, ATOL, equal_nan=True):
            return CAUGHT
    return MISSED


@dataclass(frozen=True)
class Peer:
    """Another way to compare two models. `judge` says caught (they differ), missed (they don't), or why neither."""

    title: str
    module: str
    judge: Callable[[Models], str]

    def __call__(self, models: Models) -> str:
        return self.judge(models) if find_spec(self.module) else ABSENT


PEERS = (
    Peer("onnxsim certify", "onnxsim", by_certify),
    Peer("polygraphy", "polygraphy", by_polygraphy),
    Peer("allclose", "numpy", by_allclose),
)
TITLES = ("onnxtile", *(peer.title for peer in PEERS))
INTRODUCTION = f"""
{len(FAULTS)} deliberate faults, each put into one of {len(CASES)} small models that were lowered right
(`tests/faults`). The models with the faults are valid and run, and each was shown to be wrong on some input, more than
ten times beyond what rounding does to the right one. "Hard" says why the usual comparisons don't get there.

- **onnxtile** is `onnxtile.verify(original, lowered)`. "At" is how near it comes to the fault: *k of n* if a node with
  the fault is the k-th of the n suspects that it names, *layer* if only the node of the original is named right.
- **onnxsim certify** is `onnxsim.certify.certify(original, lowered)`, once for any input and once for inputs from -3
  to 3 (bytes and whole numbers: 0 to 255), local functions inlined, whichever says more. It refutes, proves, or is
  *undecided*: it was made for what onnxsim does to models, has no rule for Split, Concat, Slice, ReduceSum, integers
  and bodies, and says so.
- **polygraphy** compares as `polygraphy run` does: onnxruntime, one input of its own (numbers from 0 to 1), its default
  tolerances (1e-5).
- **allclose** is numpy's, rtol {RTOL:g} and atol {ATOL:g}, on one input of normal numbers in onnxruntime
  (onnx.reference for bfloat16); free dimensions and turns of loops are 1.
"""


def table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """A row is: the fault, the model, where it's located, a word of each of TITLES, why it's hard."""
    yield f"| fault | in | {' | '.join(TITLES[:1])} | at | {' | '.join(TITLES[1:])} | hard |"
    yield "|" + "---|" * (len(TITLES) + 4)
    for title, case, place, own, *words, hard in rows:
        cells = [title, case, own, place, *words, hard]
        yield f"| {' | '.join(f'**{cell}**' if cell == MISSED else cell for cell in cells)} |"


def totals(rows: Sequence[tuple[str, ...]], right: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Count how often each tool said what, of the faults and of the right lowerings."""
    faults, hard = [row[3:-1] for row in rows], [row[3:-1] for row in rows if row[-1]]
    places = Counter(
        "first" if row[2].startswith("1 of") else "suspect" if " of " in row[2] else row[2] for row in rows
    )
    yield f"|  | {' | '.join(TITLES)} |"
    yield "|---|" + "---:|" * len(TITLES)
    yield _line(f"faults caught, of {len(faults)}", faults, CAUGHT)
    yield _line(f"hard ones among them, of {len(hard)}", hard, CAUGHT)
    for what, place in (("the first suspect", "first"), ("another suspect", "suspect"), ("the layer only", "layer")):
        yield f"| located: {what} | {places[place]} |{'  |' * len(PEERS)}"
    three = sum(row[2].split(" of ")[0] in ("1", "2", "3") for row in rows)
    yield f"| located: one of the first three suspects | {three} |{'  |' * len(PEERS)}"
    for word in (MISSED, UNDECIDED, CANNOT, ABSENT):
        if any(word in row for row in faults):
            yield _line(f"faults {word}", faults, word)
    yield _line(f"right lowerings that raised an alarm, of {len(right)}", right, CAUGHT)
    for word in (UNDECIDED, CANNOT):
        if any(word in row for row in right):
            yield _line(f"right lowerings {word}", right, word)


def _line(title: str, rows: Sequence[tuple[str, ...]], word: str) -> str:
    return f"| {title} | {' | '.join(str(column.count(word)) for column in zip(*rows, strict=True))} |"


def section() -> str:
    """The text between the marks."""
    right, rows = [], []
    for case in CASES:
        print(case.title, flush=True)
        models = (case.original, case.lowered)
        right.append((by_onnxtile(models)[0], *(peer(models) for peer in PEERS)))
    for fault in FAULTS:
        print(fault.title, flush=True)
        model, touched = fault.mutated()
        models = (fault.case.original, model)
        word, place = by_onnxtile(models, fault, touched)
        rows.append((fault.title, fault.case.title, place, word, *(peer(models) for peer in PEERS), fault.hard))
    others = [
        f"{package} {version(package)}"
        for package, module in (
            ("onnxsim", "onnxsim"), ("z3-solver", "z3"), ("polygraphy", "polygraphy"), ("onnxruntime", "onnxruntime"),
            ("onnx", "onnx"), ("numpy", "numpy"),
        ) if find_spec(module)
    ]  # fmt: skip
    made = f"onnxtile {onnxtile.__version__}, {', '.join(others)}"
    return "\n".join([INTRODUCTION.strip(), "", f"With {made}.", "", *table(rows), "", *totals(rows, right)])


def main() -> None:
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the lines {BEGIN} and {END}")
    PAGE.write_text(f"{before}{BEGIN}\n\n{section()}\n\n{END}{after}")


if __name__ == "__main__":
    main()
