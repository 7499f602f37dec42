"""Reckon what each form would cost, before any is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.graphs import all_graphs, default_opset, is_tiled_product
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

    `nodes` made for them; `node_bytes` they take in the file; `weight_bytes` of the constants that are cut; `macs` that
    the engine computes, padding included (a formula or a range where they depend on the run).
    `impossible`: products that the form can't write, and why; None if it can write all.
    """

    form: str
    nodes: int
    node_bytes: int
    weight_bytes: int
    macs: Amount
    impossible: str | None = None


def costs(model: ir.Model, forms: list[Form], weights: str, report: Report) -> list[Cost]:
    """Return the cost of each form for a compact model; equal products are written once."""
    reports = [dataclasses.replace(report, pads=report.pads or form.pads) for form in forms]
    return [_cost(model, form, weights, of_form.padded_macs) for form, of_form in zip(forms, reports, strict=True)]


def _cost(model: ir.Model, form: Form, weights: str, macs: Amount) -> Cost:
    calls = [node for graph in all_graphs(model) for node in graph if is_tiled_product(node)]
    products = [TiledProduct.of_call(node) for node in calls]
    impossible = _impossible(model, form, products)
    if impossible:
        return Cost(form.name, 0, 0, 0, Unknown(impossible), impossible)
    if form.keeps_calls:
        size = sum(ir.to_proto(node).ByteSize() for node in calls)
        return Cost(form.name, len(calls), size, 0, macs)
    writer = CallWriter(model, form, weights)
    written = [size for _, size in _written(writer)]
    weight_bytes = sum(array.nbytes for cut in writer.cuts for _, array in writer.arrays(cut, cut.blank))
    return Cost(form.name, sum(nodes for nodes, _ in written), sum(size for _, size in written), weight_bytes, macs)


def nodes_of_calls(model: ir.Model, form: Form, weights: str) -> dict[ir.Node, int] | None:
    """Return how many nodes each call of a compact model becomes; None where the form can't write one of them."""
    calls = [node for graph in all_graphs(model) for node in graph if is_tiled_product(node)]
    if _impossible(model, form, [TiledProduct.of_call(node) for node in calls]):
        return None
    return {call: nodes for call, (nodes, _) in _written(CallWriter(model, form, weights))}


def _written(writer: CallWriter) -> Iterator[tuple[ir.Node, tuple[int, int]]]:
    """Yield each call with the nodes that it becomes, and their bytes."""
    written: dict[object, tuple[int, int]] = {}
    for call, product in writer.products.items():
        key = (product, *writer.precut(call))
        if key not in written:
            sink = WireSink(writer.opset).serve(writer.origin(call), schedule=writer.schedule(call))
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
    cost = _cost(model, unrolled, weights, 0)
    return unrolled if cost.impossible is None and cost.nodes <= max_nodes else FORMS["batched"]
