"""From the compact model to the file: calls spelled out straight into protobuf, weights streamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import onnx
import onnx_ir as ir

from onnxtile.constants import ANNOTATION_META, OVERRIDABLE_FROM, read_array
from onnxtile.contraction import subgraphs
from onnxtile.errors import ModelError, PassError, UsageError
from onnxtile.files import data_file, remove_old_data, replacing
from onnxtile.forms import FORMS, Form
from onnxtile.forms.sink import ProtoSink, add_initializer
from onnxtile.forms.spelling import Speller
from onnxtile.progress import Progress, silent
from onnxtile.source import carry_over, has_value_info
from onnxtile.streaming import ALIGNMENT, Placed, Weights, fields, pieces, survey, write_data
from onnxtile.structure import check_names
from onnxtile.wire import LARGEST, head

UNROLLED = FORMS["unrolled"]
TOLD_BYTES = 4_000_000
"""How often progress is told while a file is written."""
_GRAPH = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number


@dataclass(frozen=True)
class DataFile:
    """How weights go to a data file beside the model: always, or only where the model would pass protobuf's 2 GB.

    `align`: bytes that the start of each weight is a multiple of.
    """

    always: bool = False
    align: int = ALIGNMENT

    def __post_init__(self) -> None:
        if self.align < ALIGNMENT or self.align % ALIGNMENT:
            raise UsageError(f"alignment is {self.align}: give a multiple of {ALIGNMENT} bytes")


def to_proto(
    model: ir.Model, form: Form = UNROLLED, weights: str = "pretile", keep_external: bool = True
) -> onnx.ModelProto:
    """The model with every call to a tiled product spelled out in `form`; the model itself isn't changed.

    `weights`: `pretile` makes an initializer of each tile of a constant operand, `split` cuts at run time.
    `keep_external`: weights in external data that aren't cut stay there; otherwise they are read into the model.
    Raises UnsupportedError for a product that the form can't spell.
    """
    proto, left = _spell_out(model, form, weights, keep_external)
    _check(proto.graph, survey(left)[0])
    for tensor in left.uncut:
        external = isinstance(tensor, ir.ExternalTensor) and not keep_external
        inside = ir.Tensor(read_array(tensor), dtype=tensor.dtype, name=tensor.name) if external else tensor
        proto.graph.initializer.append(ir.serde.serialize_tensor(inside))
    proto.graph.initializer.extend(left.new)
    for name, dtype, array in left.tiles():
        add_initializer(proto.graph, name, dtype, array)
    return proto


@contextmanager
def saving(
    model: ir.Model,
    target: Path,
    form: Form,
    weights: str,
    keep_external: bool,
    data: DataFile = DataFile(),
    say: Progress = silent,
) -> Iterator[tuple[Path, int]]:
    """Write the model with its calls spelled out (see `to_proto`) beside `target`: a path, and the number of nodes.

    What was written is moved onto `target` when the block ends, and removed if it raises. Weights go to the file one by
    one; those of a model above 2 GB, or of any if `data` says so, to a file `target.CHECKSUM.data`: it's there before
    the model that refers to it takes the place of the old one, whose own data goes after. So a kill at any moment
    leaves a model and its data, old or new.
    """
    proto, left = _spell_out(model, form, weights, keep_external, say)
    names, size = survey(left)
    _check(proto.graph, names)
    nodes = count_nodes(proto.graph) + sum(len(function.node) for function in proto.functions)
    body = proto.graph.SerializeToString()
    proto.ClearField("graph")
    front = proto.SerializeToString()
    if not data.always:
        length = len(body) + size
        if len(front) + length <= LARGEST:
            with replacing(target) as temporary:
                _write(temporary, front + head(_GRAPH, length) + body, pieces(left), length, say)
                yield temporary, nodes
            remove_old_data(target, kept="")
            return
    entries: list[Placed] = []

    def write(file: BinaryIO) -> int:
        placed, checksum = write_data(left, file, data.align)
        entries.extend(placed)
        return checksum

    with data_file(target, write) as name:
        length = len(body) + sum(map(len, fields(entries, name)))
        with replacing(target) as temporary:
            _write(temporary, front + head(_GRAPH, length) + body, fields(entries, name), length, say)
            yield temporary, nodes
    remove_old_data(target, kept=name)


def _write(path: Path, start: bytes, rest: Iterator[bytes], total: int, say: Progress) -> None:
    """Write the pieces one after the other; `total` bytes, about."""
    done, told = len(start), 0
    with path.open("wb") as file:
        file.write(start)
        for piece in rest:
            file.write(piece)
            done += len(piece)
            if done - told > TOLD_BYTES:
                say(f"write {done / 1e6:,.0f} MB", done, total)
                told = done


def _spell_out(
    model: ir.Model, form: Form, weights: str, keep_external: bool, say: Progress = silent
) -> tuple[onnx.ModelProto, Weights]:
    """The model without the main graph's initializers, and those."""
    compact = model.clone()
    compact.meta.update(model.meta)
    speller = Speller(compact, form, weights)
    speller.drop_calls()
    uncut, described = _take_initializers(compact.graph)
    proto = ir.to_proto(compact)
    _describe(described, proto.graph)
    for graph, graph_proto in _pairs(compact.graph, proto.graph):
        # the innermost come first: a graph is copied into its node anew when the nodes around it are
        _replace_calls(graph, graph_proto, speller, say)
        for cut in speller.cuts if graph is not compact.graph else ():
            if cut.graph is graph:
                for name, array in speller.arrays(cut):
                    add_initializer(graph_proto, name, cut.dtype, array)
    new = list(proto.graph.initializer)
    del proto.graph.initializer[:]
    cuts = [cut for cut in speller.cuts if cut.graph is compact.graph]
    left = Weights(uncut, new, cuts, speller, keep_external)
    carry_over(model, proto)
    if proto.ir_version < OVERRIDABLE_FROM:
        _list_as_inputs(proto.graph, left)
    return proto, left


def _check(graph: onnx.GraphProto, initializers: list[str]) -> None:
    """Refuse to hand out a graph whose names don't fit together: that would be our fault."""
    names = initializers + [sparse.values.name for sparse in graph.sparse_initializer]
    try:
        check_names(graph, names)
    except ModelError as error:
        raise PassError(f"the tiles were spelled wrongly, please report this: {error}") from error


def _take_initializers(graph: ir.Graph) -> tuple[list[ir.TensorProtocol], list[ir.Value]]:
    """Take the graph's initializers out; also those values that value_info or an annotation describes."""
    tensors, described = [], []
    for name, value in list(graph.initializers.items()):
        if value.const_value is not None:
            value.const_value.name = name
            tensors.append(value.const_value)
        if has_value_info(value) or value.meta.get(ANNOTATION_META):
            described.append(value)
        value.const_value = None
        graph.initializers.pop(name)
    return tensors, described


def _describe(initializers: list[ir.Value], proto: onnx.GraphProto) -> None:
    """Put back what the file said of its initializers, in front as onnx_ir does."""
    infos = list(proto.value_info)
    del proto.value_info[:]
    for value in initializers:
        if has_value_info(value):
            proto.value_info.append(ir.serde.serialize_value(value))
        for key, name in sorted(value.meta.get(ANNOTATION_META, {}).items()):
            annotation = next((a for a in proto.quantization_annotation if a.tensor_name == value.name), None)
            annotation = annotation or proto.quantization_annotation.add(tensor_name=value.name)
            annotation.quant_parameter_tensor_names.add(key=key, value=name)
    proto.value_info.extend(infos)


def _pairs(graph: ir.Graph, proto: onnx.GraphProto) -> list[tuple[ir.Graph, onnx.GraphProto]]:
    """The graph, and those inside its nodes to any depth, with their protobufs; the innermost come first."""
    pairs = []
    for node, node_proto in zip(graph, proto.node, strict=True):
        for attribute, attribute_proto in zip(node.attributes.values(), node_proto.attribute, strict=True):
            nested = [attribute_proto.g] if attribute_proto.HasField("g") else attribute_proto.graphs
            for inner, inner_proto in zip(subgraphs(attribute), nested, strict=True):
                pairs += _pairs(inner, inner_proto)
    return [*pairs, (graph, proto)]


def _replace_calls(graph: ir.Graph, proto: onnx.GraphProto, speller: Speller, say: Progress) -> None:
    """Replace the graph's calls by their nodes, and leave value_info to values that had it or aren't constants."""
    bare = {name for name, value in graph.initializers.items() if not has_value_info(value)}
    kept = [info for info in proto.value_info if info.name not in bare]
    if len(kept) < len(proto.value_info):
        del proto.value_info[:]
        proto.value_info.extend(kept)
    if not any(node in speller.products for node in graph):
        return
    nodes = list(proto.node)
    del proto.node[:]
    done, total = 0, sum(node in speller.products for node in graph)
    for node, node_proto in zip(graph, nodes, strict=True):
        if node in speller.products:
            done += 1
            say(f"spell {node.name} out", done, total)
            speller.spell(node, ProtoSink(speller.opset, proto, speller.origin(node)))
        else:
            proto.node.append(node_proto)


def _list_as_inputs(graph: onnx.GraphProto, weights: Weights) -> None:
    """Make inputs of the initializers that aren't: IR versions below 4 want all of them to be."""
    listed = {value.name for value in graph.input}
    described = [(str(tensor.name), tensor.dtype.value, tensor.shape.numpy()) for tensor in weights.uncut]
    described += [(tensor.name, tensor.data_type, tuple(tensor.dims)) for tensor in weights.new]
    described += [(name, dtype.value, array.shape) for name, dtype, array in weights.tiles()]
    for name, data_type, shape in described:
        if name not in listed:
            graph.input.append(onnx.helper.make_tensor_value_info(name, data_type, shape))


def count_nodes(graph: onnx.GraphProto) -> int:
    """Nodes of the graph and of those inside its nodes."""
    nested = 0
    for node in graph.node:
        if node.op_type in ("MatMul", "Add"):  # the many; they hold no graphs
            continue
        for attribute in node.attribute:
            nested += sum(map(count_nodes, [attribute.g] if attribute.HasField("g") else attribute.graphs))
    return len(graph.node) + nested
