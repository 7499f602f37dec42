"""Options that commands share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from onnxtile.cli import completion
from onnxtile.errors import UsageError, wrong_name

if TYPE_CHECKING:
    from onnxtile.tiling.limits import ProductLimits

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="The ONNX model file.")]
Max = Annotated[
    str | None,
    typer.Option(
        "--max",
        metavar="M,K,N",
        help="The engine's largest product; * where it has no limit. "
        "With :matmul behind, Conv, LSTM and others are written as products even where these are small enough.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="FILE|NAME",
        autocompletion=completion.engines,
        help="An engine's description, or a built-in one.",
    ),
]
Minimize = Annotated[
    Literal["cycles", "bytes", "calls"], typer.Option(help="With --engine: what tiles and orders are to cost least of.")
]
Ops = Annotated[
    str,
    typer.Option(
        "--ops",
        metavar="FAMILIES",
        autocompletion=completion.several_of(completion.families),
        help="Operator families: matmul, conv, rnn, attention, other.",
    ),
]
Bind = Annotated[
    list[str] | None,
    typer.Option(
        "--bind",
        metavar="NAME=INT,...",
        autocompletion=completion.sizes,
        help="Sizes of free dimensions; may be given several times.",
    ),
]
All = Annotated[bool, typer.Option("--all", help="List all products, those that fit and those not asked for too.")]
Only = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="STATUSES",
        autocompletion=completion.several_of(completion.statuses),
        help="List only these products: over, refused, unknown, tiled, split, vector, fits, not-asked.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")]


def _follow_links(follow: bool) -> bool:
    from onnxtile.ir.io.links import follow_links

    follow_links(follow)
    return follow


FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links",
        callback=_follow_links,
        help="Read data files that are links out of a model's folder.",
    ),
]
On = Annotated[
    str | None,
    typer.Option("--on", metavar="dask://HOST:PORT", help="A Dask cluster that computes; dask: one of this machine."),
]
Passes = Annotated[
    str,
    typer.Option(
        "--passes",
        metavar="PIPELINE",
        autocompletion=completion.passes,
        help="Passes: name,name{option=value}, module:Class, repeat{name,name}; or @FILE.toml.",
    ),
]
DumpAfter = Annotated[
    tuple[str, Path] | None,
    typer.Option(
        "--dump-after", metavar="PASS|all DIR", help="Write the model after this pass, or each, as DIR/NN-PASS.onnx."
    ),
]
TimePasses = Annotated[bool, typer.Option("--time-passes", help="Tell what each pass took, and did to the nodes.")]

_SIZE = re.compile(r" *([^ ,].*?)=([0-9]{1,19}),", re.DOTALL)


def limits_of(max: str | None, engine: str | None, minimize: Literal["cycles", "bytes", "calls"]) -> ProductLimits:
    """Return the limits of --max, or of --engine; UsageError where both are given, or neither."""
    from onnxtile.engine.given import limits_given

    if max is not None and engine is not None:
        raise UsageError("--max and --engine both say what the engine multiplies; give one of them")
    if max is None and engine is None:
        raise UsageError("what the engine multiplies isn't given: say --max M,K,N, or --engine FILE|NAME")
    return limits_given(max, engine, minimize)


def parse_bind(pairs: Sequence[str] | None) -> dict[str, int]:
    """Return sizes of free dimensions from NAME=INT, or several with commas between; UsageError for anything else.

    A comma behind a size ends it; others, and all signs of equality but the last, are the name's: exporters write
    formulas there.
    """
    sizes: dict[str, int] = {}
    for text in pairs or ():
        left = f"{text},"
        while left:
            one = _SIZE.match(left)
            if one is None:
                raise UsageError(f"--bind {text}: write NAME=INT, such as batch=1, or batch=1,seq=128")
            name, size, left = one[1], int(one[2]), left[one.end() :]
            if name in sizes:
                raise UsageError(f"--bind {text}: {name} is bound to {sizes[name]} already; give it once")
            sizes[name] = size
    return sizes


@dataclass(frozen=True)
class Listed:
    """Select the products a report lists: all, some statuses (`only`), or, without either, what isn't as it was."""

    everything: bool = False
    only: tuple[str, ...] = ()

    @classmethod
    def of(cls, everything: bool, only: str | None, json: bool) -> Listed:
        """Read --all and --only; UsageError for a status that there isn't, or for options that contradict."""
        if only is None:
            return cls(everything)
        for option, given in (("--all", everything), ("--json", json)):
            if given:
                raise UsageError(f"{option} lists all products, --only some; leave one of them out")
        from onnxtile.lowering.report import STATUSES

        names = tuple(name.strip() for name in only.split(","))
        for name in names:
            if name not in STATUSES:
                raise wrong_name(f"--only {name}", name, STATUSES)
        return cls(only=names)

    def includes(self, status: str) -> bool:
        if self.everything or self.only:
            return self.everything or status in self.only
        return status not in ("fits", "not-asked")
