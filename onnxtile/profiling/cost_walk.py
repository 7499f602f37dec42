"""The profile of an ONNX model: its graphs walked in the order in which they run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from onnxtile.ir.attributes import node_name
from onnxtile.ir.dimensions import free_dimensions
from onnxtile.ir.graphs import Scope, default_opset, subgraphs
from onnxtile.ir.metadata import ORIGIN, TILE, box_text
from onnxtile.ir.symbolic.amounts import (
    Amount,
    Range,
    Unknown,
    amount_of,
    difference,
    either,
    is_known,
    largest,
    names_in,
    product,
    total,
)
from onnxtile.operators.contractions import contractions_of
from onnxtile.operators.table import operations_of
from onnxtile.operators.trip_counts import Trips, boolean
from onnxtile.operators.value_sizes import value_bytes
from onnxtile.operators.work import Operations
from onnxtile.profiling.comparison import adds_partial_products
from onnxtile.profiling.constant_inputs import Constants
from onnxtile.profiling.formatting import attribute_text, value_text
from onnxtile.profiling.liveness import Liveness
from onnxtile.profiling.results import SUMMED, NodeProfile, Profile, Totals, sum_weights

_SUMMED = (*SUMMED, "activation_bytes")
_MODULE_KEYS = ("pkg.torch.onnx.name_scopes", "namespace")
"""Metadata in which torch's exporters say which module a node belongs to."""
Rows = Iterator[tuple[ir.Node, NodeProfile]]
MacsOf = Callable[[ir.Node, "int | None"], Amount]
"""What another convention counts for a node of a default opset in place of its products."""


@dataclass
class _Sums:
    """Amounts of one run of a graph, not yet added."""

    amounts: dict[str, list[Amount]] = field(default_factory=lambda: {name: [] for name in _SUMMED})

    def add(self, name: str, amount: Amount) -> None:
        if not (isinstance(amount, int) and amount == 0):
            self.amounts[name].append(amount)

    def totals(self) -> dict[str, Amount]:
        return {name: total(amounts) for name, amounts in self.amounts.items()}


class Walk:
    """Goes through a model once; afterwards it knows the totals."""

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
        self._live: set[Amount] = {0}
        self._streamed: set[Amount] = {0}
        self._moved: set[Amount] = {0}
        self._sums = _Sums()

    def rows(self) -> Rows:
        """Every node of the main graph and of the graphs within it, each before what is inside it."""
        scope = Scope("", self._model.opset_imports, self._model.graph)
        yield from self._graph(scope, 1, 0, self._sums)

    def totals(self) -> Totals:
        """All rows together; to be called when they have been gone through."""
        weights = sum_weights(list(self.constants.used.values()))
        live = largest(self._live)
        return Totals(
            **self._sums.totals(), params=weights.params, buffers=weights.buffers, weight_bytes=weights.bytes,
            nodes=self._nodes, peak_bandwidth=largest(self._moved), peak_live_bytes=total([live, weights.bytes]),
            peak_live_bytes_streamed=largest(self._streamed),
        )  # fmt: skip

    def symbols(self, totals: Totals) -> dict[str, str]:
        """What the symbols in formulas stand for."""
        known = self._symbols | self._trips.symbols
        met = sorted({name for field in dataclasses.fields(totals) for name in names_in(getattr(totals, field.name))})
        return known | {name: "a size that is known only at run time" for name in met if name not in known}

    def _graph(self, scope: Scope, times: Amount, base: Amount, sums: _Sums, owned: Container[ir.Value] = ()) -> Rows:
        """The nodes of a graph that runs so many times, `base` bytes being alive around it."""
        liveness = Liveness(scope.graph, self._size, owned)
        for node in scope.graph:
            yield from self._node(node, scope, times, base, liveness, sums)

    def _node(self, node: ir.Node, scope: Scope, times: Amount, base: Amount, liveness: Liveness, sums: _Sums) -> Rows:
        function = self._model.functions.get(node.op_identifier())
        stores, (weights, constants) = self.constants.stores(node), self.constants.meet(node, function is not None)
        before, ending = _plus(base, liveness.alive()), liveness.ending(node) if function is not None else []
        live = _plus(base, liveness.run(node, stores))
        macs = 0 if function is not None else self._macs(node, scope)
        counted = stores or function is not None or self._macs_of is not None  # another convention counts all in one
        done = Operations() if counted else operations_of(node, default_opset(scope.opsets))
        one: dict[str, Any] = {
            "macs": macs, "elementwise": done.elementwise, "transcendental": done.transcendental,
            "comparison": done.comparison, "movement": done.movement,
            "tiles": self._tiles(node, scope),
            "partial_sums": done.elementwise if adds_partial_products(node, bool(scope.name)) else 0,
            "input_bytes": 0 if function is not None else self._bytes(node.inputs),
            "output_bytes": 0 if function is not None else self._bytes(node.outputs),
        }  # fmt: skip
        yield node, NodeProfile(
            name=node_name(node), op=node.op_type, domain=node.domain, scope=scope.name, module=module_of(node),
            origin=node.metadata_props.get(ORIGIN), tile=node.metadata_props.get(TILE), stored=stores, times=times,
            params=weights.params, buffers=weights.buffers, weight_bytes=weights.bytes, live_bytes=live,
            constants=constants, **(_details(node) if self._details else {}),
            **(one if times == 1 else {name: product([times, each]) for name, each in one.items()}),
        )  # fmt: skip
        self._nodes += 1
        if not stores:
            for name in SUMMED:
                sums.add(name, one[name])
            kept = one["output_bytes"] if len(node.outputs) == 1 or function is not None else self._bytes(_kept(node))
            sums.add("activation_bytes", kept)
        if not stores and function is None and times != 0:
            self._moved.add(_plus(one["input_bytes"], one["output_bytes"]))
            self._live.add(live)
            self._streamed.add(_plus(live, weights.bytes))
        if function is not None:
            yield from self._call(node, function, scope, times, before, ending, sums)
        elif any(map(subgraphs, node.attributes.data.values())):
            yield from self._bodies(node, scope, times, live, sums)

    def _size(self, value: ir.Value) -> Amount:
        found = self._sizes.get(value)
        if found is None:
            found = self._sizes[value] = value_bytes(value)
        return found

    def _bytes(self, values: Sequence[ir.Value | None]) -> Amount:
        """Bytes of values, each counted once."""
        if len(values) == 1 and values[0] is not None:
            return self._size(values[0])
        sizes = [self._size(value) for value in dict.fromkeys(values) if value is not None]
        unknown = next((size for size in sizes if isinstance(size, Unknown)), None)
        return total(sizes) if unknown is None else unknown

    def _macs(self, node: ir.Node, scope: Scope) -> Amount:
        if self._macs_of is not None:
            return self._macs_of(node, default_opset(scope.opsets))
        amounts: list[Amount] = []
        for found in contractions_of(node, scope, self._model.functions):
            if found.reason is not None:
                return Unknown(found.reason)
            axes = {"M": found.size.m, "K": found.size.k, "N": found.size.n, "the batch": found.size.batch}
            amount = product(amount_of(axis, size) for axis, size in axes.items())
            known = not isinstance(amount, Unknown) or found.cause is None
            amounts.append(amount if known else Unknown(f"{amount}: {found.cause}".removeprefix("unknown: ")))
        return next((each for each in amounts if isinstance(each, Unknown)), None) or total(amounts)

    def _tiles(self, node: ir.Node, scope: Scope) -> Amount:
        """Products of tiles that a node of a lowered model computes: one, or each of its batch, by what it says."""
        tile = node.metadata_props.get(TILE)
        if tile is None or ":" in box_text(tile):
            return int(tile is not None)
        found = contractions_of(node, scope, self._model.functions)
        return total(amount_of("the batch", each.size.batch) for each in found)

    def _bodies(self, node: ir.Node, scope: Scope, times: Amount, live: Amount, sums: _Sums) -> Rows:
        """The graphs within a node: one branch of an If, any other body once a trip."""
        names = [(a.name, graph) for a in node.attributes.values() for graph in subgraphs(a)]
        place = f"{scope.name}/{node_name(node)}" if scope.name else node_name(node)
        is_if = node.domain == "" and node.op_type == "If"
        taken = boolean(node.inputs[0]) if is_if and node.inputs and node.inputs[0] is not None else None
        branches = []
        for name, graph in names:
            trips: Amount = self._trips.of(node, default_opset(scope.opsets)) if not is_if else Range(0, 1)
            if is_if and taken is not None:
                trips = int(taken == (name == "then_branch"))
            inner = _Sums()
            self.constants.enter(node, graph)
            if is_if:
                self._trips.enter(graph, scope.graph)
            yield from self._graph(
                scope._replace(name=f"{place}/{name}", graph=graph), product([times, trips]), live, inner
            )
            found = inner.totals()
            if not is_if or taken is not None:
                found = {field: product([trips, amount]) for field, amount in found.items()}
            branches.append(found)
        for each in sums.amounts if branches else ():
            amounts = [branch[each] for branch in branches]
            sums.add(each, either(amounts) if is_if and taken is None else total(amounts))

    def _call(
        self,
        node: ir.Node,
        function: ir.Function,
        scope: Scope,
        times: Amount,
        base: Amount,
        ending: Sequence[ir.Value],
        sums: _Sums,
    ) -> Rows:
        """A call of a local function that couldn't be put in its place: what goes in and out is moved by its nodes.

        `ending`: what is alive before the call and not behind it. The checker has refused calls in circles.
        """
        place = f"{scope.name}/{node_name(node)}" if scope.name else node_name(node)
        owned = {}
        for taken, given in zip(function.inputs, node.inputs, strict=False):
            if (
                given is not None
                and given in ending
                and node.inputs.count(given) == 1
                and self._size(taken) == self._size(given)
            ):
                owned[taken] = self._size(given)
        around = difference(base, total(owned.values()))
        inner = _Sums()
        self.constants.enter(node, function)
        yield from self._graph(
            Scope(place, function.opset_imports, function), times, around if is_known(around) else base, inner,
            owned if is_known(around) else (),
        )  # fmt: skip
        self.constants.leave(node, function)
        for name, amount in inner.totals().items():
            sums.add(name, amount)


def _details(node: ir.Node) -> dict[str, Any]:
    return {
        "inputs": tuple("" if value is None else value_text(value) for value in node.inputs),
        "outputs": tuple(value_text(value) for value in node.outputs),
        "attributes": {name: attribute_text(attribute) for name, attribute in node.attributes.items()},
    }


def rows_of(model: ir.Model) -> Rows:
    """Pairs of node and row, of the main graph and the graphs within it, by the shapes that the model's values have."""
    return Walk(model).rows()


def profile_of(
    model: ir.Model, convention: str = "macs", macs_of: MacsOf | None = None, details: bool = False
) -> Profile:
    """The profile of a model whose shapes are inferred and whose functions are inlined where they can be."""
    walk = Walk(model, macs_of, details)
    rows = tuple(row for _, row in walk.rows())
    totals = walk.totals()
    return Profile(rows, totals, walk.constants.used, walk.symbols(totals), convention)


def module_of(node: ir.Node) -> str:
    """The part of the network a node belongs to: as its exporter says, else the path in its name; '' where neither."""
    scopes = node.metadata_props.get(_MODULE_KEYS[0])
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
    """The outputs that are made for someone: the first, and those others that something reads (no Dropout's mask)."""
    return [value for place, value in enumerate(node.outputs) if place == 0 or value.uses() or value.is_graph_output()]


def _plus(left: Amount, right: Amount) -> Amount:
    return left + right if isinstance(left, int) and isinstance(right, int) else total([left, right])
