"""Writes docs/torch_operators.md from torch's own catalogue of operators: `python docs/torch_operators.py`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from tests.torch_catalogue import UNSET, catalogue, judge, samples
from tests.torch_frontend.test_catalogue import COUNTS

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# torch's operators, as `profile` sees them

torch has a catalogue of its operators with samples for each (`op_db` in
`torch.testing._internal.common_methods_invocations`). All samples in float32 on the CPU were recorded as networks of
one operator, and held against a run that nobody watches: the same results, bit for bit, inputs as they are after that
run, and one run. `tests/torch_frontend/test_catalogue.py` does so for a part of them; for all, with
`HYPOTHESIS_PROFILE=long`.

"""
NOTES = """
- Results of {unset} aren't compared: they hold, or hold in part, whatever was in memory.
- torch computes some operators otherwise under any dispatch mode, be it one that does nothing: `svdvals` and
  `eigvalsh`, and what calls them, work out vectors as well, and differ in the last bits then. `profile` gives no
  results, so that doesn't matter to it.

## Products

Multiply-accumulates of {linear} agree with an independent count on every sample: the sum of products of ones, torch's
own `FlopCounterMode`, or the sizes written out. `outer`, `kron`, and `inner` and `vecdot` for some sizes are
multiplications of elements in torch, and additions of those, so they count as `elementwise`, not as products.

- A multiply-accumulate of complex numbers counts as one, whatever it's made of.
- Sparse and nested tensors: what their shapes don't tell is unknown, with the operator's name. Nested tensors in the
  layout `jagged` are made of plain ones, whose operators are counted.
- `torch.cond`, `while_loop` and `flex_attention` count as what they call in this run; other operators that call
  functions are unknown.
- Modules that run in threads of their own can't be seen, and such a network is refused.

## Unknown

What these compute beside moving numbers isn't known; their rows say so, and totals are lower bounds then:

"""


def page() -> str:
    """Go through the whole catalogue, and return the page."""
    counts: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for operator in catalogue():
        counts["operators"] += 1
        for call in samples(operator):
            found, _ = judge(operator, call)
            counts["samples"] += 1
            counts["crashes"] += found.macs is None
            counts["changed"] += bool(found.fault) and found.macs is not None
            counts["other kernels"] += found.other_kernels
            counts["formulas"] += any("its formula fails" in reason for reason in found.reasons)
            counts["unknown"] += bool(found.unknown)
            unknown.update(set(found.unknown))
    rows = [
        ("operators", counts["operators"]), ("samples", counts["samples"]), ("crashes", counts["crashes"]),
        ("results or inputs changed, or more than one run", counts["changed"]),
        ("computed otherwise by torch under any dispatch mode", counts["other kernels"]),
        ("formulas that fail", counts["formulas"]),
        ("samples with an operator whose products are unknown", counts["unknown"]),
        ("operators whose products are unknown", len(unknown)),
    ]  # fmt: skip
    table = "\n".join(["| | |", "|---|---:|", *(f"| {words} | {count:,} |" for words, count in rows)])
    notes = NOTES.format(unset=_listed(UNSET), linear=_listed(COUNTS))
    names = ", ".join(f"`{name}`" for name in sorted(unknown))
    written = f"\nWritten by `python docs/torch_operators.py` with torch {torch.__version__.partition('+')[0]}.\n"
    return f"{HEAD}{table}\n{notes}{names}\n{written}"


def _listed(names: object) -> str:
    return ", ".join(f"`{name}`" for name in names)  # type: ignore[attr-defined]  # a tuple or a dict


if __name__ == "__main__":
    PAGE.write_text(page())
