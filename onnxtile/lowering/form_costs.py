"""Reckon what each form would cost, before any is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.graphs import all_graphs, count_nodes, default_opset, is_tiled_product
from onnxtile.ir.io.load import copy_of
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.symbolic.amounts import Amount, Unknown
from onnxtile.lowering.report import Report
from onnxtile.tiling.call_writer import CallWriter
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.table import FORMS
from onnxtile.tiling.legality import MOST_TILES
from onnxtile.tiling.sinks.protobuf import WireSink
from onnxtile.tiling.tiled_product import TiledProduct


@dataclass(frozen=True)
class Cost(JsonRecord):
    """The cost of a form for all tiled products of a model together.

    `nodes`: of the file that `lower` writes in this form, those of bodies and local functions among them;
    `product_nodes`: of these, made for tiled products; `node_bytes` they take in the file; `weight_bytes` of the
    constants that are cut; `macs` that the engine computes, padding included (a formula or a range where they depend on
    the run). `impossible`: products that the form can't write, and why; None if it can write all.
    """

    form: str
    nodes: int
    product_nodes: int
    node_bytes: int
    weight_bytes: int
    macs: Amount
    impossible: str | None = None


def costs(model: ir.Model, forms: list[Form], weights: str, report: Report) -> list[Cost]:
    """Return the cost of each form for a compact model; equal products are written once."""
    reports = [dataclasses.replace(report, pads=report.pads or form.pads) for form in forms]
    beside = _nodes_beside(model, weights)
    return [
        _cost(model, form, weights, beside, of_form.padded_macs) for form, of_form in zip(forms, reports, strict=True)
    ]


def _cost(model: ir.Model, form: Form, weights: str, beside: int, macs: Amount) -> Cost:
    """Return the cost of a form. `beside`: the nodes that are written beside those of the calls."""
    calls = _calls(model)
    products = [TiledProduct.of_call(node) for node in calls]
    impossible = _impossible(model, form, products)
    if impossible:
        return Cost(form.name, 0, 0, 0, 0, Unknown(impossible), impossible)
    if form.keeps_calls:
        size = sum(ir.to_proto(node).ByteSize() for node in calls)
        return Cost(form.name, count_nodes(model), len(calls), size, 0, macs)
    writer, functions = CallWriter(model, form, weights), _function_graphs(model)
    written = [size for _, size in _written(writer, functions)]
    nodes, tiles, weight_bytes = sum(nodes for nodes, _ in written), 0, 0
    for cut in writer.cuts:
        sizes = [array.nbytes for _, array in writer.arrays(cut, cut.blank)]
        weight_bytes += sum(sizes)
        tiles += len(sizes) if cut.graph in functions else 0  # Constant nodes
    return Cost(
        form.name, beside + tiles + nodes, nodes + tiles, sum(size for _, size in written), weight_bytes, macs
    )  # fmt: skip


def _calls(model: ir.Model) -> list[ir.Node]:
    return [node for graph in all_graphs(model) for node in graph if is_tiled_product(node)]


def _function_graphs(model: ir.Model) -> dict[ir.Graph, int]:
    """Return the graphs of local functions, which have no initializers but Constant nodes, with their opsets."""
    default = default_opset(model.opset_imports) or 0
    return {each.graph: default_opset(each.opset_imports) or default for each in model.functions.values()}


def _nodes_beside(model: ir.Model, weights: str) -> int:
    """Return how many nodes are written as they are where calls become nodes of any form."""
    if not _calls(model):
        return count_nodes(model)
    compact = copy_of(model)
    writer = CallWriter(compact, FORMS["batched"], weights)
    writer.drop_calls()  # and what only they read
    return count_nodes(compact) - len(writer.products)


def nodes_of_calls(model: ir.Model, form: Form, weights: str) -> dict[ir.Node, int] | None:
    """Return how many nodes each call of a compact model becomes; None where the form can't write one of them."""
    if _impossible(model, form, [TiledProduct.of_call(node) for node in _calls(model)]):
        return None
    return {call: nodes for call, (nodes, _) in _written(CallWriter(model, form, weights), _function_graphs(model))}


def _written(writer: CallWriter, functions: dict[ir.Graph, int]) -> Iterator[tuple[ir.Node, tuple[int, int]]]:
    """Yield each call with the nodes that it becomes, and their bytes."""
    written: dict[object, tuple[int, int]] = {}
    for call, product in writer.products.items():
        opset = functions.get(call.graph) if isinstance(call.graph, ir.Graph) else None
        key = (product, opset, *writer.precut(call))
        if key not in written:
            sink = WireSink(opset or writer.opset, function=opset is not None)
            sink.serve(writer.origin(call), schedule=writer.schedule(call))
            writer.write(call, sink)
            written[key] = sink.count, len(sink.nodes) + sum(constant.ByteSize() for constant in sink.constants)
        yield call, written[key]


def _impossible(model: ir.Model, form: Form, products: list[TiledProduct]) -> str | None:
    opset = default_opset(model.opset_imports) or 0
    if opset < form.ability.first_opset:
        return f"needs opset {form.ability.first_opset}"
    if not form.ability.symbolic_m and any(product.plan.m.padding is None for product in products):
        return "can't cut an M known only at run time"
    most = max((product.plan.products or 0 for product in products), default=0)
    if form.ability.writes_each_tile and most > MOST_TILES:
        return f"makes {most:,} tiles of one product"
    return None


def choose(model: ir.Model, weights: str, max_nodes: int, unrolled: Form) -> Form:
    """Return unrolled up to `max_nodes` nodes, then the most compact form that is made of plain operators: batched."""
    cost = _cost(model, unrolled, weights, 0, 0)
    return unrolled if cost.impossible is None and cost.product_nodes <= max_nodes else FORMS["batched"]
