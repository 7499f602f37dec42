"""A model as protobuf, checked, with its local functions put in the place of their calls; and its constants' bytes."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx_ir as ir

from onnxtile.errors import ModelError, OnnxtileError, UnsupportedError
from onnxtile.ir.constants import OVERRIDABLE_FROM
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.ir.io.checker import check_proto, one_line
from onnxtile.ir.io.interop import AnyModel, to_ir
from onnxtile.ir.io.load import carry_over, parse, read_external_data
from onnxtile.ir.io.trust import audit, read_in
from onnxtile.ir.opset_imports import canonical_domain, settle
from onnxtile.ir.shadowing import remove_copies
from onnxtile.verification.arguments import with_arguments
from onnxtile.verification.bodies import with_bodies
from onnxtile.verification.graphs import name_of, nodes_inside

_NAME = "onnxtile.name"
"""Metadata key, while functions are inlined: the name of a node."""
CHUNK = 1 << 24
"""Bytes that are compared at a time."""


@dataclass(frozen=True)
class Opened:
    """A model as protobuf; `folder` is where its external data lies, if it may have any.

    `inner`: files that tensors in bodies, attributes and functions were read from.
    """

    proto: onnx.ModelProto
    folder: Path | None
    inner: tuple[Path, ...] = ()

    @property
    def overridable(self) -> bool:
        """Return whether a caller may override an initializer that is an input too; in old files all are inputs."""
        return bool(self.proto.ir_version >= OVERRIDABLE_FROM)

    def array(self, tensor: onnx.TensorProto) -> np.ndarray:
        """A constant's elements; those in external data are mapped, not read. ModelError where they can't be had."""
        try:
            return self._array(tensor)
        except (ValueError, TypeError, OverflowError) as error:
            raise ModelError(f"constant {tensor.name!r} can't be read: {one_line(error)}") from error

    def _array(self, tensor: onnx.TensorProto) -> np.ndarray:
        dtype = ir.DataType(tensor.data_type)
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            if tensor.HasField("raw_data") and dtype.bitwidth >= 8:
                stored: np.ndarray = np.frombuffer(tensor.raw_data, _stored(dtype)).reshape(tensor.dims)
                return stored
            return onnx.numpy_helper.to_array(tensor)
        path, offset, length = self.place(tensor)
        if dtype.bitwidth < 8:
            return onnx.numpy_helper.to_array(self.inside(tensor, tensor.name))
        data = np.memmap(path, np.uint8, "r", offset, length) if length else np.empty(0, np.uint8)
        array: np.ndarray = data.view(_stored(dtype)).reshape(tensor.dims)
        return array

    def place(self, tensor: onnx.TensorProto) -> tuple[Path, int, int]:
        """File, offset and length in bytes of a constant in external data."""
        facts = {entry.key: entry.value for entry in tensor.external_data}
        length = -(-math.prod(tensor.dims) * ir.DataType(tensor.data_type).bitwidth // 8)
        assert self.folder is not None
        return (self.folder / facts["location"]).resolve(), int(facts.get("offset", 0)), length

    def inside(self, tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
        """The constant with its elements in it, by this name."""
        copy = onnx.TensorProto()
        copy.CopyFrom(tensor)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            path, offset, length = self.place(tensor)
            with path.open("rb") as data:
                data.seek(offset)
                copy.raw_data = data.read(length)
            copy.ClearField("external_data")
            copy.ClearField("data_location")
        copy.name = name
        return copy

    def same(self, tensor: onnx.TensorProto, other: Opened, theirs: onnx.TensorProto) -> bool:
        """Return whether two constants have the same type, shape and elements, bit for bit."""
        if tensor is theirs:
            return True
        if tensor.data_type != theirs.data_type or list(tensor.dims) != list(theirs.dims):
            return False
        external = onnx.TensorProto.EXTERNAL
        if tensor.data_location == theirs.data_location == external and self.place(tensor) == other.place(theirs):
            return True
        if tensor.data_type == onnx.TensorProto.STRING:
            return list(tensor.string_data) == list(theirs.string_data)
        return same_bits(self.array(tensor), other.array(theirs))


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two arrays have the same bits: unlike ==, NaN is NaN and 0 isn't -0. A chunk at a time."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.size:
        return True
    rows = max(1, CHUNK // max(1, one.nbytes // max(1, len(one)))) if one.ndim else 1
    if one.ndim == 0:
        return one.tobytes() == other.tobytes()
    plain = np.dtype(f"u{one.dtype.itemsize}") if one.dtype.itemsize in (1, 2, 4, 8) else None
    if plain is None:
        return one.tobytes() == other.tobytes()
    one, other = one.view(plain), other.view(plain)
    return all(np.array_equal(one[at : at + rows], other[at : at + rows]) for at in range(0, len(one), rows))


def open_model(model: AnyModel) -> Opened:
    """The model with its local functions inlined, but those that stand for tiled products.

    Raises ModelError or UnsupportedError for what can't be read or trusted.
    """
    if isinstance(model, (str, os.PathLike)):
        path = Path(model)
        proto, folder = parse(path), path.parent
        remove_copies(proto)
        try:
            audit(proto, folder)
            settle(proto)
            inner = read_in(proto, folder)
            check_proto(proto)
        except OnnxtileError as error:
            raise type(error)(f"{path}: {error}") from error
        return Opened(_inlined(proto, str(path)), folder, tuple(inner))
    loaded = to_ir(model)
    read_external_data(loaded)
    proto = ir.to_proto(loaded)
    carry_over(loaded, proto)
    return Opened(_inlined(proto, "the model"), None)


ENGINES_OWN = re.compile(r"(ai\.onnx|com\.microsoft|com\.ms|org\.pytorch\.aten)(\..*)?")
"""Domains of operators that engines have: they run these whatever a function of their name says."""


def has_engine(domain: str) -> bool:
    """Return whether engines have operators of a domain."""
    return not domain or ENGINES_OWN.fullmatch(domain) is not None


def _check_names(proto: onnx.ModelProto, place: str) -> None:
    """Raise UnsupportedError for functions that have an operator's name, and operator sets that onnx doesn't know."""
    for function in proto.functions:
        if has_engine(function.domain):
            name = f"{function.domain or 'ai.onnx'}.{function.name}"
            raise UnsupportedError(f"{place}: function {name} has the name of an engine's operator; rename it")
    for imported in proto.opset_import:
        domain = canonical_domain(imported.domain)
        latest = _latest().get(domain, imported.version)
        if imported.version > latest:
            words = f"operator set {' '.join(filter(None, (domain, str(imported.version))))} isn't known"
            raise UnsupportedError(f"{place}: {words}; the latest is {latest}")


def _inlined(proto: onnx.ModelProto, place: str) -> onnx.ModelProto:
    _check_names(proto, place)
    proto = with_bodies(proto)
    if all(function.domain == CALL_DOMAIN for function in proto.functions):
        return proto
    proto = with_arguments(proto)
    others = [function for function in proto.functions if function.domain != CALL_DOMAIN]
    nodes = [node for function in others for outer in function.node for node in nodes_inside(outer)]
    for node in nodes:  # nodes' names and values' share one space there: values would be renamed for nodes' sake
        node.metadata_props.add(key=_NAME, value=name_of(node))
        node.name = ""
    ours = [(function.domain, function.name) for function in proto.functions if function.domain == CALL_DOMAIN]
    try:
        inlined = onnx.inliner.inline_selected_functions(proto, ours, exclude=True)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{place}: its local functions can't be inlined: {one_line(error)}") from error
    for node in [node for outer in inlined.graph.node for node in nodes_inside(outer)]:
        for index, pair in enumerate(node.metadata_props):
            if pair.key == _NAME:
                node.name = pair.value
                del node.metadata_props[index]
                break
    return inlined


@cache
def _latest() -> dict[str, int]:
    """The latest versions of operator sets, by domain."""
    found = {"com.microsoft": 1, "": onnx.defs.onnx_opset_version()}
    for schema in onnx.defs.get_all_schemas():
        found[schema.domain] = max(found.get(schema.domain, 1), schema.since_version)
    return found


@cache
def _stored(dtype: ir.DataType) -> np.dtype[np.generic]:
    little: np.dtype[np.generic] = dtype.numpy().newbyteorder("<")
    return little
