"""Refuse model files that reach outside, would lose something, or have other bytes than they claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import onnx_ir as ir
from google.protobuf.unknown_fields import UnknownFieldSet

from onnxtile.errors import ModelError, UnsupportedError
from onnxtile.ir.functions import check_calls
from onnxtile.ir.io.data_files import FoundDataFile, bytes_of, find
from onnxtile.ir.io.protobuf_wire import LARGEST
from onnxtile.ir.proto_nodes import bodies_of, node_words
from onnxtile.ir.shadowing import MAIN, check_shadowing

if TYPE_CHECKING:
    from google.protobuf.message import Message
DEVICES_FROM = 11
"""IR version from which on a model may say on which devices nodes run."""
_PARTS = ("GraphProto", "NodeProto", "AttributeProto", "TensorProto")
"""Messages that are looked at one by one, see `_parts`."""
Find = Callable[[Path, str], FoundDataFile]
_HELD = {onnx.AttributeProto.TENSOR: "t", onnx.AttributeProto.GRAPH: "g", onnx.AttributeProto.TYPE_PROTO: "tp"}
"""Types of attributes that hold a message, and the field that it's in."""
_PLACED: dict[type[Message], str] = {onnx.ModelProto: "configuration", onnx.NodeProto: "device_configurations"}
"""Where messages say on which devices nodes run, from onnx 1.18 on."""


def audit(model: onnx.ModelProto, folder: Path | None) -> dict[str, bytes]:
    """Refuse a model that can't be trusted or carried; return the raw bytes of the main graph's initializers.

    `folder`: where external data lies; None: there may be none. Raises ModelError and UnsupportedError.
    """
    raw = {}
    find_once = cache(find)
    check_calls(model)
    _refuse_references(model.graph.node)
    for where, part in _parts(model):
        _check_part(part, where, model)
        if isinstance(part, onnx.TensorProto):
            data = _check_tensor(part, where, folder, find_once)
            if data is not None and where == f"initializer {part.name!r}":
                raw[part.name] = data
    check_shadowing(model)
    return raw


def read_in(model: onnx.ModelProto, folder: Path) -> list[Path]:
    """Read what an audited model keeps in external data, but for the main graph's weights, into it; returns the files.

    Those are tensors in bodies, in attributes and in functions, which can't be handed on piece by piece. Raises
    ModelError for a file that can't be read, and UnsupportedError where protobuf's 2 GB don't hold them all.
    """
    inner = [
        part
        for where, part in _parts(model)
        if isinstance(part, onnx.TensorProto)
        and part.data_location == onnx.TensorProto.EXTERNAL
        and where != f"initializer {part.name!r}"
    ]
    sizes = [_bytes_needed(tensor) for tensor in inner]
    if sum(sizes) > LARGEST:
        words = "more than protobuf's 2 GB, which they have to be written to; make them initializers of the main graph"
        raise UnsupportedError(f"tensors in bodies, attributes and functions come to {sum(sizes):,} bytes, {words}")
    files = []
    for tensor, size in zip(inner, sizes, strict=True):
        tensor.raw_data, file = bytes_of(tensor, folder, size)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        files.append(file)
    return list(dict.fromkeys(files))


def _parts(proto: onnx.ModelProto) -> Iterator[tuple[str, Message]]:
    """Yield graphs, nodes and tensors of a model, to any depth, with words for where they are."""
    yield "the model", proto
    yield from _graph_parts(MAIN, proto.graph)
    for function in proto.functions:
        yield from _node_parts(f"function {function.name!r}", function.node)


def _graph_parts(scope: str, graph: onnx.GraphProto) -> Iterator[tuple[str, Message]]:
    yield scope, graph
    for tensor in graph.initializer:
        yield f"initializer {tensor.name!r}" + (f" of {scope}" if scope != MAIN else ""), tensor
    yield from _node_parts(scope, graph.node)


def _node_parts(scope: str, nodes: Iterable[onnx.NodeProto]) -> Iterator[tuple[str, Message]]:
    for node in nodes:
        where = f"{node_words(node)} of {scope}"
        yield where, node
        for attribute in node.attribute:
            yield f"attribute {attribute.name!r} of {where}", attribute
            for tensor in [attribute.t] if attribute.HasField("t") else attribute.tensors:
                yield f"attribute {attribute.name!r} of {where}", tensor
            for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _graph_parts(f"{attribute.name} of {where}", graph)


def _refuse_references(nodes: Iterable[onnx.NodeProto]) -> None:
    """Refuse attributes that stand for one of a function in graphs that are in none."""
    for node in nodes:
        named = next((attribute for attribute in node.attribute if attribute.ref_attr_name), None)
        if named is not None:
            words = f"stands for {named.ref_attr_name!r} of a function, and isn't in one; give its value"
            raise ModelError(f"attribute {named.name!r} of {node_words(node)} {words}")
        for _, body in bodies_of([node]):
            _refuse_references(body.node)


def _check_part(part: Message, where: str, model: onnx.ModelProto) -> None:
    """Refuse what the IR wouldn't carry."""
    _check_text(part, where)
    if len(UnknownFieldSet(part)):
        raise UnsupportedError(f"{where} has fields that this onnx release doesn't know; install a newer onnx")
    if isinstance(part, onnx.NodeProto):
        _check_node(part, where)
    elif isinstance(part, onnx.AttributeProto):
        _check_attribute(part, where)
    elif isinstance(part, onnx.ModelProto) and part.training_info:
        raise UnsupportedError(
            "the model carries training_info, which names weights that would be cut; remove it first"
        )
    elif isinstance(part, onnx.GraphProto) and part.sparse_initializer and part is not model.graph:
        raise UnsupportedError(f"{where} holds sparse initializers, which are carried in the main graph only")
    field = _PLACED.get(type(part))
    if field is not None and getattr(part, field, None) and model.ir_version < DEVICES_FROM:
        words = f"has device configurations, which IR version {model.ir_version} doesn't have"
        raise ModelError(f"{where} {words}; remove them, or say IR version {DEVICES_FROM}")


def _check_node(node: onnx.NodeProto, where: str) -> None:
    if len({attribute.name for attribute in node.attribute}) < len(node.attribute):
        raise ModelError(f"{where} has two attributes of one name; remove one")
    if node.op_type == "Split":
        said = next((a.i for a in node.attribute if a.name == "num_outputs" and a.HasField("i")), None)
        if said is not None and said < len(node.output):  # onnx's shape inference would end the process
            raise ModelError(f"{where} has {len(node.output)} outputs and says that they are {said}")


@lru_cache(maxsize=64)
def _fields(kind: type[Message]) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Return the fields of a message that are text, and those that are messages no part has by itself; whether many."""
    texts: list[tuple[str, bool]] = []
    messages: list[tuple[str, bool]] = []
    for field in kind.DESCRIPTOR.fields:
        many = hasattr(getattr(kind(), field.name), "extend")
        if field.type == field.TYPE_STRING:
            texts.append((field.name, many))
        elif field.type == field.TYPE_MESSAGE and field.message_type.name not in _PARTS:
            messages.append((field.name, many))
    return texts, messages


def _check_text(part: Message, where: str) -> None:
    """Refuse names and other text that isn't UTF-8, which protobuf hands on as bytes."""
    texts, messages = _fields(type(part))  # type: ignore[arg-type]  # classes of messages are hashable
    for name, many in texts:
        value = getattr(part, name)
        if bytes in map(type, value if many else (value,)):
            raise ModelError(f"{where}: its {name} isn't text (UTF-8); the file is damaged, write the model again")
    for name, many in messages:
        if many or part.HasField(name):
            for message in getattr(part, name) if many else [getattr(part, name)]:
                _check_text(message, where)


def _check_attribute(part: onnx.AttributeProto, where: str) -> None:
    """Refuse an attribute without what its type says; and graphs that a function gets as attributes."""
    field = _HELD.get(part.type)
    if part.ref_attr_name:
        if part.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            raise UnsupportedError(
                f"{where} is a graph that the function gets where it's called, which isn't supported"
            )
    elif field is not None and not part.HasField(field):
        kind = onnx.AttributeProto.AttributeType.Name(part.type)
        raise ModelError(f"{where} is of type {kind} and holds none; write the model again")
    if part.HasField("sparse_tensor") or part.sparse_tensors:
        raise UnsupportedError(f"{where} is a sparse tensor, which isn't supported; make it dense")


def _check_tensor(tensor: onnx.TensorProto, where: str, folder: Path | None, find_once: Find) -> bytes | None:
    """Refuse a tensor whose bytes aren't what its shape needs; return them if they're raw, of whole bytes each."""
    if where.startswith("initializer") and not tensor.name:
        raise ModelError("an initializer has no name; name it or remove it")
    if tensor.HasField("segment"):
        raise UnsupportedError(f"{where} is stored in segments, which isn't supported; store it whole")
    known = tensor.data_type in ir.DataType._value2member_map_ and tensor.data_type != onnx.TensorProto.UNDEFINED
    if not known or any(size < 0 for size in tensor.dims):
        raise ModelError(f"{where}: data type {tensor.data_type} or shape {list(tensor.dims)} isn't valid")
    dtype = ir.DataType(tensor.data_type)
    if dtype == ir.DataType.STRING and tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise ModelError(f"{where} is text in external data, which ONNX has no form for; write the model again")
    if dtype == ir.DataType.STRING:
        return None
    expected = _bytes_needed(tensor)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        _check_external(tensor, where, expected, folder, find_once)
    elif tensor.HasField("raw_data"):
        data: bytes = tensor.raw_data
        if len(data) != expected:
            words = f"its data has {len(data)} bytes, its shape {list(tensor.dims)} needs {expected}"
            raise ModelError(f"{where}: {words}; write the model again")
        return data if dtype.bitwidth >= 8 else None
    else:
        _check_typed_field(tensor, where, dtype)
    return None


def _bytes_needed(tensor: onnx.TensorProto) -> int:
    return -(-int(math.prod(tensor.dims)) * ir.DataType(tensor.data_type).bitwidth // 8)


def _check_typed_field(tensor: onnx.TensorProto, where: str, dtype: ir.DataType) -> None:
    """Check that a field of a type has as many numbers as the shape says; those of 4 bits and fewer are packed."""
    field = onnx.helper.tensor_dtype_to_field(tensor.data_type)
    count, elements = len(getattr(tensor, field)), math.prod(tensor.dims)
    complex_parts = 2 if dtype in (ir.DataType.COMPLEX64, ir.DataType.COMPLEX128) else 1
    expected = elements * complex_parts if dtype.bitwidth >= 8 else -(-elements * dtype.bitwidth // 8)
    if count != expected:
        words = f"its {field} has {count} numbers, its shape {list(tensor.dims)} needs {expected}"
        raise ModelError(f"{where}: {words}; write the model again")


def _check_external(tensor: onnx.TensorProto, where: str, expected: int, folder: Path | None, find_once: Find) -> None:
    facts = {entry.key: entry.value for entry in tensor.external_data}
    location = facts.get("location", "")
    if folder is None:
        raise ModelError(f"{where} is in external data {location!r}; pass the model's path, or load its data first")
    try:
        file = find_once(folder, location)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    try:
        offset, length = int(facts.get("offset", 0)), int(facts.get("length", expected))
    except ValueError as error:
        raise ModelError(f"{where}: its place in {location!r} isn't a number; write the model again") from error
    if offset < 0 or length != expected or offset + length > file.size:
        words = f"bytes {offset} to {offset + length} of {location!r}, which has {file.size}"
        raise ModelError(f"{where}: its data is in {words}, and its shape needs {expected}; write the model again")
