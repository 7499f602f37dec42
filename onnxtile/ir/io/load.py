"""Read models: from a file, protobuf, onnx_ir or onnx-graphsurgeon, with everything that may go wrong on the way."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import google.protobuf.message
import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError, OnnxtileError, unreadable
from onnxtile.ir.graphs import all_graphs, subgraphs
from onnxtile.ir.io.checker import check_order, check_structure, one_line, put_in_order, skeleton_of_proto
from onnxtile.ir.io.data_files import DataTensor, find
from onnxtile.ir.io.trust import audit, read_in
from onnxtile.ir.left_out_outputs import name_left_out
from onnxtile.ir.metadata import SPARSE_META, VALUE_INFO_META
from onnxtile.ir.opset_imports import settle_ir, settled
from onnxtile.ir.shadowing import without_copies


def load(path: str | os.PathLike[str]) -> ir.Model:
    """Read a model file; weights in external data stay there until they're needed.

    Raises ModelError for a file that can't be read or isn't a valid model, or whose external data is missing, too
    short or outside the model's folder; UnsupportedError for what couldn't be written again.
    """
    path = Path(path)
    return from_proto(parse(path), str(path), path.parent)


def check_regular(path: Path, what: str) -> None:
    """Refuse a pipe, a device or a socket, which may never end; ModelError. What isn't there is told by its reader."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ModelError(f"{path}: it isn't a regular file; give the path of {what}")


def parse(path: Path) -> onnx.ModelProto:
    """Return the protobuf in a file, not yet checked; ModelError for a file that can't be read or holds none."""
    proto = onnx.ModelProto()
    check_regular(path, "an ONNX file")
    try:
        proto.ParseFromString(path.read_bytes())
    except (OSError, ValueError) as error:  # ValueError: no file can be called so
        raise ModelError(unreadable(path, error, "; give the path of an ONNX file")) from error
    except google.protobuf.message.DecodeError as error:
        raise ModelError(f"{path}: not an ONNX model, or cut off: {one_line(error)}") from error
    return proto


def from_proto(proto: onnx.ModelProto, place: str = "the model", folder: Path | None = None) -> ir.Model:
    """Return the IR of a ModelProto, checked. `folder`: where its external data lies (None: it may have none)."""
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output or proto.graph.input):
        raise ModelError(f"{place}: holds no graph; give a whole ONNX model")
    proto = without_copies(proto)
    try:
        raw = audit(proto, folder)
        proto = settled(proto)
        if folder is not None:
            read_in(proto, folder)
    except OnnxtileError as error:
        raise type(error)(f"{place}: {error}") from error
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.ERROR)  # what it warns of, the checker below refuses
    try:
        model = ir.from_proto(with_sparse_as_inputs(proto))
    except (ir.serde.SerdeError, ValueError, NotImplementedError, TypeError, KeyError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ModelError(f"{place}: {one_line(cause)}") from error
    finally:
        logger.setLevel(level)
    name_left_out(model)
    _take_bytes(model.graph, raw)
    if folder is not None:
        _find_data(model, folder)
    for sparse in proto.graph.sparse_initializer:
        next(value for value in model.graph.inputs if value.name == sparse.values.name).meta[SPARSE_META] = sparse
    try:
        _mark_value_info(model.graph, proto.graph)
        was_sorted = not put_in_order(model)
        check_structure(model, skeleton_of_proto(proto) if was_sorted else None, ordered=True)
    except ModelError as error:
        raise ModelError(f"{place}: {error}") from error
    except ValueError as error:  # text that isn't UTF-8, an attribute without the graph that its type says
        raise ModelError(f"{place}: not an ONNX model, or damaged: {one_line(error)}") from error
    return model


def _take_bytes(graph: ir.Graph, raw: dict[str, bytes]) -> None:
    """Let tensors keep the bytes that were read already: protobuf copies them each time it's asked."""
    for name, data in raw.items():
        value = graph.initializers[name]
        old = value.const_value
        assert old is not None
        array = np.frombuffer(data, old.dtype.numpy().newbyteorder("<")).reshape(old.shape.numpy())
        value.const_value = ir.Tensor(
            array, dtype=old.dtype, name=name, doc_string=old.doc_string, metadata_props=dict(old.metadata_props)
        )


def _find_data(model: ir.Model, folder: Path | None) -> None:
    """Let tensors in external data be read from files that were found by our rules; None: each from its own folder."""
    find_once = cache(find)
    for value, tensor in _external(model):
        base = folder or (Path(tensor.base_dir) if tensor.base_dir else None)
        if base is not None and not isinstance(tensor, DataTensor):
            value.const_value = DataTensor(tensor, find_once(base, os.fspath(tensor.location)))


def _external(model: ir.Model) -> Iterator[tuple[ir.Value, ir.ExternalTensor]]:
    """Yield the initializers in external data."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                yield value, value.const_value


def _read_inner(model: ir.Model) -> None:
    """Read what bodies, attributes and functions keep in external data into the model, as `trust.read_in` does."""
    for graph in model.graphs():
        for value in graph.initializers.values() if graph is not model.graph else ():
            value.const_value = _inside(value.const_value)
    for node in (node for graph in all_graphs(model) for node in graph):
        for name, attribute in list(node.attributes.items()):
            if attribute.type == ir.AttributeType.TENSOR and not attribute.is_ref():
                tensor = _inside(attribute.as_tensor())
                if tensor is not None and tensor is not attribute.value:
                    node.attributes[name] = ir.AttrTensor(name, tensor)


def _inside(tensor: ir.TensorProtocol | None) -> ir.TensorProtocol | None:
    """Return the tensor, its numbers in memory if they were in external data."""
    if not isinstance(tensor, ir.ExternalTensor):
        return tensor
    if tensor.base_dir:
        tensor = DataTensor(tensor, find(Path(tensor.base_dir), os.fspath(tensor.location)))
    return ir.Tensor(tensor.numpy().copy(), dtype=tensor.dtype, name=tensor.name)


def from_ir(model: ir.Model) -> ir.Model:
    """Return a checked copy of an IR model; weights are shared, not copied."""
    copy = copy_of(model)
    settle_ir(copy)
    name_left_out(copy)
    _find_data(copy, None)
    _read_inner(copy)
    check_structure(copy)
    return copy


def copy_of(model: ir.Model) -> ir.Model:
    """Return a copy to change or to keep; weights are shared. Raises ModelError where values aren't the model's own."""
    try:
        copy = model.clone()
    except RuntimeError as error:
        check_order(model)
        raise ModelError(f"the model can't be copied: {one_line(error.__cause__ or error)}") from error
    copy.meta.update(model.meta)
    return copy


def carry_over(model: ir.Model, proto: onnx.ModelProto) -> None:
    """Put into `proto` what came with the model's file but isn't part of the IR: sparse initializers."""
    sparse = {value.name: value.meta[SPARSE_META] for value in model.graph.inputs if SPARSE_META in value.meta}
    if sparse:
        inputs = [value for value in proto.graph.input if value.name not in sparse]
        del proto.graph.input[:]
        proto.graph.input.extend(inputs)
        proto.graph.sparse_initializer.extend(sparse.values())


def external_files(model: ir.Model) -> list[Path]:
    """Return the files that weights of the model lie in."""
    return sorted({Path(tensor.path) for _, tensor in _external(model)})


def read_external_data(model: ir.Model) -> None:
    """Read weights in external data into the model."""
    for value, tensor in _external(model):
        value.const_value = ir.Tensor(tensor.numpy().copy(), dtype=tensor.dtype, name=tensor.name)


def has_value_info(initializer: ir.Value) -> bool:
    """Return whether the model as read described this initializer in value_info too (onnx_ir would describe all)."""
    return VALUE_INFO_META in initializer.meta


def with_sparse_as_inputs(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with an input for each sparse initializer, which the IR has no place for; see `carry_over`."""
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
            value.meta[VALUE_INFO_META] = True
    for node, node_proto in zip(graph, proto.node, strict=True):
        attributes = node.attributes.data.values()
        for attribute, attribute_proto in zip(attributes, node_proto.attribute, strict=True) if attributes else ():
            nested = [attribute_proto.g] if attribute_proto.HasField("g") else attribute_proto.graphs
            for inner, inner_proto in zip(subgraphs(attribute), nested, strict=True):
                _mark_value_info(inner, inner_proto)
