"""Walk through a model in the order in which its nodes run, and count what each costs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from onnxtile.ir.attributes import node_name
from onnxtile.ir.dimensions import free_dimensions
from onnxtile.ir.graphs import Scope, default_opset, subgraphs
from onnxtile.ir.metadata import ORIGIN, TILE
from onnxtile.ir.symbolic.amounts import (
    Amount,
    Range,
    Unknown,
    amount_of,
    are_numbers,
    difference,
    either,
    is_known,
    known_total,
    largest,
    names_in,
    product,
    total,
)
from onnxtile.operators.contractions import contractions_of
from onnxtile.operators.signatures import signature
from onnxtile.operators.sizes import value_bytes
from onnxtile.operators.table import operations_of
from onnxtile.operators.trip_counts import Trips, boolean
from onnxtile.profiling.comparison import adds_partial_products
from onnxtile.profiling.constant_inputs import NONE, Constants
from onnxtile.profiling.engine_costs import EngineProfile
from onnxtile.profiling.formatting import attribute_text, value_text
from onnxtile.profiling.liveness import Liveness, plus
from onnxtile.profiling.results import SUMMED, NodeProfile, Profile, Totals, Weights, sum_weights

_TORCH_SCOPES = "pkg.torch.onnx.name_scopes"
"""Metadata in which torch's exporter says which module a node belongs to."""
Rows = Iterator[tuple[ir.Node, NodeProfile]]
OnEngine = Callable[[ir.Model, Sequence[tuple[ir.Node, NodeProfile]]], EngineProfile]
"""Returns what the nodes of a model take on an engine."""
MacsOf = Callable[[ir.Node, "int | None"], Amount]
"""Returns what another convention counts for a node of a default opset, instead of its products."""


class _Sums(dict[str, list[Amount]]):
    """The amounts of one run of a graph that aren't 0, by name, not yet added."""

    def __init__(self) -> None:
        super().__init__({name: [] for name in (*SUMMED, "activation_bytes")})

    def add(self, amounts: Mapping[str, Amount]) -> None:
        for name, added in self.items():
            amount = amounts.get(name, 0)
            if amount != 0:
                added.append(amount)

    def totals(self) -> dict[str, Amount]:
        return {name: total(amounts) for name, amounts in self.items()}


@dataclass
class _Run:
    """The runs of a graph: how many, the bytes that are alive around it, and what one of them costs."""

    scope: Scope
    times: Amount
    around: Amount
    liveness: Liveness
    sums: _Sums = field(default_factory=_Sums)

    @property
    def opset(self) -> int | None:
        return default_opset(self.scope.opsets)

    def name_inside(self, node: ir.Node) -> str:
        """Return the name of the scope inside a node."""
        return f"{self.scope.name}/{node_name(node)}" if self.scope.name else node_name(node)


class CostWalk:
    """A walk through a model, which can be made once; afterwards it knows the totals."""

    def __init__(self, model: ir.Model, macs_of: MacsOf | None = None, details: bool = False) -> None:
        self._model = model
        self._macs_of = macs_of
        self._details = details
        self.constants = Constants(statistics=macs_of is None)
        free = free_dimensions(model)
        self._trips = Trips(model.graph, free)
        self._symbols = dict.fromkeys(free, "a free dimension of the model's inputs")
        self._nodes = 0
        self._sizes: dict[ir.Value, Amount] = {}
        self._equal: dict[tuple[int | None, Hashable | None], Mapping[str, Amount]] = {}
        self._live: set[Amount] = {0}
        self._streamed: set[Amount] = {0}
        self._moved: set[Amount] = {0}
        self._main = self._run(Scope("", model.opset_imports, model.graph), 1, 0)

    def rows(self) -> Rows:
        """Yield every node of the main graph and of the graphs within it, each before what is inside it."""
        return self._visit_graph(self._main)

    def totals(self) -> Totals:
        """Return all rows together; to be called after the walk."""
        weights = sum_weights(list(self.constants.used.values()))
        return Totals(
            **self._main.sums.totals(), params=weights.params, buffers=weights.buffers, weight_bytes=weights.bytes,
            nodes=self._nodes, peak_bandwidth=largest(self._moved),
            peak_live_bytes=total([largest(self._live), weights.bytes]),
            peak_live_bytes_streamed=largest(self._streamed),
        )  # fmt: skip

    def symbols(self, totals: Totals) -> dict[str, str]:
        """Return what the symbols in formulas stand for."""
        known = self._symbols | self._trips.symbols
        names = {name for field in dataclasses.fields(totals) for name in names_in(getattr(totals, field.name))}
        return known | dict.fromkeys(sorted(names - known.keys()), "a size that is known only at run time")

    def _run(self, scope: Scope, times: Amount, around: Amount, owned: Collection[ir.Value] = ()) -> _Run:
        return _Run(scope, times, around, Liveness(scope.graph, self._size, owned))

    def _visit_graph(self, run: _Run) -> Rows:
        for node in run.scope.graph:
            yield from self._visit(node, run)

    def _visit(self, node: ir.Node, run: _Run) -> Rows:
        """Yield the node's row, then the rows of what runs inside it."""
        self._nodes += 1
        function = self._model.functions.get(node.op_identifier())
        if self.constants.stores(node):
            yield node, self._stored_row(node, run)
        elif function is not None:
            inside = self._run_of_call(node, function, run)
            yield node, self._call_row(node, run)
            yield from self._visit_call(node, function, run, inside)
        else:
            row = self._operator_row(node, run)
            yield node, row
            if any(map(subgraphs, node.attributes.data.values())):
                yield from self._visit_bodies(node, run, row.live_bytes)

    def _stored_row(self, node: ir.Node, run: _Run) -> NodeProfile:
        """Return the row of a node that only holds a constant."""
        self.constants.meet(node)
        live = plus(run.around, run.liveness.run(node, stores=True))
        amounts = {"calls": self._calls(node, run.scope), **self._bytes_moved(node)}
        return self._row(node, run, live, amounts, stored=True)

    def _call_row(self, node: ir.Node, run: _Run) -> NodeProfile:
        """Return the row of a call: what goes in and out is moved by the nodes of the function."""
        self.constants.meet(node, called=True)
        live = plus(run.around, run.liveness.run(node))
        return self._row(node, run, live, {"calls": self._calls(node, run.scope)})

    def _operator_row(self, node: ir.Node, run: _Run) -> NodeProfile:
        """Return the row of an operator, and count it."""
        weights, constants = self.constants.meet(node)
        live = plus(run.around, run.liveness.run(node))
        amounts = {"calls": self._calls(node, run.scope), **self._bytes_moved(node)}
        if self._macs_of is not None:  # another convention counts all in one
            amounts["macs"] = self._macs_of(node, run.opset)
        else:
            amounts |= self._computed(node, run)
            if adds_partial_products(node, bool(run.scope.name)):
                amounts["partial_sums"] = amounts["elementwise"]
        kept = amounts["output_bytes"] if len(node.outputs) == 1 else self._bytes(_kept(node))
        run.sums.add({**amounts, "activation_bytes": kept})
        if run.times != 0:
            self._moved.add(plus(amounts["input_bytes"], amounts["output_bytes"]))
            self._live.add(live)
            self._streamed.add(plus(live, weights.bytes))
        return self._row(node, run, live, amounts, weights=weights, constants=constants)

    def _row(
        self, node: ir.Node, run: _Run, live: Amount, amounts: Mapping[str, Amount], *, weights: Weights = NONE,
        constants: tuple[str, ...] = (), stored: bool = False,
    ) -> NodeProfile:  # fmt: skip
        """Return a row of `amounts` in one run."""
        notes, times = node.metadata_props, run.times
        fields: dict[str, Any] = dict(amounts)
        if times != 1:
            fields = {name: product([times, amount]) for name, amount in amounts.items()}
        if self._details:
            fields |= _details(node)
        return NodeProfile(
            name=node_name(node), op=node.op_type, domain=node.domain, scope=run.scope.name, module=module_of(node),
            origin=notes.get(ORIGIN), tile=notes.get(TILE), stored=stored, times=times, live_bytes=live,
            params=weights.params, buffers=weights.buffers, weight_bytes=weights.bytes, constants=constants,
            **fields,
        )  # fmt: skip

    def _size(self, value: ir.Value) -> Amount:
        size = self._sizes.get(value)
        if size is None:
            size = self._sizes[value] = value_bytes(value)
        return size

    def _bytes(self, values: Sequence[ir.Value | None]) -> Amount:
        """Return the bytes of values, each counted once."""
        sizes = [self._size(value) for value in dict.fromkeys(values) if value is not None]
        return sizes[0] if len(sizes) == 1 else known_total(sizes)

    def _bytes_moved(self, node: ir.Node) -> dict[str, Amount]:
        return {"input_bytes": self._bytes(node.inputs), "output_bytes": self._bytes(node.outputs)}

    def _computed(self, node: ir.Node, run: _Run) -> Mapping[str, Amount]:
        """Return what a node computes, worked out once for nodes that are equal but for names."""
        key = (run.opset, signature(node, (*node.inputs, *node.outputs)))
        computed = self._equal.get(key)
        if computed is None:
            computed = {"macs": self._macs(node, run.scope), **vars(operations_of(node, run.opset))}
            if key[1] is not None and are_numbers(list(computed.values())):  # a reason names its node
                self._equal[key] = computed
        return computed

    def _macs(self, node: ir.Node, scope: Scope) -> Amount:
        amounts: list[Amount] = []
        for contraction in contractions_of(node, scope, self._model.functions):
            if contraction.reason is not None:
                return Unknown(contraction.reason)
            size = contraction.size
            axes = {"M": size.m, "K": size.k, "N": size.n, "the batch": size.batch}
            amount = product(amount_of(axis, size) for axis, size in axes.items())
            if isinstance(amount, Unknown) and (why := contraction.unknown_axis_because) is not None:
                amount = Unknown(f"{amount}: {why}".removeprefix("unknown: "))
            amounts.append(amount)
        return known_total(amounts)

    def _calls(self, node: ir.Node, scope: Scope) -> Amount:
        """Return how many products of tiles a node of a lowered model computes: one for each of its batch."""
        tile = node.metadata_props.get(TILE)
        if tile is None:
            return 0
        shape = node.outputs[0].shape if node.outputs else None
        if ":" in tile and shape is not None and len(shape) <= 2:
            return 1  # a tile of a large unrolled model, of which there are many
        contractions = contractions_of(node, scope, self._model.functions)
        return total(amount_of("the batch", contraction.size.batch) for contraction in contractions)

    def _visit_bodies(self, node: ir.Node, run: _Run, live: Amount) -> Rows:
        """Yield the rows of the graphs within a node: one branch of an If, any other body once a trip."""
        is_if = node.domain == "" and node.op_type == "If"
        taken = boolean(node.inputs[0]) if is_if and node.inputs and node.inputs[0] is not None else None
        branches = []
        for name, graph in [(a.name, graph) for a in node.attributes.values() for graph in subgraphs(a)]:
            self.constants.enter(node, graph)
            if is_if:
                self._trips.enter(graph, run.scope.graph)
                trips: Amount = Range(0, 1) if taken is None else int(taken == (name == "then_branch"))
            else:
                trips = self._trips.of(node, run.opset)
            scope = run.scope._replace(name=f"{run.name_inside(node)}/{name}", graph=graph)
            inside = self._run(scope, product([run.times, trips]), live)
            yield from self._visit_graph(inside)
            sums = inside.sums.totals()
            if not is_if or taken is not None:
                sums = {name: product([trips, amount]) for name, amount in sums.items()}
            branches.append(sums)
        together = either if is_if and taken is None else total
        if branches:
            run.sums.add({name: together([branch[name] for branch in branches]) for name in run.sums})

    def _run_of_call(self, node: ir.Node, function: ir.Function, run: _Run) -> _Run:
        """Return the run of a function that couldn't be inlined; to be called before the call itself runs.

        An argument that nobody needs behind the call dies inside. The checker has refused calls in circles.
        """
        ending = run.liveness.ending(node)
        owned = [
            (parameter, argument)
            for parameter, argument in zip(function.inputs, node.inputs, strict=False)
            if argument in ending and node.inputs.count(argument) == 1 and self._size(parameter) == self._size(argument)
        ]
        before = plus(run.around, run.liveness.alive())
        around = difference(before, total(self._size(argument) for _, argument in owned))
        if not is_known(around):
            around, owned = before, []
        scope = Scope(run.name_inside(node), function.opset_imports, function)
        return self._run(scope, run.times, around, [parameter for parameter, _ in owned])

    def _visit_call(self, node: ir.Node, function: ir.Function, run: _Run, inside: _Run) -> Rows:
        """Yield the rows of a function's nodes."""
        self.constants.enter(node, function)
        yield from self._visit_graph(inside)
        self.constants.leave(node, function)
        run.sums.add(inside.sums.totals())


def _details(node: ir.Node) -> dict[str, Any]:
    return {
        "inputs": tuple("" if value is None else value_text(value) for value in node.inputs),
        "outputs": tuple(value_text(value) for value in node.outputs),
        "attributes": {name: attribute_text(attribute) for name, attribute in node.attributes.items()},
    }


def profile_of(
    model: ir.Model,
    convention: str = "macs",
    macs_of: MacsOf | None = None,
    details: bool = False,
    on_engine: OnEngine | None = None,
) -> Profile:
    """Return the profile of a model whose shapes are inferred and whose functions are inlined where they can be.

    `on_engine` tells what its nodes take on an engine, if that is asked for.
    """
    walk = CostWalk(model, macs_of, details)
    rows = tuple(walk.rows())
    totals = walk.totals()
    engine = None if on_engine is None else on_engine(model, rows)
    nodes = tuple(row for _, row in rows)
    return Profile(nodes, totals, walk.constants.used, walk.symbols(totals), convention, engine)


def module_of(node: ir.Node) -> str:
    """Return the module a node belongs to: as its exporter says, else the path in its name; '' where neither."""
    scopes = node.metadata_props.get(_TORCH_SCOPES)
    if scopes is not None:
        try:
            names = json.loads(scopes.replace("'", '"'))
        except (ValueError, RecursionError):
            names = None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return next((name for name in reversed(names[:-1]) if name), "")
    origin = node.metadata_props.get(ORIGIN) or node.name or ""
    return origin.strip("/").rpartition("/")[0]


def _kept(node: ir.Node) -> list[ir.Value]:
    """Return the outputs that are made for someone: the first, and others that something reads (no Dropout's mask)."""
    return [value for index, value in enumerate(node.outputs) if index == 0 or value.uses() or value.is_graph_output()]
