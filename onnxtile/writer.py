"""From the compact model to the file: calls spelled out straight into protobuf."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import EncodeError

from onnxtile.constants import OVERRIDABLE_FROM
from onnxtile.contraction import subgraphs
from onnxtile.errors import UnsupportedError
from onnxtile.forms import form_of
from onnxtile.forms.sink import ProtoSink, add_initializer
from onnxtile.forms.spelling import Speller
from onnxtile.source import carry_over, has_value_info, read_external_data


def save(model: ir.Model, path: Path, form: str, weights: str, keep_external: bool) -> int:
    """Write the model with its calls spelled out; returns the number of nodes. See `to_proto`.

    Raises UnsupportedError where the result passes protobuf's 2 GB.
    """
    proto = to_proto(model, form, weights, keep_external)
    try:
        path.write_bytes(proto.SerializeToString())
    except (ValueError, EncodeError) as error:
        raise UnsupportedError(
            "the lowered model passes the 2 GB that a protobuf file holds; keep the weights in external data beside it"
        ) from error
    return _count(proto.graph) + sum(len(function.node) for function in proto.functions)


def to_proto(
    model: ir.Model, form: str = "unrolled", weights: str = "pretile", keep_external: bool = True
) -> onnx.ModelProto:
    """The model with every call to a tiled product spelled out in `form`; the model itself isn't changed.

    `weights`: `pretile` makes an initializer of each tile of a constant operand, `split` cuts at run time.
    `keep_external`: weights in external data that aren't cut stay there; otherwise they are read into the model.
    Raises UsageError for an unknown form, UnsupportedError for a product that the form can't spell.
    """
    compact = model.clone()
    compact.meta.update(model.meta)
    speller = Speller(compact, form_of(form), weights)
    arrays = [(cut.graph, cut.dtype, speller.arrays(cut)) for cut in speller.cuts]
    speller.drop_calls()
    if not keep_external:
        read_external_data(compact)
    proto = ir.to_proto(compact)
    protos = dict(_pairs(compact.graph, proto.graph))
    for graph, graph_proto in protos.items():
        _spell_out(graph, graph_proto, speller)
    for graph, dtype, tiles in arrays:
        for name, array in tiles:
            add_initializer(protos[graph], name, dtype, array)
    if proto.ir_version < OVERRIDABLE_FROM:
        _list_initializers(proto.graph)
    carry_over(model, proto)
    return proto


def _pairs(graph: ir.Graph, proto: onnx.GraphProto) -> list[tuple[ir.Graph, onnx.GraphProto]]:
    """The graph, and those inside its nodes to any depth, with their protobufs; the innermost come first."""
    pairs = []
    for node, node_proto in zip(graph, proto.node, strict=True):
        for attribute, attribute_proto in zip(node.attributes.values(), node_proto.attribute, strict=True):
            nested = [attribute_proto.g] if attribute_proto.HasField("g") else attribute_proto.graphs
            for inner, inner_proto in zip(subgraphs(attribute), nested, strict=True):
                pairs += _pairs(inner, inner_proto)
    return [*pairs, (graph, proto)]


def _spell_out(graph: ir.Graph, proto: onnx.GraphProto, speller: Speller) -> None:
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


def _list_initializers(graph: onnx.GraphProto) -> None:
    """Make inputs of the initializers that aren't: IR versions below 4 want all of them to be."""
    listed = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if tensor.name not in listed:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))


def _count(graph: onnx.GraphProto) -> int:
    """Nodes of the graph and of those inside its nodes."""
    nested = 0
    for node in graph.node:
        if node.op_type in ("MatMul", "Add"):  # the many; they hold no graphs
            continue
        for attribute in node.attribute:
            nested += sum(map(_count, [attribute.g] if attribute.HasField("g") else attribute.graphs))
    return len(graph.node) + nested
