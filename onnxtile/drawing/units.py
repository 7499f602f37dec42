"""The nodes of a model as pictures show them: each product with its tiles, and what was made for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import onnx_ir as ir

from onnxtile.drawing.blocks import Unit
from onnxtile.drawing.tiles import TileGrid, Trips, grids, has_tile, lengths
from onnxtile.ir.attributes import node_name
from onnxtile.ir.graphs import Scope, subgraphs
from onnxtile.ir.metadata import ORIGIN
from onnxtile.operators.contractions import Contraction, contractions_of


def units_of(model: ir.Model) -> tuple[list[Unit], int]:
    """Return the nodes of the main graph in units, in the order in which they're done; and unreadable notes.

    Nodes with one origin are a unit; products in bodies count for the node that holds them.
    """
    made: dict[tuple[str, object], list[ir.Node]] = {}
    done: dict[tuple[str, object], int] = {}
    for number, node in enumerate(model.graph):
        origin = node.metadata_props.get(ORIGIN)
        key: tuple[str, object] = ("node", node) if origin is None else ("origin", origin)
        made.setdefault(key, []).append(node)
        done[key] = number
    units, unread = [], 0
    for key in sorted(made, key=done.__getitem__):
        kind, name = key
        nodes = made[key]
        unit, more = _unit(str(name) if kind == "origin" else node_name(nodes[0]), nodes, model)
        units.append(unit)
        unread += more
    return units, unread


def _unit(name: str, nodes: Sequence[ir.Node], model: ir.Model) -> tuple[Unit, int]:
    main = Scope("", model.opset_imports, model.graph)
    tiled: list[tuple[str, ir.Node]] = []
    around: dict[ir.Node, Trips] = {}
    products: list[Contraction] = []
    for scope, node, trips in _within(nodes, main, {}):
        if has_tile(node):
            tiled.append((scope.name, node))
            around[node] = trips
        else:
            products += contractions_of(node, scope, model.functions)
    cut, unread = grids(tiled, around) if tiled else ([], 0)
    return Unit(name, tuple(nodes), tuple(products), tuple(cut)), unread


def _within(nodes: Sequence[ir.Node], scope: Scope, trips: Trips) -> Iterator[tuple[Scope, ir.Node, Trips]]:
    """Yield nodes, and those in their bodies, each with its scope, and how often loops over tiles around it run."""
    for node in nodes:
        yield scope, node, trips
        for attribute in node.attributes.data.values():
            for body in subgraphs(attribute):
                name = f"{node_name(node)}/{attribute.name}"
                inner = scope._replace(name=f"{scope.name}/{name}" if scope.name else name, graph=body)
                axis = (body.name or "").removeprefix("over_")
                more = {axis: _trips(node)} if body.name == f"over_{axis}" and axis in ("m", "k", "n") else {}
                yield from _within(list(body), inner, {**trips, **more})


def _trips(node: ir.Node) -> int | None:
    """Return how often a loop over tiles runs: its count, or the length of what is scanned; None: unknown."""
    if node.op_type == "Scan":
        scanned = node.inputs[-1] if node.inputs else None
        return None if scanned is None else next(iter(lengths(scanned)), None)
    count = node.inputs[0] if node.inputs else None
    numbers = None if count is None or count.const_value is None else count.const_value.numpy()
    return None if numbers is None or numbers.size != 1 else int(numbers.item())


def with_products(
    grids: Sequence[TileGrid], products: Sequence[Contraction]
) -> list[tuple[TileGrid, Contraction | None]]:
    """Return the grids with the products that they stand for, and their sizes where the nodes don't say them.

    Products that one node holds are in the order of their grids; where there are more or fewer, it isn't known which is
    which.
    """
    if len(grids) != len(products):
        return [(grid, None) for grid in grids]
    paired: list[tuple[TileGrid, Contraction | None]] = []
    for grid, product in zip(grids, products, strict=True):
        m, k, n = (side if isinstance(side, int) else None for side in product.size.axes)
        known = grid.size != (None, None, None) and not grid.padded
        paired.append((grid if known else replace(grid, size=(m, k, n), padded=False), product))
    return paired
