"""Decide what becomes of each product of a model: judged once, for passes, report and the check of what was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import onnx_ir as ir

from onnxtile.ir.graphs import is_tiled_product, nodes_within, scopes_with_nodes, subgraphs
from onnxtile.ir.metadata import ORIGIN
from onnxtile.ir.symbolic.amounts import Amount, amount_of
from onnxtile.ir.symbolic.amounts import product as multiply
from onnxtile.lowering.options import LoweringOptions
from onnxtile.lowering.report import Row
from onnxtile.operators.contractions import Contraction, contractions, contractions_of
from onnxtile.operators.registry import products_of
from onnxtile.operators.windows import Geometry
from onnxtile.passes.base import Decided, ProductPass
from onnxtile.passes.decompose_convolution import DecomposeConvolution
from onnxtile.passes.inline import inlined
from onnxtile.passes.rewrites.quantized_products import as_multiplied
from onnxtile.tiling.legality import Decision, Refusal, legality
from onnxtile.tiling.plan import SplitPlan, TilePlan, VectorPlan

UNCUT = Refusal("postcondition", "it's still there after all passes; please report this")
Key = tuple[ir.Node, str]
"""A node, and which of its products."""


class LoweringPlan:
    """The decisions on all products of a model; `rows` has them as they were before any pass of `passes` ran.

    The passes follow the plan: they take their decisions from it, and tell it what stands in a product's place. That is
    judged when the next pass asks, and nothing twice.
    """

    def __init__(self, model: ir.Model, options: LoweringOptions, products: list[Contraction], fit: bool) -> None:
        """`products`: all of the model's; `fit`: those in local functions are within the limits, in every call."""
        self._options, self._model = options, model
        self._products = products = self._seen(products)
        self._of_node: dict[ir.Node, list[Contraction]] = {}
        for product in products:
            self._of_node.setdefault(product.node, []).append(product)
        self._new: set[ir.Node] = set()
        self._made: dict[ir.Node, list[ir.Node]] = {}
        self._convs: dict[ir.Node, Row] = {}
        self._stale = False
        self.passes: list[ProductPass] = [pass_.following(self) for pass_ in options.passes()]
        self._unjudged = {pass_: list(products) for pass_ in self.passes}
        self._decisions: dict[ProductPass, dict[Key, Decision]] = {pass_: {} for pass_ in self.passes}
        self._first = self._products
        self.rows = tuple(self._rows(model, fit))

    def decided(self, pass_: ProductPass, model: ir.Model) -> list[Decided]:
        """Return the products of the model as it is now that concern the pass, each with its decision."""
        if self._stale:
            self._products = self._find(model)
        decisions, fresh = self._decisions[pass_], pass_.decide(model, self._unjudged[pass_])
        decisions.update({_key(product): decision for product, decision in fresh})
        convs = [(product, decision) for product, decision in fresh if isinstance(pass_, DecomposeConvolution)]
        self._convs |= {product.node: self._row(product, decision) for product, decision in convs}
        self._unjudged[pass_] = []
        return [(product, decisions[_key(product)]) for product in self._products if _key(product) in decisions]

    def replaced(self, product: Contraction, nodes: Sequence[ir.Node]) -> None:
        """Take note that `nodes` stand in the place of the product's node now."""
        self._stale = True
        self._made[product.node] = list(nodes)
        for node in nodes:
            self._new.add(node)
            for attribute in node.attributes.values():
                self._new.update(inner for body in subgraphs(attribute) for inner in nodes_within(body))

    def became(self, node: ir.Node) -> list[ir.Node]:
        """Return the nodes that stand in a node's place after all passes that ran: itself where none took it."""
        if node not in self._made:
            return [node]
        return [last for made in self._made[node] for last in self.became(made)]

    def outcome(self, model: ir.Model) -> tuple[Row, ...]:
        """Return `rows` after all passes ran, and behind them the products that passes made and couldn't cut.

        A node that was written out as such a product is refused for its reason.
        """
        exposed = self._newly_exposed(model)
        reasons = {row.origin: row.reason for row in exposed if row.origin is not None}
        rows = (
            replace(row, status="refused", reason=reasons[row.name], tiles=None)
            if row.status == "tiled" and row.name in reasons
            else row
            for row in self._by_their_convs()
        )
        return (*rows, *exposed)

    def _by_their_convs(self) -> Iterator[Row]:
        """Yield `rows`; where a product was written out as a Conv, what became of that.

        One that's refused then is in the file as a Conv, and so it's called.
        """
        for product, row in zip(self._first, self.rows, strict=True):
            for node in self._made.get(product.node, ()) if row.status == "tiled" else ():
                conv = self._convs.get(node, row)
                same = replace(conv, name=row.name, op=row.op, scope=row.scope, size=row.size, part=row.part)
                row = conv if conv.status == "refused" else same
            yield row

    def _newly_exposed(self, model: ir.Model) -> list[Row]:
        known = {row.name for row in self.rows}
        return [
            replace(self._row(product, decision if isinstance(decision, Refusal) else UNCUT), origin=origin_of(product))
            for pass_ in self.passes
            for product, decision in self.decided(pass_, model)
            if decision is not None and product.name not in known
        ]

    def _find(self, model: ir.Model) -> list[Contraction]:
        """Return all products in the order of the nodes; those of new nodes are still to be judged."""
        products: list[Contraction] = []
        for scope, nodes in scopes_with_nodes(model):
            for node in nodes:
                if node in self._new and not is_tiled_product(node):
                    self._of_node[node] = self._seen(contractions_of(node, scope, model.functions))
                    for unjudged in self._unjudged.values():
                        unjudged.extend(self._of_node[node])
                products += self._of_node.get(node, ())
        self._new.clear()
        self._stale = False
        return products

    def _seen(self, products: list[Contraction]) -> list[Contraction]:
        """Return products with the types in which they are multiplied, where that matters."""
        return list(as_multiplied(products, self._model, self._options.limits))

    def _rows(self, model: ir.Model, fit: bool) -> list[Row]:
        """Return a row for each product, as the first pass that takes it decided, or else the last that it concerns.

        What concerns none is refused.
        """
        decided: dict[Key, Decision] = {}
        for pass_ in self.passes:
            taken = {key for key, decision in decided.items() if isinstance(decision, TilePlan)}
            own = self.decided(pass_, model)
            decided |= {_key(product): decision for product, decision in own if _key(product) not in taken}
        rows = []
        for product in self._products:
            fits = legality(product, self._options.limits) == "fits" or (product.in_function and fit)
            unlowered = None if fits else _unlowered(product)
            decision = decided.get(_key(product), unlowered)
            rows.append(self._row(product, None if fits and isinstance(decision, Refusal) else decision))
        return rows

    def _row(self, product: Contraction, decision: Decision) -> Row:
        return replace(self._told(product, decision), multiples=self._options.limits.multiples(product))

    def _told(self, product: Contraction, decision: Decision) -> Row:
        """Return what became of a product."""
        if product.family not in self._options.families:
            return Row.not_asked(product)
        if isinstance(decision, VectorPlan):
            return Row.of(product, "vector", "vector: written as sums of elements by weights, without a product")
        if isinstance(decision, SplitPlan):
            row = Row.of(product, "split", tiles=decision.tile)
            return replace(row, pieces=pieces_of(product, decision))
        if isinstance(decision, TilePlan):
            why = decision.unscheduled or None
            return Row.of(product, "tiled", why, decision.tile, decision.schedule)
        if isinstance(decision, Refusal) and decision.code == "operator" and product.reason:
            return Row.of(product, "unknown", f"{decision}; {product.reason}")
        return Row.of(product, "fits") if decision is None else Row.of(product, "refused", decision)


def _unlowered(product: Contraction) -> Refusal:
    """Return why no pass lowers the product: what its operator's declaration says, if anything."""
    products = products_of(product.node)
    why = "" if products is None or products.lowered_by else products.refused
    known = why and "isn't lowered" not in why
    words = f"{product.node.op_type} isn't lowered: {why}" if known else f"{product.node.op_type} isn't lowered yet"
    return Refusal("operator", words)


def origin_of(product: Contraction) -> str | None:
    """Return the name of the node that the product's was made for."""
    return product.node.metadata_props.get(ORIGIN)


def pieces_of(product: Contraction, plan: SplitPlan) -> Amount:
    """Return how many products the pieces of a split convolution are."""
    batch = Geometry.of(product.node).batch
    times = 1 if isinstance(batch, int) else amount_of("the batch", batch)  # of a batch that's free it's one image's
    return multiply([plan.products_in_all, times])


def _key(product: Contraction) -> Key:
    return product.node, product.part


def functions_fit(model: ir.Model, products: Sequence[Contraction], options: LoweringOptions) -> bool:
    """Return whether all products in local functions that were asked for are within the limits, in every call.

    `products`: all of the model's.
    """
    if not any(product.in_function for product in products):
        return True
    outside = {(product.scope, product.node.outputs[0].name) for product in products if not product.in_function}
    inside = inlined(model)
    return all(
        legality(product, options.limits) == "fits"
        for product in as_multiplied(contractions(inside), inside, options.limits)
        if (product.scope, product.node.outputs[0].name) not in outside and product.family in options.families
    )
