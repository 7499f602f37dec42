"""The nodes to look at where a region differs: those behind a wrong element, first what makes a wrong number.

From a wrong element of the output, slices go back to the elements of each value that it's made of: moves are run on
indices, sums and products take rows and columns. A node that right elements depend on too comes later. Where the
original is a plain product, numbers are known that may stand in such a slice: sums of the products of pieces along K,
with and without factor and bias. The first node that makes another number comes first.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
import onnx

from onnxtile.verification.field import MARKS
from onnxtile.verification.graphs import name_of, nodes_inside
from onnxtile.verification.slices import MOST_INDEXED, Masks, Trace, holds_graphs, is_move, slices_of
from onnxtile.verification.value import Array, Value

MOST_PIECES = 10
"""Pieces along K whose sums are all made up."""
PLAIN = ("MatMul", "Gemm", "FusedMatMul", "TransposeMatMul")
_NONE = np.zeros(0, bool)


def suspects(trace: Trace, output: str, wrong: Array, lane: int) -> Iterator[str]:
    """Yield the names of nodes, the most suspicious first. `wrong`: where a lane of the output isn't right."""
    moved = False
    if wrong.shape == trace.wanted[output].shape:
        first = np.zeros(wrong.shape, bool)
        first.flat[int(np.argmax(wrong))] = True
        right = _right(trace)
        slices = slices_of(trace, {output: first}, right)
        strange, moved = _strange(trace, output, first, slices, lane)
        ranked = [*strange, *_behind(trace, output, wrong, slices, right)]
    else:
        ranked = _sizing(trace, output)
    seen: dict[str, None] = {}
    for node in [*ranked, *reversed(trace.nodes)]:
        seen.update(dict.fromkeys(_names(node, moved)))
    yield from seen


def _behind(trace: Trace, output: str, wrong: Array, slices: Masks, right: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes of a slice: in order behind values that are right; else those of wrong elements alone first."""
    nodes = [
        node for node in trace.nodes
        if any(slices[name].any() for name in node.output if name in slices and name not in right)
    ]  # fmt: skip
    if any(name in right for node in nodes for name in node.input):
        return nodes
    shared, depth = slices_of(trace, {output: ~wrong}), _depths(trace, output)

    def order(node: onnx.NodeProto) -> tuple[bool, bool, int]:
        names = [name for name in node.output if name in shared and name in slices]
        mixed = any((slices[name] & shared[name]).any() for name in names)
        idle = is_move(node) and node.op_type != "Identity"
        return mixed, idle, min(depth.get(name, 0) for name in node.output)

    return sorted(nodes, key=order)


def _names(node: onnx.NodeProto, moved: bool) -> list[str]:
    """Return the names of a node and of those inside it: loops, then the last nodes first. `moved`: moves, in order."""
    inner = [member for member in nodes_inside(node) if member is not node]
    if moved:
        inner.sort(key=lambda member: not is_move(member))
    else:
        inner.reverse()
        inner.sort(key=lambda member: not holds_graphs(member))
    return [name_of(member) for member in (*inner, node)]


def _depths(trace: Trace, output: str) -> dict[str, int]:
    """Return how many nodes lie between values and the output."""
    depths = {output: 0}
    for node in reversed(trace.nodes):
        own = [depths[name] for name in node.output if name in depths]
        for name in node.input if own else ():
            depths[name] = max(depths.get(name, 0), min(own) + 1)
    return depths


def _strange(trace: Trace, output: str, first: Array, slices: Masks, lane: int) -> tuple[list[onnx.NodeProto], bool]:
    """Return nodes that nothing explains the numbers of, with those that make their operands; whether moves are."""
    if lane >= MARKS:
        mark = trace.run.field.mark_of(lane) if lane < trace.run.field.lanes else None
        rounded = [
            node for node in trace.nodes
            if any(name in slices and trace.got[name].dtype == mark for name in node.output)
        ]  # fmt: skip
        return rounded, False
    numbers = _numbers(trace, output, first, lane)
    if numbers is None:
        return [], False
    makers = {name: node for node in trace.nodes for name in node.output if name}
    behind = [node for node in _behind_products(trace) if any(slices.get(name, _NONE).any() for name in node.output)]
    made = {
        id(node): {
            number for name in node.output if name in slices
            for number in _slice_numbers(trace.got[name], slices[name], lane)
        }
        for node in behind
    }  # fmt: skip
    moved = [node for node in behind if made[id(node)] <= numbers.elsewhere]
    if any(is_move(node) for node in moved):
        holders = [node for node in behind if holds_graphs(node)]
        return [*holders, *(node for node in reversed(behind) if is_move(node))], True
    explained = [numbers.pieces if node.op_type == "MatMul" else numbers.sums.keys() for node in behind]
    strange = [node for node, right in zip(behind, explained, strict=True) if not made[id(node)] <= right]
    if strange:
        producers = [makers[name] for name in strange[0].input if name in makers]
        odd = [node for node in producers if _is_odd(trace, node, slices, numbers.elements, lane)]
        later = set(map(id, behind))
        earliest = (node for node in trace.nodes
                    if id(node) not in later and _is_odd(trace, node, slices, numbers.elements, lane))  # fmt: skip
        before = sorted(_ancestors(makers, strange[0]), key=lambda node: node.op_type in ("Reshape", "Split"))
        return [strange[0], *(odd or producers), *islice(earliest, 1), *before, *strange[1:]], False
    whole = numbers.sums.get(next(iter(_slice_numbers(trace.got[output], first, lane))))
    if whole is not None and len(whole) < numbers.count:
        carriers = [node for node in behind if {numbers.sums[number] for number in made[id(node)]} == {whole}]
        lost = [makers[name] for node in carriers[:1] for name in node.input if name in makers]
        lost.sort(key=lambda node: node.op_type == "MatMul")
        return [*carriers[:1], *lost[:1], *carriers[1:]], False
    return [], False


def _ancestors(makers: dict[str, onnx.NodeProto], node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes before a node, the nearest first."""
    found: dict[int, onnx.NodeProto] = {}
    waiting = [node]
    while waiting:
        before = [makers[name] for name in waiting.pop(0).input if name in makers]
        waiting += [node for node in before if id(node) not in found]
        found.update((id(node), node) for node in before)
    return list(found.values())


def _sizing(trace: Trace, output: str) -> list[onnx.NodeProto]:
    """Return what makes an output of another shape: the node, and what makes the whole numbers that it reads."""
    makers = {name: node for node in trace.nodes for name in node.output if name}
    found: dict[str, onnx.NodeProto] = {}
    waiting = [output]
    while waiting:
        name = waiting.pop(0)
        node = makers.get(name)
        if node is None or name in found:
            continue
        found[name] = node
        numbers = [operand for operand in node.input if operand in trace.got and trace.got[operand].dtype.is_integer()]
        moved = [node.input[0]] if is_move(node) and not numbers else []
        waiting += numbers or moved
    return list(found.values())


def _is_odd(trace: Trace, node: onnx.NodeProto, slices: Masks, elements: set[int], lane: int) -> bool:
    """Return whether a node in front of products gives an element that the product doesn't need."""
    return any(
        not elements.issuperset(_slice_numbers(trace.got[name], slices[name], lane))
        for name in node.output if name in slices and trace.got[name].dtype.is_floating_point()
    )  # fmt: skip


def _slice_numbers(value: Value, mask: Array, lane: int) -> list[int]:
    found = value.lanes[lane][mask].astype(np.int64) % value.field.primes[lane]
    return [int(number) for number in np.unique(found)]


def _right(trace: Trace) -> set[str]:
    """Return values of the lowered side that the original's nodes make inside, too."""
    known = {print_ for value in trace.within if (print_ := _print(value)) is not None}
    return {
        name for node in trace.nodes for name in node.output
        if known and name in trace.got and _print(trace.got[name]) in known
    }  # fmt: skip


def _print(value: Value) -> bytes | None:
    """Return what tells a value's elements from others', whatever its shape; None where they can't be told."""
    size = math.prod(value.shape)
    if size < 2 or size > MOST_INDEXED or not value.dtype.is_floating_point():
        return None
    return hashlib.sha256(np.ascontiguousarray(value.lanes).tobytes()).digest()


def _behind_products(trace: Trace) -> list[onnx.NodeProto]:
    """Return nodes that multiply, or follow from those."""
    found, made = list[onnx.NodeProto](), set[str]()
    for node in trace.nodes:
        if not made.isdisjoint(node.input) or any("MatMul" in inner.op_type for inner in nodes_inside(node)):
            found.append(node)
            made.update(node.output)
    return found


@dataclass
class _Numbers:
    """Numbers that may stand in the slice of an element.

    `sums`: of pieces along K, scaled, with the bias, and which pieces they have; `count`: how many pieces there are;
    `pieces`: their numbers. `elements`: of the operands' row and column. `elsewhere`: what other elements of the output
    have, and had before they were scaled.
    """

    sums: dict[int, frozenset[int]]
    count: int
    pieces: set[int]
    elements: set[int]
    elsewhere: set[int]


def _numbers(trace: Trace, output: str, first: Array, lane: int) -> _Numbers | None:
    """Return the numbers that an element may be made of; None where that isn't known."""
    node = next((node for node in trace.original if output in node.output), None)
    lengths = [k for _, k, _ in trace.run.products]
    if node is None or node.op_type not in PLAIN or len(trace.original) != 1 or not lengths:
        return None
    attributes: dict[str, Any] = {
        attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
    }
    a, b = (trace.wanted[name] for name in node.input[:2])
    if len(a.shape) < 2 or len(b.shape) < 2 or any(attributes.get(f"transBatch{side}") for side in "AB"):
        return None
    place, prime = tuple(int(index[0]) for index in np.nonzero(first)), a.field.primes[lane]
    rows, columns = (
        (value.lanes[lane].swapaxes(-1, -2) if attributes.get(f"trans{side}") else value.lanes[lane]).astype(np.int64)
        for side, value in (("A", a), ("B", b))
    )
    step, alpha, beta = (
        max(lengths),
        *(
            int(a.field.constant(np.array([attributes.get(name, 1.0)], np.float32))[lane].item())
            for name in ("alpha", "beta")
        ),
    )
    products = [
        _product(rows[..., at : at + step], columns[..., at : at + step, :], prime)
        for at in range(0, rows.shape[-1], step)
    ]
    if len(products) > MOST_PIECES or (place[:-2] != () and products[0].ndim != len(place)):
        return None
    pieces = [int(product[place]) for product in products]
    some = [frozenset(chosen) for count in range(len(pieces) + 1) for chosen in combinations(range(len(pieces)), count)]
    found = {factor * sum(pieces[at] for at in chosen) % prime: chosen for chosen in some for factor in (alpha, 1)}
    total = np.sum(products, 0) % prime
    if len(node.input) > 2 and node.input[2]:
        bias = trace.wanted[node.input[2]]
        added = int(np.broadcast_to(bias.lanes[lane], first.shape)[place])
        addends = {beta * added % prime}
        if bias.known is not None:  # what's folded is rounded
            folded = a.field.constant((bias.known * np.float32(attributes.get("beta", 1.0))).astype(bias.known.dtype))
            addends.add(int(np.broadcast_to(folded[lane], first.shape)[place]) % prime)
        found |= {(one + addend) % prime: chosen for one, chosen in found.items() for addend in addends}
        found |= {number % prime: frozenset(range(len(pieces))) for number in (*addends, added)}
    wanted = trace.wanted[output].lanes[lane].astype(np.int64)
    elsewhere = {int(number) % prime for part in (total, alpha * total, wanted) for number in part[~first]}
    row = np.broadcast_to(rows, (*products[0].shape[:-2], *rows.shape[-2:]))[place[:-1]]
    column = np.broadcast_to(columns, (*products[0].shape[:-2], *columns.shape[-2:]))[place[:-2]][:, place[-1]]
    taken = {int(number) % prime for part in (row, column) for number in part}
    return _Numbers(found, len(pieces), set(pieces), taken | {0}, elsewhere - found.keys())


def _product(rows: Array, columns: Array, prime: int) -> Array:
    return np.asarray(np.matmul(rows.astype(object), columns.astype(object)) % prime).astype(np.int64)
