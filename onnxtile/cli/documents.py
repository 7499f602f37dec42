"""Documents that `--json` prints, by the names of schemas: a class for each, from whose types the JSON Schema follows.

docs/reports.md says what each member is.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

from onnxtile.api.draw import DrawingFile
from onnxtile.api.report import ReportFile
from onnxtile.debugging.capture.report import CaptureReport
from onnxtile.engine.assumptions import Assumed
from onnxtile.engine.summary import Peak
from onnxtile.exploration.fit import Fitted
from onnxtile.exploration.results import Sweep
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.lowering.convolution_costs import ConvolutionCost
from onnxtile.lowering.form_costs import Cost
from onnxtile.lowering.report import Row
from onnxtile.profiling.comparison import Comparison
from onnxtile.profiling.conventions.first_io import FirstIoRow
from onnxtile.profiling.engine_comparison import EngineComparison
from onnxtile.profiling.engine_costs import EngineProfile, LayerGroup
from onnxtile.profiling.results import Group, NodeProfile, Totals
from onnxtile.profiling.summary import ModelFacts
from onnxtile.torch_frontend.tree_results import Tree
from onnxtile.verification.verdict import Verdict


class MaxLimits(TypedDict):
    """Limits of --max; null: an axis has none. `only_matmul`: what isn't a product itself is over, too."""

    m: int | None
    k: int | None
    n: int | None
    only_matmul: bool


class LimitsOfEngine(TypedDict):
    """Limits of --engine: its name, and what tiles were chosen by."""

    engine: str
    minimize: Literal["cycles", "bytes", "calls"]


class UseOfAll(TypedDict):
    """The use that products within the limits make of the engine; `of_macs`: multiply-accumulates of all products."""

    calls: Amount
    macs: Amount
    padded_macs: Amount
    padding: Amount
    utilization: float | None
    of_macs: Amount


class _Judged(TypedDict):
    limits: MaxLimits | LimitsOfEngine
    over: int
    unknown: int
    nodes_before: int
    engine: UseOfAll
    contractions: list[Row]
    version: str
    input: str


class Check(_Judged):
    """Print of `check`: every product against the limits."""

    schema: Literal["onnxtile.check/1"]
    nodes_after: int


class PassRun(TypedDict):
    """A pass that ran; `share`: of the seconds of all passes."""

    name: str
    seconds: float
    modified: bool
    nodes_before: int
    nodes_after: int
    share: float


class _Lowering(_Judged):
    macs: Amount
    padded_macs: Amount
    form: str | None
    weights: str | None


class Lower(_Lowering):
    """Print of `lower`: what became of every product, and where the result is."""

    schema: Literal["onnxtile.lower/1"]
    nodes_after: int
    output: str | None
    verify: NotRequired[Verdict]
    verify_torch: NotRequired[Verdict]
    passes: NotRequired[list[PassRun]]


class Estimate(_Lowering):
    """Print of `lower --dry-run`: what each form and each way to write convolutions would cost."""

    schema: Literal["onnxtile.estimate/1"]
    nodes_after: None
    dry_run: Literal[True]
    forms: list[Cost]
    convolutions: list[ConvolutionCost]


class Recheck(TypedDict):
    """Print of `verify --recheck`: whether a certificate holds; `verdict` is null where files aren't those in it."""

    schema: Literal["onnxtile.recheck/1"]
    holds: bool
    differences: list[str]
    verdict: Verdict | None


class PtflopsTotals(TypedDict):
    """Figures of ptflops for the model, whose activations are functions, or modules."""

    activation_functions: Amount
    activation_modules: Amount


class Profile(TypedDict):
    """Print of `profile`. `engine` is there with --engine, `groups` and `by` with --by."""

    schema: Literal["onnxtile.profile/1"]
    convention: Literal["macs", "ptflops"]
    totals: Totals
    symbols: dict[str, str]
    nodes: list[NodeProfile]
    engine: NotRequired[EngineProfile]
    ptflops_prints: NotRequired[PtflopsTotals]
    groups: NotRequired[list[Group | LayerGroup]]
    by: NotRequired[Literal["op", "module", "origin", "scope"]]


class Against(TypedDict):
    """Print of `profile --against`."""

    schema: Literal["onnxtile.profile-against/1"]
    against: Comparison


class EngineAgainst(TypedDict):
    """Print of `profile --engine --against`."""

    schema: Literal["onnxtile.profile-engine-against/1"]
    engine: EngineComparison


class Summary(TypedDict):
    """Print of `profile --summary`."""

    schema: Literal["onnxtile.profile-summary/1"]
    summary: ModelFacts


class FirstIo(TypedDict):
    """Print of `profile --view first-io`: bytes."""

    schema: Literal["onnxtile.profile-first-io/1"]
    view: Literal["first-io"]
    rows: list[FirstIoRow]
    totals: dict[str, int]


class Annotate(TypedDict):
    """Print of `annotate`. `unknown`: nodes of which an amount isn't known, or only from below."""

    schema: Literal["onnxtile.annotate/1"]
    output: str
    cleared: bool
    changed: bool
    nodes: int
    unknown: int


class RunOfPass(PassRun):
    """A pass that ran. `unreported`: it changed the model and said that it didn't, as --verify-each found."""

    verified: bool
    unreported: bool


class Run(TypedDict):
    """Print of `run`."""

    schema: Literal["onnxtile.run/1"]
    output: str
    nodes: int
    passes: list[RunOfPass]


Reduce = TypedDict(
    "Reduce",
    {
        "schema": Literal["onnxtile.reduce/1"], "fails": bool, "pass": "str | None", "pipeline": "str | None",
        "failure": "str | None", "nodes_before": "int | None", "inputs_fail": "bool | None", "cuts": "int | None",
        "nodes": "list[str] | None", "output": NotRequired["str | None"], "versions": NotRequired[dict[str, str]],
    },
)  # fmt: skip
Reduce.__doc__ = (
    "Print of `reduce`; where nothing fails all else is null. `report.json` has no `output`, but `versions`."
)


class PassFacts(TypedDict):
    """A pass, the names of its options, and what each takes."""

    name: str
    summary: str
    options: list[str]
    takes: dict[str, str]


class Passes(TypedDict):
    """Print of `passes`."""

    schema: Literal["onnxtile.passes/1"]
    passes: list[PassFacts]


class EngineCheck(TypedDict):
    """Print of `engine check`: what is assumed, and what is odd."""

    schema: Literal["onnxtile.engine-check/1"]
    name: str
    assumed: list[Assumed]
    remarks: list[str]


class Engine(TypedDict):
    """Print of `engine show`: the fields as `engine schema` describes them, and what the engine does at most."""

    schema: Literal["onnxtile.engine/1"]
    engine: dict[str, Any]
    peak: list[Peak]


class Engines(TypedDict):
    """Print of `engine list`."""

    schema: Literal["onnxtile.engines/1"]
    engines: list[Engine]


class EngineNew(TypedDict):
    """Print of `engine new`: the file, and the name that the engine in it has."""

    schema: Literal["onnxtile.engine-new/1"]
    output: str
    name: str


class Schemas(TypedDict):
    """Print of `schema` without a name: all names."""

    schema: Literal["onnxtile.schemas/1"]
    schemas: list[str]


_HERE: tuple[type, ...] = (
    Check, Lower, Estimate, Recheck, Profile, Against, EngineAgainst, Summary, FirstIo, Annotate, Run, Reduce,
    Passes, EngineCheck, Engine, Engines, EngineNew, Schemas,
)  # fmt: skip

_RECORDS: tuple[type, ...] = (Verdict, Tree, CaptureReport, Sweep, Fitted, DrawingFile, ReportFile)


def documents() -> dict[str, type]:
    """Return the class of each schema's document by the schema's name, in alphabetical order."""
    from onnxtile.ir.json_schema import typed_members

    found = {typed_members(cls)["schema"].__args__[0]: cls for cls in (*_HERE, *_RECORDS)}
    return dict(sorted(found.items()))
