"""Write docs/operators.md from the table of operators: `python docs/operators.py`."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

from onnxtile.operators.registry import DOMAINS, FAMILIES, Operator, Products
from onnxtile.operators.table import PRODUCTS
from onnxtile.tiling.legality import OPSETS

PAGE = Path(__file__).with_suffix(".md")
MADE_WITH = f"onnx {onnx.__version__} and onnxruntime {onnxruntime.__version__}"
HEAD = f"""# Operators that hold a matrix product

Each is brought to C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n]; `check` and `lower` speak of its M, K, N and
batch. What isn't sized is reported as unknown, with the reason given here. Names before a colon are the products of an
operator that has several.

A pass refuses, beside what its row says, K or N that isn't known (bind it with --bind), and opsets other than
{OPSETS[0]} to {OPSETS[-1]}. What is neither here nor among the
operators without a product ([operations.md](operations.md) has both), such as one of a foreign domain, is reported as
unknown, in the family `other`.

Written by `python docs/operators.py` from [the families' files](../onnxtile/operators); versions are those of
{MADE_WITH}.
"""
WHY = {
    "matmul": "isn't lowered yet",
    "conv": "isn't lowered yet: will be a product over K = channels / group x kernel",
    "rnn": "isn't lowered yet: will be a Scan over tiled products",
    "attention": "isn't lowered yet: has no function body in onnx",
    "other": "isn't a product of two operands: the operator makes a matrix itself, or hides what it does",
}
"""Why operators are only reported, where they have no reason of their own."""
COLUMNS = ("operator", "family", "versions", "products", "lowered by", "refused")


def page() -> str:
    """The page as it should be."""
    versions = versions_of()
    sections = []
    for domain in DOMAINS:
        here = [(operator, products) for operator, products in PRODUCTS.items() if operator[0] == domain]
        here.sort(key=lambda row: (FAMILIES.index(row[1].family), row[0]))
        lines = [_row(operator, products, versions.get(operator, [])) for operator, products in here]
        table = "\n".join(_line(cells) for cells in (COLUMNS, ["---"] * len(COLUMNS), *lines))
        sections.append(f"\n## {domain or 'ai.onnx'}\n\n{table}\n")
    return HEAD + "".join(sections)


def versions_of() -> dict[Operator, list[int]]:
    """Every version of every operator that onnx or onnxruntime registers."""
    found: dict[Operator, set[int]] = {}
    for schema in (*onnx.defs.get_all_schemas_with_history(), *get_all_operator_schema()):
        found.setdefault((schema.domain, schema.name), set()).add(schema.since_version)
    return {operator: sorted(versions) for operator, versions in found.items()}


def _row(operator: Operator, products: Products, versions: list[int]) -> list[str]:
    sizes = products.formula if products.sizes else products.reason
    lowered = f"`{products.lowered_by}`" if products.lowered_by else "reported only"
    refused = products.refused or ("" if products.lowered_by else WHY[products.family])
    return [operator[1], products.family, ", ".join(map(str, versions)), sizes, lowered, refused]


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page())
