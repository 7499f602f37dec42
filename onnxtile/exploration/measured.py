"""Measured layers, as a CSV file has them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onnxtile.engine.product import Product, Window, result_of
from onnxtile.errors import OnnxtileError, UsageError, did_you_mean, unreadable

NEEDED = ("m", "k", "n", "cycles")
WINDOW = ("input", "kernel", "strides", "padding", "output")
"""Columns of a convolution: sizes along its spatial axes, such as 56x56; padding is that in front."""
COLUMNS = ("name", *NEEDED, "batch", "types", "result", *WINDOW, "dilations")
MOST_BYTES = 10_000_000
"""The largest file that is read."""
_SIZES = re.compile(r"\d{1,18}(x\d{1,18})*", re.ASCII)


@dataclass(frozen=True)
class Measured:
    """A layer: its product, and the cycles that it took."""

    name: str
    product: Product
    cycles: float


def read_measured(path: Path) -> list[Measured]:
    """Return the layers of a CSV file; columns that aren't among `COLUMNS` are passed over.

    Raises UsageError with the line, the fact and the cure.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(unreadable(path, error)) from error
    if len(content) > MOST_BYTES:
        raise UsageError(f"{path}: more than {MOST_BYTES:,} bytes aren't a table of layers")
    try:
        lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        names = [str(name).strip().lower() for name in lines.fieldnames or ()]
        rows = [(lines.line_num, dict(zip(names, row.values(), strict=False))) for row in lines]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} isn't CSV in UTF-8: {error}") from error
    missing = [name for name in NEEDED if name not in names]
    if missing:
        words = f"{path} has no column {missing[0]}: its first line names columns, {', '.join(NEEDED)} among them"
        raise UsageError(words + did_you_mean(missing[0], names))
    return [_layer(row, f"{path} line {number}") for number, row in rows]


def _layer(row: Mapping[str, str | None], place: str) -> Measured:
    cells = {name: (cell or "").strip() for name, cell in row.items() if isinstance(cell, str) or cell is None}
    m, k, n = (_whole(cells[name], name, place) for name in ("m", "k", "n"))
    batch = _whole(cells["batch"], "batch", place) if cells.get("batch") else 1
    try:
        cycles = float(cells["cycles"].replace("_", "?"))
    except ValueError:
        cycles = 0.0
    if not 0 < cycles < 1e18:
        raise UsageError(f"{place}: cycles is {cells['cycles']!r}: write how many the layer took, a number above 0")
    types = re.split(r"\s*[x*/, ]\s*|\s+by\s+", cells.get("types") or "int8")
    if len(types) > 2:
        raise UsageError(f"{place}: types is {cells['types']!r}: write those of A and B, such as int8 x int8")
    pair = (types[0], types[-1])
    try:
        window = _window(cells, k, place)
        product = Product(m, k, n, batch, pair, cells.get("result") or result_of(pair), window)
    except OnnxtileError as error:
        raise UsageError(f"{place}: {str(error).removeprefix(f'{place}: ')}") from error
    if product.empty:
        raise UsageError(f"{place}: a layer of {product} has nothing to multiply; leave it out")
    return Measured(cells.get("name") or f"{product}", product, cycles)


def _whole(text: str, name: str, place: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise UsageError(f"{place}: {name} is {text!r}: write a whole number")
    return int(text)


def _window(cells: Mapping[str, str], k: int, place: str) -> Window | None:
    """Return the window of a convolution; None where the layer has none of its columns."""
    if not any(cells.get(name) for name in WINDOW):
        return None
    sizes = {}
    for name in (*WINDOW, "dilations"):
        text = cells.get(name) or ("1" if name == "dilations" else "")
        if not _SIZES.fullmatch(text):
            words = f"{place}: {name} is {text!r}: write a size for each axis, such as 56x56"
            raise UsageError(f"{words}; a convolution has {', '.join(WINDOW)}")
        sizes[name] = tuple(map(int, text.split("x")))
    axes = len(sizes["kernel"])
    dilations = sizes["dilations"] if len(sizes["dilations"]) == axes else sizes["dilations"] * axes
    taps = 1
    for size in sizes["kernel"]:
        taps *= size
    return Window(
        k // max(taps, 1), sizes["input"], sizes["kernel"], sizes["strides"], dilations, sizes["padding"],
        sizes["output"],
    )  # fmt: skip
