"""Write docs/operations.md from the table of what operators compute: `python docs/operations.py`."""

from __future__ import annotations

from pathlib import Path

from onnxtile.operators.measures import ELEMENTS_OF
from onnxtile.operators.registry import DOMAINS
from onnxtile.operators.table import OPERATORS
from onnxtile.operators.work import KINDS, Work

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# What operators compute beside products

`profile` counts the multiply-accumulates of matrix products ([operators.md](operators.md)), and of every operator what
this page says, by kind:

- elementwise: additions, subtractions, multiplications, divisions, negations, absolute values, roundings, operations on
  bits and truth values;
- transcendental: exponentials, logarithms, powers, roots, trigonometric and hyperbolic functions and their inverses,
  error functions. A division isn't one: the line is that of XLA's cost analysis (`HandleElementwiseOp` in
  [hlo_cost_analysis.cc](https://github.com/openxla/xla/blob/main/xla/service/hlo_cost_analysis.cc));
- comparison: comparisons, minima and maxima;
- movement: elements copied, or filled in.

An operator of several steps is counted by its definition in the specification of its operator set: by what its function
body computes, where it has one.

- A sum of n elements is n - 1 additions, their maximum n - 1 comparisons, their mean n - 1 additions and a division.
- Numbers are counted whatever they are: a bias of zeros is added, a zero point of 0 subtracted, packed weights are
  unpacked in every run.
- What's done once for a whole tensor (a scale worked out of attributes) isn't counted, nor the arithmetic of shapes,
  indices and masks, nor copies and choices between two results inside an operator that computes something.
- Windows of pools and convolutions count whole at borders too, as XLA counts them, and sequences that differ in length
  as the longest.
- What depends on data is unknown, for the reason that stands here; it's never 0.

"""
LEGEND = """In the formulas, X and Y are how many elements the first input and the first output have, the name of
another input how many that one has, Y[1] output 1; names of attributes are their values. What has words in brackets
counts only where the input of that name is given, or what they say holds. An empty cell is 0.

"""
COLUMNS = ("operator", *KINDS)


def page() -> str:
    """The page as it should be."""
    parts = [HEAD, LEGEND, *(f"- {words}: {meaning}\n" for words, meaning in sorted(legend().items(), key=_lower))]
    for domain in DOMAINS:
        rows: dict[tuple[str, ...], list[str]] = {}
        for operator in sorted(operator for operator in OPERATORS if operator[0] == domain):
            rows.setdefault(cells(OPERATORS[operator].work), []).append(operator[1])
        lines = [_line((", ".join(names), *words)) for words, names in rows.items()]
        table = "\n".join([_line(COLUMNS), _line(["---"] * len(COLUMNS)), *lines])
        parts.append(f"\n## {domain or 'ai.onnx'}\n\n{table}\n")
    parts.append("\nWritten by `python docs/operations.py` from [the families' files](../onnxtile/operators).\n")
    return "".join(parts)


def cells(work: Work) -> tuple[str, ...]:
    """The work of each kind in words; what is unknown for the reason that the cell before has is only unknown."""
    words: list[str] = []
    for formula in work.formulas():
        text = str(formula)
        words.append("unknown" if text.startswith("unknown") and text in words else text)
    return tuple(words)


def legend() -> dict[str, str]:
    """Describe what formulas count by, beside elements of inputs and outputs; words of several meanings give all."""
    found: dict[str, dict[str, None]] = {}
    for facts in OPERATORS.values():
        for formula in facts.work.formulas():
            for each in formula.measures():
                if each.meaning not in ("", ELEMENTS_OF):
                    found.setdefault(each.words, {})[each.meaning] = None
    return {words: "; ".join(meanings) for words, meanings in found.items()}


def _lower(item: tuple[str, str]) -> str:
    return item[0].lower()


def _line(cells_: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells_)} |"


if __name__ == "__main__":
    PAGE.write_text(page())
