"""From the compact model to protobuf: calls written as nodes, what's large left in pieces."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from onnxtile.ir.arrays import read_array, tensor_proto
from onnxtile.ir.constants import OVERRIDABLE_FROM
from onnxtile.ir.graphs import all_graphs, default_opset, is_tiled_product, subgraphs
from onnxtile.ir.io.load import carry_over, copy_of, has_value_info
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.ir.metadata import ANNOTATION_META
from onnxtile.lowering.value_info import add_value_info, check_count
from onnxtile.lowering.weight_stream import WeightStream, stays_elsewhere
from onnxtile.tiling.call_writer import CallWriter
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.table import FORMS
from onnxtile.tiling.sinks.protobuf import WireSink

UNROLLED = FORMS["unrolled"]
Holder = onnx.GraphProto | onnx.FunctionProto


@dataclass(frozen=True)
class ModelInPieces:
    """A model in pieces: `proto` lacks the main graph's nodes, which are its fields `nodes`, and its initializers.

    `ends`: where each of these fields ends. `count`: all nodes, those of nested graphs and functions among them.
    """

    proto: onnx.ModelProto
    nodes: bytearray
    ends: array[int]
    weights: WeightStream
    count: int


def to_proto(
    model: ir.Model,
    form: Form = UNROLLED,
    weights: str = "pretile",
    keep_external: bool = True,
    value_info: bool = False,
) -> onnx.ModelProto:
    """Return the model with every call to a tiled product written in `form`; the model itself isn't changed.

    `weights`: `pretile` makes an initializer of each tile of a constant operand, `split` cuts at run time.
    `keep_external`: weights in external data that aren't cut stay there; otherwise they are read into the model.
    `value_info`: types and shapes of values that have none are added, where inference knows them.
    Raises UnsupportedError for a product that the form can't write.
    """
    in_pieces = write_calls(model, form, weights, keep_external, value_info=value_info)
    proto, left = in_pieces.proto, in_pieces.weights
    proto.graph.MergeFromString(bytes(in_pieces.nodes))
    for tensor in left.uncut:
        external = isinstance(tensor, ir.ExternalTensor) and not stays_elsewhere(tensor, keep_external)
        inside = ir.Tensor(read_array(tensor), dtype=tensor.dtype, name=tensor.name) if external else tensor
        proto.graph.initializer.append(ir.serde.serialize_tensor(inside))
    proto.graph.initializer.extend(left.new)
    proto.graph.initializer.extend(tensor_proto(*tile) for tile in left.tiles())
    return proto


def write_calls(
    model: ir.Model, form: Form, weights: str, keep_external: bool, say: Progress = silent, value_info: bool = False
) -> ModelInPieces:
    """Write calls as `to_proto` does, but leave apart what's large, to be written piece by piece."""
    with _taken_apart(model) as compact:
        writer = CallWriter(compact, form, weights)
        writer.drop_calls()
        uncut, described = _take_initializers(compact.graph)
        proto = ir.to_proto(compact)
        for function in proto.functions:
            function.domain = function.domain  # onnx_ir leaves an empty one out, and the checker wants it
        _describe(described, proto.graph)
        count = 0
        for function, function_proto in zip(compact.functions.values(), proto.functions, strict=True):
            opset = default_opset(function.opset_imports) or writer.opset
            sink = _write_nested(function.graph, function_proto, writer, opset, say)
            count += sink.count
            function_proto.MergeFromString(bytes(sink.nodes))
        sink = _write_nested(compact.graph, proto.graph, writer, writer.opset, say)
        cuts = [cut for cut in writer.cuts if cut.graph is compact.graph]
        left = WeightStream(uncut, sink.constants, cuts, writer, keep_external)
        carry_over(model, proto)
        if proto.ir_version < OVERRIDABLE_FROM:
            _list_as_inputs(proto.graph, left)
        if value_info:
            check_count(count + sink.count)
            say("infer types and shapes")
            nodes = add_value_info(proto, bytes(sink.nodes), left)
            sink = WireSink(writer.opset)
            for node_proto in nodes:
                sink.copy(node_proto)
        return ModelInPieces(proto, sink.nodes, sink.ends, left, count + sink.count)


@contextmanager
def _taken_apart(model: ir.Model) -> Iterator[ir.Model]:
    """Give a copy to take apart; or the model itself, put together again afterwards, where no product is to be written.

    Of a large model, a copy takes as long as what is done with it.
    """
    if any(is_tiled_product(node) for graph in all_graphs(model) for node in graph):
        yield copy_of(model)
        return
    version, initializers = model.ir_version, model.graph.initializers
    held = [(name, value, value.const_value) for name, value in initializers.items()]
    imports = [model.opset_imports, *(function.opset_imports for function in model.functions.values())]
    versions = [dict(imported) for imported in imports]
    try:
        yield model
    finally:
        model.ir_version = version
        initializers.clear()
        for name, value, tensor in held:
            value.const_value = tensor
            initializers[name] = value
        for imported, before in zip(imports, versions, strict=True):
            imported.clear()
            imported.update(before)


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


def _write_nested(graph: ir.Graph, proto: Holder, writer: CallWriter, opset: int, say: Progress) -> WireSink:
    """Take the nodes out, their calls replaced, and those of the graphs inside them to any depth."""
    for node, node_proto in zip(graph, proto.node, strict=True):
        for attribute, attribute_proto in zip(node.attributes.values(), node_proto.attribute, strict=True):
            nested = [attribute_proto.g] if attribute_proto.HasField("g") else attribute_proto.graphs
            for inner, inner_proto in zip(subgraphs(attribute), nested, strict=True):
                # the innermost come first: a graph is copied into its node anew when the nodes around it are
                sink = _write_nested(inner, inner_proto, writer, opset, say)
                _add_tiles(sink, inner, writer)
                sink.finish(inner_proto)
    return _write_graph(graph, proto, writer, opset, say)


def _add_tiles(sink: WireSink, graph: ir.Graph, writer: CallWriter) -> None:
    """Add the tiles of the constants that are cut in the graph."""
    for cut in writer.cuts:
        if cut.graph is graph:
            for name, array in writer.arrays(cut):
                sink.tensor(tensor_proto(name, cut.dtype, array))


def _write_graph(graph: ir.Graph, proto: Holder, writer: CallWriter, opset: int, say: Progress) -> WireSink:
    """Take the nodes out, calls replaced, and leave value_info to values that had it or aren't constants."""
    bare = {name for name, value in graph.initializers.items() if not has_value_info(value)}
    described = [info for info in proto.value_info if info.name not in bare]
    if len(described) < len(proto.value_info):
        del proto.value_info[:]
        proto.value_info.extend(described)
    sink = WireSink(opset, function=isinstance(proto, onnx.FunctionProto))
    if isinstance(proto, onnx.FunctionProto):
        _add_tiles(sink, graph, writer)
    done, total = 0, sum(node in writer.products for node in graph)
    for node, node_proto in zip(graph, proto.node, strict=True):
        if node in writer.products:
            done += 1
            say(f"write {node.name}", done, total)
            writer.write(node, sink.serve(writer.origin(node), writer.outer(node), writer.schedule(node)))
        else:
            sink.copy(node_proto)
    del proto.node[:]
    return sink


def _list_as_inputs(graph: onnx.GraphProto, weights: WeightStream) -> None:
    """Make inputs of the initializers that aren't: IR versions below 4 want all of them to be."""
    listed = {value.name for value in graph.input}
    for name, data_type, shape in weights.described():
        if name not in listed:
            graph.input.append(onnx.helper.make_tensor_value_info(name, data_type, shape))
