"""Models in: from a file, protobuf, onnx_ir or onnx-graphsurgeon, with everything that may go wrong on the way."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import google.protobuf.message
import onnx
import onnx_ir as ir
from google.protobuf.unknown_fields import UnknownFieldSet

from onnxtile.constants import SPARSE_META
from onnxtile.contraction import subgraphs
from onnxtile.errors import ModelError, OnnxtileError, UnsupportedError
from onnxtile.structure import check_structure, one_line, skeleton_of_proto
from onnxtile.wire import head

if TYPE_CHECKING:
    from google.protobuf.message import Message

_VALUE_INFO_META = "onnxtile.value_info"
_RAW_DATA = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
ANNOTATION_META = "quant_parameter_tensor_names"
"""onnx_ir's key in a value's `meta` for its quantization annotation."""


def load(path: str | os.PathLike[str]) -> ir.Model:
    """Read a model file; weights in external data stay there until they're needed.

    Raises ModelError for a file that can't be read or isn't a valid model, or whose external data is missing, too
    short or outside the model's folder; UnsupportedError for what couldn't be written again.
    """
    path = Path(path)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: {(error.strerror or str(error)).lower()}; give the path of an ONNX file") from error
    except google.protobuf.message.DecodeError as error:
        raise ModelError(f"{path}: not an ONNX model, or cut off: {one_line(error)}") from error
    return from_proto(proto, str(path), path.parent)


def from_proto(proto: onnx.ModelProto, place: str = "the model", folder: Path | None = None) -> ir.Model:
    """The IR of a ModelProto, checked. `folder`: where its external data lies (None: it may have none)."""
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output or proto.graph.input):
        raise ModelError(f"{place}: holds no graph; give a whole ONNX model")
    try:
        for where, part in _parts(proto):
            _audit(part, where, proto.graph, folder)
    except OnnxtileError as error:
        raise type(error)(f"{place}: {error}") from error
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.ERROR)  # what it warns of, the checker below refuses
    try:
        model = ir.from_proto(_with_sparse_as_inputs(proto))
    except (ir.serde.SerdeError, ValueError, NotImplementedError, TypeError, KeyError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ModelError(f"{place}: {one_line(cause)}") from error
    finally:
        logger.setLevel(level)
    if folder is not None:
        ir.external_data.set_base_dir(model.graph, folder)
    for sparse in proto.graph.sparse_initializer:
        next(value for value in model.graph.inputs if value.name == sparse.values.name).meta[SPARSE_META] = sparse
    _mark_value_info(model.graph, proto.graph)
    try:
        check_structure(model, skeleton_of_proto(proto))
    except ModelError as error:
        raise ModelError(f"{place}: {error}") from error
    return model


def from_ir(model: ir.Model) -> ir.Model:
    """A checked copy of an IR model; weights are shared, not copied."""
    copy = model.clone()
    copy.meta.update(model.meta)
    check_structure(copy)
    return copy


def carry_over(model: ir.Model, proto: onnx.ModelProto) -> None:
    """Put into `proto` what came with the model's file but isn't part of the IR: sparse initializers."""
    sparse = {value.name: value.meta[SPARSE_META] for value in model.graph.inputs if SPARSE_META in value.meta}
    if sparse:
        inputs = [value for value in proto.graph.input if value.name not in sparse]
        del proto.graph.input[:]
        proto.graph.input.extend(inputs)
        proto.graph.sparse_initializer.extend(sparse.values())


def read_external_data(model: ir.Model) -> None:
    """Read weights in external data into the model."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            tensor = value.const_value
            if isinstance(tensor, ir.ExternalTensor):
                value.const_value = ir.Tensor(tensor.numpy().copy(), dtype=tensor.dtype, name=tensor.name)


def has_value_info(initializer: ir.Value) -> bool:
    """Whether the model as read described this initializer in value_info too (onnx_ir would describe all)."""
    return _VALUE_INFO_META in initializer.meta


def _with_sparse_as_inputs(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with an input for each sparse initializer, which the IR has no place for; see `carry_over`."""
    if not proto.graph.sparse_initializer:
        return proto
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    del copy.graph.sparse_initializer[:]
    for sparse in proto.graph.sparse_initializer:
        info = onnx.helper.make_tensor_value_info(sparse.values.name, sparse.values.data_type, sparse.dims)
        copy.graph.input.append(info)
    return copy


def _mark_value_info(graph: ir.Graph, proto: onnx.GraphProto) -> None:
    described = {info.name for info in proto.value_info}
    for name, value in graph.initializers.items():
        if name in described:
            value.meta[_VALUE_INFO_META] = True
    for node, node_proto in zip(graph, proto.node, strict=True):
        for attribute, attribute_proto in zip(node.attributes.values(), node_proto.attribute, strict=True):
            nested = [attribute_proto.g] if attribute_proto.HasField("g") else attribute_proto.graphs
            for inner, inner_proto in zip(subgraphs(attribute), nested, strict=True):
                _mark_value_info(inner, inner_proto)


def _parts(proto: onnx.ModelProto) -> Iterator[tuple[str, Message]]:
    """Graphs, nodes and tensors of a model, to any depth, with words for where they are."""
    yield "the model", proto
    yield from _graph_parts("the main graph", proto.graph)
    for function in proto.functions:
        yield from _node_parts(f"function {function.name!r}", function.node)


def _graph_parts(place: str, graph: onnx.GraphProto) -> Iterator[tuple[str, Message]]:
    yield place, graph
    for tensor in graph.initializer:
        yield f"initializer {tensor.name!r}", tensor
    yield from _node_parts(place, graph.node)


def _node_parts(place: str, nodes: Iterable[onnx.NodeProto]) -> Iterator[tuple[str, Message]]:
    for node in nodes:
        where = f"{node.op_type} {node.name or (node.output[0] if node.output else '')!r} of {place}"
        yield where, node
        for attribute in node.attribute:
            yield f"attribute {attribute.name!r} of {where}", attribute
            for tensor in [attribute.t] if attribute.HasField("t") else attribute.tensors:
                yield f"attribute {attribute.name!r} of {where}", tensor
            for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _graph_parts(f"{attribute.name} of {where}", graph)


def _audit(part: Message, where: str, main: onnx.GraphProto, folder: Path | None) -> None:
    """Refuse what the IR wouldn't carry, and tensors whose bytes aren't what they should be."""
    if len(UnknownFieldSet(part)):
        raise UnsupportedError(f"{where} has fields that this onnx release doesn't know; install a newer onnx")
    if isinstance(part, onnx.ModelProto) and part.training_info:
        raise UnsupportedError(
            "the model carries training_info, which names weights that would be cut; remove it first"
        )
    if isinstance(part, onnx.GraphProto) and part.sparse_initializer and part is not main:
        raise UnsupportedError(f"{where} holds sparse initializers, which are carried in the main graph only")
    if isinstance(part, onnx.AttributeProto) and (part.HasField("sparse_tensor") or part.sparse_tensors):
        raise UnsupportedError(f"{where} is a sparse tensor, which isn't supported; make it dense")
    if isinstance(part, onnx.TensorProto):
        if where.startswith("initializer") and not part.name:
            raise ModelError("an initializer has no name; name it or remove it")
        if part.HasField("segment"):
            raise UnsupportedError(f"{where} is stored in segments, which isn't supported; store it whole")
        _check_tensor(part, where, folder)


def _check_tensor(tensor: onnx.TensorProto, where: str, folder: Path | None) -> None:
    known = tensor.data_type in ir.DataType._value2member_map_ and tensor.data_type != onnx.TensorProto.UNDEFINED
    if not known or any(size < 0 for size in tensor.dims):
        raise ModelError(f"{where}: data type {tensor.data_type} or shape {list(tensor.dims)} isn't valid")
    dtype = ir.DataType(tensor.data_type)
    if dtype == ir.DataType.STRING:
        return
    expected = -(-math.prod(tensor.dims) * dtype.bitwidth // 8)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        _check_external(tensor, where, expected, folder)
    elif tensor.HasField("raw_data") and not _has_bytes(tensor, expected) and len(tensor.raw_data) != expected:
        words = f"its data has {len(tensor.raw_data)} bytes, its shape {list(tensor.dims)} needs {expected}"
        raise ModelError(f"{where}: {words}; write the model again")


def _has_bytes(tensor: onnx.TensorProto, expected: int) -> bool:
    """Whether the tensor is one of so many raw bytes and nothing unusual, told without a copy of them."""
    described = onnx.TensorProto(
        name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, doc_string=tensor.doc_string
    )
    if not tensor.HasField("doc_string"):
        described.ClearField("doc_string")
    return bool(described.ByteSize() + len(head(_RAW_DATA, expected)) + expected == tensor.ByteSize())


def _check_external(tensor: onnx.TensorProto, where: str, expected: int, folder: Path | None) -> None:
    facts = {entry.key: entry.value for entry in tensor.external_data}
    location = facts.get("location", "")
    if folder is None:
        raise ModelError(f"{where} is in external data {location!r}; pass the model's path, or load its data first")
    file = (folder / location).resolve()
    if not location or Path(location).is_absolute() or not file.is_relative_to(folder.resolve()):
        raise ModelError(f"{where}: its data is in {location!r}, outside the model's folder; move it there")
    if not file.is_file():
        raise ModelError(f"{where}: its data file {location!r} is missing; put it beside the model")
    try:
        offset, length = int(facts.get("offset", 0)), int(facts.get("length", expected))
    except ValueError as error:
        raise ModelError(f"{where}: its place in {location!r} isn't a number; write the model again") from error
    if offset < 0 or length != expected or offset + length > file.stat().st_size:
        words = f"bytes {offset} to {offset + length} of {location!r}, which has {file.stat().st_size}"
        raise ModelError(f"{where}: its data is in {words}, and its shape needs {expected}; write the model again")
