"""Find products beyond the limits in a large unrolled file: tiles are initializers, or cut from values known before."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from onnxtile.errors import PassError
from onnxtile.ir.io.protobuf_wire import number_of
from onnxtile.ir.metadata import TILE
from onnxtile.lowering.bulk_reading import INITIALIZER, NODE, Bytes, Index, Offsets, contents, fields, hashes, hashes_of
from onnxtile.lowering.report import Row
from onnxtile.operators.registry import Types
from onnxtile.operators.sizes import UNSIZED, Size
from onnxtile.tiling.limits import ProductLimits

Shape = tuple[int | None, ...]
Shapes = Mapping[str, Shape]
DataTypes = Mapping[str, ir.DataType]
_INPUT, _OUTPUT, _OP_TYPE = (number_of(onnx.NodeProto, name) for name in ("input", "output", "op_type"))
_NAME, _DIMS, _DATA_TYPE = (number_of(onnx.TensorProto, name) for name in ("name", "dims", "data_type"))
_UNKNOWN = -1
MOVES = frozenset(("Split", "Slice", "Transpose", "Pad", "Cast"))
"""Operators whose results' types and shapes follow from what they read."""


class UnrolledProducts:
    """The products in a file's main graph, and the shapes of their operands.

    Values are numbered: initializers in their order, inputs, then outputs of nodes. Raises PassError where a name is
    read that nothing computes before, or computed that is there already.
    """

    def __init__(self, data: Bytes, offsets: Offsets, known: Shapes, types: DataTypes = {}) -> None:
        """`known`, `types`: of values that were there before anything was cut; an axis that isn't a number is None."""
        self._data, self._offsets = data, offsets
        stored = self._read_initializers()
        rest = onnx.GraphProto.FromString(b"".join(data[start:stop].tobytes() for start, stop in offsets.rest))
        inputs = hashes_of([*(value.name for value in rest.input), *(t.values.name for t in rest.sparse_initializer)])
        reads, writes, (products, self._convolutions) = self._read_nodes()
        self._node_of = np.concatenate([np.full(len(stored) + len(inputs), -1), writes[0]])
        self._names = np.concatenate([stored, inputs, writes[1]])
        self._index = Index(self._names)
        values = self._index.find(reads[1])
        self._check_names(reads[0], reads[1], values)
        shapes = zip(self._index.find(hashes_of(known)).tolist(), known.values(), strict=True)
        self._shapes: dict[int, Shape | None] = {value: shape for value, shape in shapes if value >= len(stored)}
        self._type_names = types
        first, second = np.full((2, len(offsets.nodes)), -1)
        for at, operand in enumerate((first, second)):
            chosen = reads[2] == at
            operand[reads[0][chosen]] = values[chosen]
        self._first, self._second = first, second
        self._products, self._operands = products, (first[products], second[products])

    def beyond(self, limits: ProductLimits, judged: Collection[str]) -> Iterator[Row]:
        """Yield a row for each product that exceeds the limits, or may; `judged`: names of nodes that may.

        A product whose operands aren't known is one that was there before, unless it's a tile's.
        """
        ranks, rows, columns = self._sizes
        a, b = self._operands
        m, k = np.where(ranks[a] == 1, 1, rows[a]), columns[a]
        n = np.where(ranks[b] == 1, 1, columns[b])
        doubtful = (ranks[a] <= 0) | (ranks[b] <= 0)
        for types, of_types in self._by_types(limits):
            if limits.by_types and (None in types or limits.unmultiplied(types)):
                doubtful[of_types] = True
                continue
            allowed = limits.for_types(types)
            for size, limit in zip((m, k, n), allowed.axes, strict=True):
                if limit is not None:
                    doubtful[of_types] |= (size[of_types] > limit) | (size[of_types] == _UNKNOWN)
        for at in np.flatnonzero(doubtful):
            node = self._node(self._products[at])
            if not {node.name, *node.output} & set(judged):
                sizes = [None if size == _UNKNOWN else int(size) for size in (m[at], k[at], n[at])]
                if min(ranks[a[at]], ranks[b[at]]) > 0:
                    yield _row(node, sizes, limits, self._types_at(int(at)))
                elif any(pair.key == TILE for pair in node.metadata_props):
                    words = "unknown-shape: a tile's shape doesn't follow from the file; please report this"
                    yield Row(node.name, node.op_type, "", UNSIZED, None, "unknown", words)

    def convolutions_beyond(self, limits: ProductLimits, judged: Collection[str]) -> Iterator[Row]:
        """Yield a row for each Conv that exceeds the limits, or may, by its weight and its result's known shape."""
        for at in self._convolutions.tolist():
            node = self._node(at)
            if {node.name, *node.output} & set(judged) or node.domain not in ("", "ai.onnx"):
                continue
            (result,) = self._index.find(hashes_of(node.output)).tolist()
            y, w = self._shape(result) or (), self._shape(int(self._second[at])) or ()
            groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
            m = _count(y[2:] if y[:1] == (None,) else (*y[:1], *y[2:]))
            sizes = [m, _count(w[1:]), w[0] // groups if w and w[0] is not None and groups else None]
            types = (self._type(int(self._second[at])),) * 2
            multiplied = not limits.by_types or (None not in types and limits.unmultiplied(types) is None)
            pairs = zip(sizes, limits.for_types(types).axes if multiplied else (0, 0, 0), strict=True)
            if any(limit is not None and (size is None or size > limit) for size, limit in pairs):
                yield _row(node, sizes, limits, types)

    def _by_types(self, limits: ProductLimits) -> Iterator[tuple[Types, np.ndarray | slice]]:
        """Yield types of operands, each pair with the products that have them; limits without types have one of all."""
        if not limits.by_types:
            yield (None, None), slice(None)
            return
        by_types: dict[Types, list[int]] = {}
        for at in range(len(self._products)):
            by_types.setdefault(self._types_at(at), []).append(at)
        for types, products in by_types.items():
            yield types, np.array(products)

    def _types_at(self, product: int) -> Types:
        a, b = (int(operand[product]) for operand in self._operands)
        return self._type(a), self._type(b)

    @cached_property
    def _types(self) -> dict[int, ir.DataType | None]:
        """Types of values that were known before; those of others are added as they are asked for."""
        values = self._index.find(hashes_of(self._type_names)).tolist()
        return dict(zip(values, self._type_names.values(), strict=True))

    def _type(self, value: int) -> ir.DataType | None:
        """Return a value's type; what Split, Slice, Transpose and Pad give has that of what they read."""
        if 0 <= value < len(self._dims):
            return ir.DataType(int(self._stored_types[value]))
        if value < 0 or value in self._types:
            return self._types.get(value)
        at = self._node_of[value]
        node = self._node(at) if at >= 0 else onnx.NodeProto()
        found: ir.DataType | None = None
        if node.op_type == "Cast":
            found = ir.DataType(next(attribute.i for attribute in node.attribute if attribute.name == "to"))
        elif node.op_type in MOVES:
            found = self._type(int(self._first[at]))
        self._types[value] = found
        return found

    @cached_property
    def _sizes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rank (0: unknown), last size but one and last size of each value; at the end, of none."""
        ranks, rows, columns = (np.full(len(self._node_of) + 1, number) for number in (0, _UNKNOWN, _UNKNOWN))
        count = len(self._dims)
        ranks[:count] = (self._dims != _UNKNOWN).sum(axis=1)
        last = np.maximum(ranks[:count] - 1, 0)
        columns[:count] = self._dims[np.arange(count), last]
        rows[:count] = self._dims[np.arange(count), np.maximum(last - 1, 0)]
        read = np.zeros(len(ranks), bool)
        for operand in self._operands:
            read[operand] = True
        for value in (np.flatnonzero(read[count:-1]) + count).tolist():
            if shape := self._shape(value):
                sizes = [_UNKNOWN if size is None else size for size in shape]
                ranks[value], rows[value], columns[value] = len(sizes), sizes[-2:][0], sizes[-1]
        return ranks, rows, columns

    def _shape(self, value: int) -> Shape | None:
        """Return a value's shape; that of what one of MOVES gives follows from what it reads."""
        if value < 0:
            return None
        if value not in self._shapes:
            if value < len(self._dims):
                return tuple(size for size in self._dims[value].tolist() if size != _UNKNOWN)
            self._shapes[value] = None
            at = self._node_of[value]
            node = self._node(at) if at >= 0 else onnx.NodeProto()
            if node.op_type in MOVES:
                outputs = self._index.find(hashes_of(node.output)).tolist()
                moved = self._moved(node, self._shape(int(self._first[at])))
                self._shapes |= {
                    output: shape
                    for output, shape in zip(outputs, moved, strict=True)
                    if self._shapes.get(output) is None
                }
        return self._shapes[value]

    def _moved(self, node: onnx.NodeProto, shape: Shape | None) -> list[Shape | None]:
        """Return what Split, Slice, Transpose, Pad and Cast make of a shape."""
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if shape is None or node.op_type == "Cast":
            return [shape] * len(node.output)
        if node.op_type == "Transpose":
            order = attributes["perm"].ints if "perm" in attributes else reversed(range(len(shape)))
            return [tuple(shape[axis] for axis in order)]
        if node.op_type == "Slice":
            return [self._sliced(node, {name: list(attribute.ints) for name, attribute in attributes.items()}, shape)]
        own = attributes.get("split", attributes.get("pads"))
        lengths = self._numbers(node.input[1]) if len(node.input) > 1 else list(own.ints) if own else []
        if node.op_type == "Pad":
            ends = zip(shape, lengths, lengths[len(shape) :], strict=False)
            return [tuple(None if size is None else size + before + after for size, before, after in ends) or None]
        axis = attributes["axis"].i if "axis" in attributes else 0
        if len(lengths) != len(node.output):
            return [None] * len(node.output)
        return [(*shape[:axis], length, *shape[axis:][1:]) for length in lengths]

    def _sliced(self, node: onnx.NodeProto, attributes: dict[str, list[int]], shape: Shape) -> Shape | None:
        """Return the shape that a Slice without steps leaves; None where that doesn't follow from the file."""
        bounds = dict(zip(("starts", "ends", "axes"), map(self._numbers, node.input[1:]), strict=False)) or attributes
        counts = {len(numbers) for numbers in bounds.values()}
        if len(node.input) > 4 or len(bounds) != 3 or len(counts) != 1 or 0 in counts:
            return None
        if not all(-len(shape) <= axis < len(shape) for axis in bounds["axes"]):
            return None
        sizes = list(shape)
        for start, end, axis in zip(bounds["starts"], bounds["ends"], bounds["axes"], strict=True):
            size = sizes[axis]
            sizes[axis] = None if size is None else len(range(size)[start:end])
        return tuple(sizes)

    def _numbers(self, name: str) -> list[int]:
        """Return what an initializer of whole numbers holds; none where it isn't one."""
        (value,) = self._index.find(hashes_of([name])).tolist()
        if not 0 <= value < len(self._dims):
            return []
        begin, end = contents(self._data, self._offsets.initializers[value : value + 2], INITIALIZER)
        tensor = onnx.TensorProto.FromString(self._data[begin[0] : end[0]].tobytes())
        whole = tensor.data_type == onnx.TensorProto.INT64 and len(tensor.dims) == 1 and tensor.raw_data
        return list(numpy_helper.to_array(tensor)) if whole else []

    def _read_initializers(self) -> np.ndarray:
        """Return the numbers of the initializers' names; their dims are kept, _UNKNOWN behind the last of each."""
        starts = self._offsets.initializers
        names, dims = np.zeros(len(starts) - 1, np.uint64), np.full((len(starts) - 1, 2), _UNKNOWN)
        ranks, self._stored_types = np.zeros((2, len(names)), np.int64)
        for tensor, field, at, value in fields(self._data, starts, INITIALIZER):
            named, sized, typed = field == _NAME, field == _DIMS, field == _DATA_TYPE
            self._stored_types[tensor[typed]] = value[typed]
            names[tensor[named]] = hashes(self._data, at[named], value[named])
            if sized.any():
                of = tensor[sized]
                if ranks[of].max() >= dims.shape[1]:
                    dims = np.pad(dims, ((0, 0), (0, 1)), constant_values=_UNKNOWN)
                dims[of, ranks[of]] = value[sized]
                ranks[of] += 1
        self._dims = dims
        return names

    def _read_nodes(self) -> tuple[tuple[np.ndarray, ...], ...]:
        """Return what nodes read (node, name, which of its inputs), what they write (node, name), products, Convs."""
        starts = self._offsets.nodes
        places, none = np.zeros(len(starts) - 1, np.int64), np.zeros(0, np.int64)
        products, convolutions = [none], [none]
        reads: list[tuple[np.ndarray, ...]] = [(none, np.zeros(0, np.uint64), none)]
        writes: list[tuple[np.ndarray, ...]] = [reads[0][:2]]
        matmul, integer, conv = hashes_of(("MatMul", "MatMulInteger", "Conv"))
        for node, field, at, length in fields(self._data, starts, NODE):
            if len(chosen := np.flatnonzero(field == _INPUT)):
                of = node[chosen]
                reads.append((of, hashes(self._data, at[chosen], length[chosen]), places[of]))
                places[of] += 1
            if len(chosen := np.flatnonzero(field == _OUTPUT)):
                writes.append((node[chosen], hashes(self._data, at[chosen], length[chosen])))
            if len(chosen := np.flatnonzero(field == _OP_TYPE)):
                names = hashes(self._data, at[chosen], length[chosen])
                products.append(node[chosen][(names == matmul) | (names == integer)])
                convolutions.append(node[chosen][names == conv])
        joined = [tuple(map(np.concatenate, zip(*some, strict=True))) for some in (reads, writes)]
        named = [tuple(column[some[1] != 0] for column in some) for some in joined]
        return named[0], named[1], (np.sort(np.concatenate(products)), np.sort(np.concatenate(convolutions)))

    def _check_names(self, nodes: np.ndarray, names: np.ndarray, values: np.ndarray) -> None:
        """Raise PassError for a name that is read before it's computed, and for one that is computed twice."""
        early = (values < 0) | (self._node_of[values] >= nodes)
        if early.any():
            at = nodes[early].min()
            node = self._node(at)
            bad = set(names[early & (nodes == at)].tolist())
            name = next(name for name in node.input if hashes_of([name])[0] in bad)
            words = f"{node.op_type} {node.name!r} reads {name!r}, which nothing computes; please report this"
            raise PassError(words)
        again = self._index.repeated()
        for value in again[self._node_of[again] >= 0]:
            node = self._node(self._node_of[value])
            name = next(name for name in node.output if hashes_of([name])[0] == self._names[value])
            words = f"computes {name!r}, which is there already; please report this"
            raise PassError(f"{node.op_type} {node.name!r} {words}")

    def _node(self, at: int) -> onnx.NodeProto:
        begin, end = contents(self._data, self._offsets.nodes[at : at + 2], NODE)
        node: onnx.NodeProto = onnx.NodeProto.FromString(self._data[begin[0] : end[0]].tobytes())
        return node


def _count(sizes: Sequence[int | None]) -> int | None:
    """Return the product; None where a size isn't known, or there's none."""
    known = [size for size in sizes if size is not None]
    return math.prod(known) if known and len(known) == len(sizes) else None


def _row(node: onnx.NodeProto, sizes: list[int | None], limits: ProductLimits, types: Types) -> Row:
    """Return the row of a product that exceeds the limits, or may."""
    m, k, n = sizes
    words, surely = "postcondition: a rewrite left it so; please report this", True
    if limits.by_types and None in types:
        words, surely = "dtype: the types of a tile don't follow from the file; please report this", False
    elif unmultiplied := limits.unmultiplied(types):
        words = f"engine: {unmultiplied}"
    else:
        pairs = zip(sizes, limits.for_types(types).axes, strict=True)
        surely = any(size is not None and limit is not None and size > limit for size, limit in pairs)
    return Row(node.name, node.op_type, "", Size(m, k, n, None), None, "over" if surely else "unknown", words)
