"""Run original and lowered model on the same inputs and hold their difference against what rounding explains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.ir.dimensions import fed_inputs
from onnxtile.ir.graphs import Scope, all_graphs, count_nodes, scopes, subgraphs
from onnxtile.ir.io.interop import AnyModel, to_ir
from onnxtile.ir.io.load import carry_over, read_external_data
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.operators.contractions import contractions
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.inline import inlined
from onnxtile.passes.manager import PassManager
from onnxtile.verification.engines import ENGINES, Runner, first_that_runs, warning
from onnxtile.verification.expansion import write_out
from onnxtile.verification.inputs import Kind, feeds
from onnxtile.verification.opened import has_engine
from onnxtile.verification.roundoff import PHASE, shaken
from onnxtile.verification.sessions import EngineError
from onnxtile.verification.values import judge, worse
from onnxtile.verification.verdict import ValueVerdict

PHASES = (1e-30, -1e-30, 1.0e3, 1.7e4, 2.9e5)
"""Choices of signs that the bounds are tried with: all up, all down, and some as good as random."""


@dataclass(frozen=True)
class Plan:
    """Say how many cases to run from which seed, and hold values to take for some inputs, or all."""

    cases: int
    seed: int
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Hold a verdict for each output and each value inside; a reason where nothing could be compared."""

    engine: str
    cases: int
    outputs: tuple[ValueVerdict, ...]
    layers: tuple[ValueVerdict, ...]
    reason: str | None = None
    warning: str | None = None

    @property
    def equivalent(self) -> bool:
        return self.reason is None and all(value.equivalent for value in (*self.outputs, *self.layers))


def compare(
    original: AnyModel, lowered: AnyModel, plan: Plan, bind: Mapping[str, int], say: Progress = silent
) -> Comparison:
    """Run both models on random inputs, every other case of whole numbers.

    A value may differ by as much as it does when every product that the models compute differently is moved by its
    rounding bound (see roundoff); where one such product is itself an output, each element has its own bound, and that
    is a proof. Products of small whole numbers may not differ at all, nor anything where no product of floats changed.
    Values that rewritten nodes give are compared too, in the order of the graph: the first one outside its bound is
    where the models part.

    Free dimensions that `bind` doesn't fix are taken as 2. Raises ModelError, UnsupportedError (among them: neither
    engine runs the original).
    """
    say("read the models")
    first, second = (to_ir(model) for model in (original, lowered))
    _check_inputs(first, plan.inputs)
    PassManager([BindDims(bind)], check=False)(first)
    typed = inlined(first)
    for node in (node for graph in all_graphs(typed) for node in graph):
        if not (has_engine(node.domain) or node.op_identifier() in typed.functions):
            what = f"no engine has {node.op_type} of domain {node.domain}"
            cure = "give the model a function of that name, or the operator's declaration a body"
            raise UnsupportedError(f"{what}, so that it can't be run: {cure}")
    changed = write_out(typed, _changed(first, second) | _in_changed_functions(first, second, typed))
    moved = shaken(typed, changed)
    layers = _layers(typed, first, second)
    models = [_whole(model, layers) for model in (first, second, *([] if moved is None else [moved]))]
    work = _Work(plan, typed, layers, _proven(typed, changed), any(True for _ in contractions(typed)))
    nodes = max(count_nodes(first), count_nodes(second))
    try:
        found = first_that_runs(nodes, models, lambda engine: _compare(work, models, engine, say))
    except EngineError as error:
        cure = "give real inputs (--input FILE.npz) if made-up ones can't be right, or --bind other sizes"
        raise UnsupportedError(f"no engine runs the original: {error}; {cure}") from error
    return replace(found, warning=warning(*models))


@dataclass(frozen=True)
class _Work:
    """Inputs are made for `model`; `layers`: values inside that are compared; the bounds of those in `proven` hold
    element by element.
    """

    plan: Plan
    model: ir.Model
    layers: list[ir.Value]
    proven: set[str]
    products: bool


def _compare(work: _Work, models: list[onnx.ModelProto], engine: str, say: Progress) -> Comparison:
    """A lowered model that the engine doesn't run isn't equivalent; EngineError where that is the original."""
    say(f"load the models in {engine}")
    load, plan = ENGINES[engine], work.plan
    original, moved = load(models[0]), load(models[2]) if len(models) > 2 else None
    rng = np.random.default_rng(plan.seed)
    names = [str(value.name) for value in (*work.model.graph.outputs, *work.layers)]
    worst: list[ValueVerdict | None] = [None] * len(names)
    lowered: Runner | None = None
    # what any magnitude would do to sums is another matter: there, they needn't be compared
    kinds: list[Kind] = ["normal", "whole"] if moved or work.products else ["normal", "whole", "wide"]
    for case in range(plan.cases):
        kind = kinds[case % len(kinds)]
        say(f"case {case + 1} of {plan.cases} ({kind} numbers)", case, plan.cases)
        fed = feeds(work.model, kind, rng) | dict(plan.inputs)
        wanted = original(fed)
        shaken_ones = [moved({**fed, PHASE: np.array(phase, np.float32)}) for phase in PHASES] if moved else []
        try:
            lowered = lowered or load(models[1])
            got = lowered(fed)
        except EngineError as error:
            return Comparison(engine, case, (), (), f"{engine} runs the original but not the lowered model: {error}")
        for index, name in enumerate(names):
            others = [shaken[index] for shaken in shaken_ones]
            worst[index] = worse(worst[index], judge(name, wanted[index], got[index], others, name in work.proven))
    verdicts = [verdict for verdict in worst if verdict is not None]
    outputs = len(work.model.graph.outputs)
    return Comparison(engine, plan.cases, tuple(verdicts[:outputs]), tuple(verdicts[outputs:]))


def _layers(typed: ir.Model, first: ir.Model, second: ir.Model) -> list[ir.Value]:
    """Values that both models compute in their main graph, in order, but for outputs and what isn't a tensor."""
    names = [{str(value.name) for node in tape.graph for value in node.outputs} for tape in (first, second)]
    outputs = set(typed.graph.outputs)
    return [
        value
        for node in typed.graph
        for value in node.outputs
        if value.name in names[0] & names[1] and value not in outputs
        if value.dtype and isinstance(value.type, ir.TensorType)
    ]


def _check_inputs(model: ir.Model, inputs: Mapping[str, np.ndarray]) -> None:
    """Refuse values for inputs that the model doesn't have, or of another type; UsageError."""
    known = {str(value.name): value.dtype for value in fed_inputs(model)}
    for name, array in inputs.items():
        if name not in known:
            raise UsageError(f"input {name!r} isn't one of the model's: {', '.join(known)}")
        if known[name] is not None and ir.DataType.from_numpy(array.dtype) != known[name]:
            raise UsageError(f"input {name!r} is {array.dtype}, the model takes {known[name]}")


def _changed(first: ir.Model, second: ir.Model) -> set[tuple[str, str]]:
    """Values (scope, name) that the second model computes with another operator, or not at all."""
    made = [
        {
            (scope.name, str(value.name)): node.op_type
            for scope in scopes(model)
            for node in scope.graph
            for value in node.outputs
        }
        for model in (first, second)
    ]
    return {key for key, op_type in made[0].items() if made[1].get(key) != op_type}


def _in_changed_functions(first: ir.Model, second: ir.Model, inlined_first: ir.Model) -> set[tuple[str, str]]:
    """Values of the first model that its local functions compute, if the second model's aren't the same."""
    bodies = [
        {
            key: ir.serde.serialize_function(function, create_value_info=False)
            for key, function in model.functions.items()
        }
        for model in (first, second)
    ]
    if all(bodies[1].get(key) == body for key, body in bodies[0].items()):
        return set()
    outside = {made for scope in scopes(first) if not scope.in_function for made in _made(scope)}
    return {
        (scope, name)
        for graph_scope in scopes(inlined_first)
        for scope, name, op in _made(graph_scope)
        if (scope, name, op) not in outside
    }


def _made(scope: Scope) -> Iterator[tuple[str, str, str]]:
    """Scope, name and operator of every value that's computed there."""
    return ((scope.name, str(value.name), node.op_type) for node in scope.graph for value in node.outputs)


def _proven(model: ir.Model, changed: set[tuple[str, str]]) -> set[str]:
    """Values of changed products whose operands no other changed product bears on."""
    products = {
        found.node for found in contractions(model) if (found.scope, str(found.node.outputs[0].name)) in changed
    }
    touched: set[ir.Value] = set()
    proven = set()
    for node in model.graph:
        reached = any(value in touched for value in node.inputs) or bool(node.attributes and _holds_graphs(node))
        if node in products and not reached:
            proven.add(str(node.outputs[0].name))
        if reached or node in products:
            touched.update(node.outputs)
    return proven


def _holds_graphs(node: ir.Node) -> bool:
    return any(subgraphs(attribute) for attribute in node.attributes.values())


def _whole(model: ir.Model, layers: list[ir.Value]) -> onnx.ModelProto:
    """The model as protobuf with all of its weights inside, and with more outputs."""
    read_external_data(model)
    proto = ir.to_proto(model)
    carry_over(model, proto)
    for value in layers:
        assert value.dtype is not None
        proto.graph.output.append(onnx.helper.make_tensor_value_info(str(value.name), value.dtype.value, None))
    return proto
