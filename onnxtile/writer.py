"""From the compact model to the file: calls spelled out straight into protobuf, weights streamed."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir

from onnxtile.constants import ANNOTATION_META, OVERRIDABLE_FROM
from onnxtile.contraction import subgraphs
from onnxtile.errors import ModelError, PassError, UnsupportedError
from onnxtile.forms import FORMS, Form
from onnxtile.forms.sink import ProtoSink, add_initializer
from onnxtile.forms.spelling import Speller
from onnxtile.source import carry_over, has_value_info, read_external_data
from onnxtile.streaming import Weights, pieces, sizes
from onnxtile.structure import check_names
from onnxtile.wire import LARGEST, head

UNROLLED = FORMS["unrolled"]
_GRAPH = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number


def to_proto(
    model: ir.Model, form: Form = UNROLLED, weights: str = "pretile", keep_external: bool = True
) -> onnx.ModelProto:
    """The model with every call to a tiled product spelled out in `form`; the model itself isn't changed.

    `weights`: `pretile` makes an initializer of each tile of a constant operand, `split` cuts at run time.
    `keep_external`: weights in external data that aren't cut stay there; otherwise they are read into the model.
    Raises UnsupportedError for a product that the form can't spell.
    """
    proto, left = _spell_out(model, form, weights, keep_external)
    for tensor in left.uncut:
        proto.graph.initializer.append(ir.serde.serialize_tensor(tensor))
    proto.graph.initializer.extend(left.new)
    for name, dtype, array in left.tiles():
        add_initializer(proto.graph, name, dtype, array)
    return proto


def save(model: ir.Model, path: Path, form: Form, weights: str, keep_external: bool) -> int:
    """Write the model with its calls spelled out (see `to_proto`); returns the number of its nodes.

    Weights go to the file one by one. Raises UnsupportedError, before anything is written, where the file would pass
    protobuf's 2 GB.
    """
    proto, left = _spell_out(model, form, weights, keep_external)
    nodes = count_nodes(proto.graph) + sum(len(function.node) for function in proto.functions)
    body = proto.graph.SerializeToString()
    proto.ClearField("graph")
    front, length = proto.SerializeToString(), len(body) + sum(sizes(left))
    if len(front) + length > LARGEST:
        words = f"the lowered model has {length / 1e9:.1f} GB, and a protobuf file holds 2"
        raise UnsupportedError(f"{words}; keep its weights in external data beside it")
    with path.open("wb") as file:
        file.write(front + head(_GRAPH, length) + body)
        for piece in pieces(left):
            file.write(piece)
    return nodes


def _spell_out(model: ir.Model, form: Form, weights: str, keep_external: bool) -> tuple[onnx.ModelProto, Weights]:
    """The model without the main graph's initializers, and those."""
    compact = model.clone()
    compact.meta.update(model.meta)
    speller = Speller(compact, form, weights)
    speller.drop_calls()
    if not keep_external:
        read_external_data(compact)
    uncut, described = _take_initializers(compact.graph)
    proto = ir.to_proto(compact)
    _describe(described, proto.graph)
    for graph, graph_proto in _pairs(compact.graph, proto.graph):
        # the innermost come first: a graph is copied into its node anew when the nodes around it are
        _replace_calls(graph, graph_proto, speller)
        for cut in speller.cuts if graph is not compact.graph else ():
            if cut.graph is graph:
                for name, array in speller.arrays(cut):
                    add_initializer(graph_proto, name, cut.dtype, array)
    new = list(proto.graph.initializer)
    del proto.graph.initializer[:]
    left = Weights(uncut, new, [cut for cut in speller.cuts if cut.graph is compact.graph], speller)
    carry_over(model, proto)
    _check(proto.graph, left)
    if proto.ir_version < OVERRIDABLE_FROM:
        _list_as_inputs(proto.graph, left)
    return proto, left


def _check(graph: onnx.GraphProto, weights: Weights) -> None:
    """Refuse to hand out a graph whose names don't fit together: that would be our fault."""
    names = [str(tensor.name) for tensor in weights.uncut] + [tensor.name for tensor in weights.new]
    names += [name for name, _, _ in weights.tiles(blank=True)]
    names += [sparse.values.name for sparse in graph.sparse_initializer]
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


def _replace_calls(graph: ir.Graph, proto: onnx.GraphProto, speller: Speller) -> None:
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
    for node, node_proto in zip(graph, nodes, strict=True):
        if node in speller.products:
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
