"""From the compact model to the file: calls spelled out straight into protobuf, weights streamed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.constants import OVERRIDABLE_FROM
from onnxtile.contraction import subgraphs
from onnxtile.errors import UnsupportedError
from onnxtile.forms import form_of
from onnxtile.forms.sink import ProtoSink, add_initializer, little_endian
from onnxtile.forms.spelling import Cut, Speller
from onnxtile.source import ANNOTATION_META, carry_over, has_value_info, read_external_data
from onnxtile.wire import LARGEST, head

_GRAPH = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number
_INITIALIZER = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_RAW_DATA = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number


def to_proto(
    model: ir.Model, form: str = "unrolled", weights: str = "pretile", keep_external: bool = True
) -> onnx.ModelProto:
    """The model with every call to a tiled product spelled out in `form`; the model itself isn't changed.

    `weights`: `pretile` makes an initializer of each tile of a constant operand, `split` cuts at run time.
    `keep_external`: weights in external data that aren't cut stay there; otherwise they are read into the model.
    Raises UsageError for an unknown form, UnsupportedError for a product that the form can't spell.
    """
    spelled = _spell_out(model, form, weights, keep_external)
    initializers = spelled.proto.graph.initializer
    for tensor in spelled.uncut:
        initializers.append(ir.serde.serialize_tensor(tensor))
    initializers.extend(spelled.new)
    for cut in spelled.cuts:
        for name, array in spelled.speller.arrays(cut):
            add_initializer(spelled.proto.graph, name, cut.dtype, array)
    return spelled.proto


def save(model: ir.Model, path: Path, form: str, weights: str, keep_external: bool) -> int:
    """Write the model with its calls spelled out (see `to_proto`); returns the number of its nodes.

    Weights go to the file one by one. Raises UnsupportedError, before anything is written, where the file would pass
    protobuf's 2 GB.
    """
    spelled = _spell_out(model, form, weights, keep_external)
    graph = onnx.GraphProto()
    graph.MergeFrom(spelled.proto.graph)
    spelled.proto.ClearField("graph")
    front, body = spelled.proto.SerializeToString(), graph.SerializeToString()
    length = len(body) + sum(_sizes(spelled))
    if len(front) + length > LARGEST:
        words = f"the lowered model has {length / 1e9:.1f} GB, and a protobuf file holds 2"
        raise UnsupportedError(f"{words}; keep its weights in external data beside it")
    with path.open("wb") as file:
        file.write(front + head(_GRAPH, length) + body)
        for piece in _pieces(spelled):
            file.write(piece)
    return _count(graph) + sum(len(function.node) for function in spelled.proto.functions)


class _Spelled(NamedTuple):
    """A model spelled out, but for the main graph's initializers: those it had, new small ones, and what was cut."""

    proto: onnx.ModelProto
    uncut: list[ir.TensorProtocol]
    new: list[onnx.TensorProto]
    cuts: list[Cut]
    speller: Speller


def _spell_out(model: ir.Model, form: str, weights: str, keep_external: bool) -> _Spelled:
    compact = model.clone()
    compact.meta.update(model.meta)
    speller = Speller(compact, form_of(form), weights)
    speller.drop_calls()
    if not keep_external:
        read_external_data(compact)
    uncut, described = _take_initializers(compact.graph)
    proto = ir.to_proto(compact)
    _describe(described, proto.graph)
    protos = dict(_pairs(compact.graph, proto.graph))
    for graph, graph_proto in protos.items():
        _replace_calls(graph, graph_proto, speller)
    for cut in speller.cuts:
        if cut.graph is not compact.graph:
            for name, array in speller.arrays(cut):
                add_initializer(protos[cut.graph], name, cut.dtype, array)
    new = list(proto.graph.initializer)
    del proto.graph.initializer[:]
    carry_over(model, proto)
    cuts = [cut for cut in speller.cuts if cut.graph is compact.graph]
    spelled = _Spelled(proto, uncut, new, cuts, speller)
    if proto.ir_version < OVERRIDABLE_FROM:
        _list_as_inputs(spelled)
    return spelled


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


def _sizes(spelled: _Spelled) -> Iterator[int]:
    """Bytes of each initializer as a field of the graph, without a look at a weight."""
    for tensor in spelled.uncut:
        raw = tensor.raw if isinstance(tensor, ir.serde.TensorProtoTensor) else ir.serde.serialize_tensor(tensor)
        yield len(head(_INITIALIZER, raw.ByteSize())) + raw.ByteSize()
    for constant in spelled.new:
        yield len(head(_INITIALIZER, constant.ByteSize())) + constant.ByteSize()
    for cut in spelled.cuts:
        blank = np.broadcast_to(np.empty((), cut.dtype.numpy()), cut.tensor.shape.numpy())
        for name, array in spelled.speller.arrays(cut, blank):
            yield len(_tile_head(name, cut.dtype, array)) + array.nbytes


def _pieces(spelled: _Spelled) -> Iterator[bytes]:
    """The initializers as fields of the graph, one at a time."""
    for tensor in spelled.uncut:
        encoded = ir.serde.serialize_tensor(tensor).SerializeToString()
        yield head(_INITIALIZER, len(encoded))
        yield encoded
    for constant in spelled.new:
        encoded = constant.SerializeToString()
        yield head(_INITIALIZER, len(encoded)) + encoded
    for cut in spelled.cuts:
        for name, array in spelled.speller.arrays(cut):
            yield _tile_head(name, cut.dtype, array)
            yield little_endian(array)


def _tile_head(name: str, dtype: ir.DataType, array: np.ndarray) -> bytes:
    """A tile's field up to the tile's bytes."""
    described = onnx.TensorProto(name=name, data_type=dtype.value, dims=array.shape).SerializeToString()
    described += head(_RAW_DATA, array.nbytes)
    return head(_INITIALIZER, len(described) + array.nbytes) + bytes(described)


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


def _list_as_inputs(spelled: _Spelled) -> None:
    """Make inputs of the initializers that aren't: IR versions below 4 want all of them to be."""
    listed = {value.name for value in spelled.proto.graph.input}
    described = [(str(tensor.name), tensor.dtype.value, tensor.shape.numpy()) for tensor in spelled.uncut]
    described += [(tensor.name, tensor.data_type, tuple(tensor.dims)) for tensor in spelled.new]
    for cut in spelled.cuts:
        described += [(name, cut.dtype.value, array.shape) for name, array in spelled.speller.arrays(cut)]
    for name, data_type, shape in described:
        if name not in listed:
            spelled.proto.graph.input.append(onnx.helper.make_tensor_value_info(name, data_type, shape))


def _count(graph: onnx.GraphProto) -> int:
    """Nodes of the graph and of those inside its nodes."""
    nested = 0
    for node in graph.node:
        if node.op_type in ("MatMul", "Add"):  # the many; they hold no graphs
            continue
        for attribute in node.attribute:
            nested += sum(map(_count, [attribute.g] if attribute.HasField("g") else attribute.graphs))
    return len(graph.node) + nested
