"""The function body that onnx defines for an operator, for one node."""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import lru_cache
from typing import Any

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.graphs import all_graphs, node_bodies
from onnxtile.ir.io.checker import one_line
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.rewrites.size_folding import fold_sizes


class NoBodyError(Exception):
    """The node can't be written out; the message says why, and what to do."""


def schema_of(node: ir.Node, opsets: Mapping[str, int]) -> onnx.defs.OpSchema:
    """Return the operator's definition in the model's opset; NoBodyError where onnx has none."""
    version = opsets.get(node.domain)
    if version is None:
        raise NoBodyError(f"the model doesn't import the domain {node.domain!r}; import it")
    try:
        return onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError as error:
        raise NoBodyError(f"onnx {onnx.__version__} has no {node.op_type} in opset {version}") from error


def written_out(node: ir.Node, model: ir.Model) -> ir.Model:
    """Return a model of the node alone, in the operators of its body, with all shapes; it's shared: don't change it.

    Inputs and outputs have the names of the operator's definition and the node's types and shapes; those that the node
    leaves out are missing. Sizes that don't follow from the names of the inputs' dimensions are unknown. Raises
    NoBodyError where onnx has no body for the node, or its own checks refuse it.
    """
    schema = schema_of(node, model.opset_imports)
    if _reads_outside(node):
        raise NoBodyError("a graph among its attributes reads values from outside; feed them by other means")
    proto = ir.to_proto(node)
    for names, formals in ((proto.input, schema.inputs), (proto.output, schema.outputs)):
        if len(names) > len(formals):
            raise NoBodyError(f"it has more inputs or outputs than {node.op_type} of opset {schema.since_version}")
        names[:] = [formal.name if name else "" for name, formal in zip(names, formals, strict=False)]
    proto.name = proto.doc_string = ""
    del proto.metadata_props[:]
    interface = onnx.GraphProto(
        name=node.op_type, node=[proto],
        input=[_described(value, name) for value, name in zip(node.inputs, proto.input, strict=True) if value],
        output=[_described(value, name) for value, name in zip(node.outputs, proto.output, strict=True) if name],
    )  # fmt: skip
    alone = onnx.ModelProto(ir_version=max(model.ir_version, 8), graph=interface)
    for domain, version in sorted(model.opset_imports.items()):
        alone.opset_import.add(domain=domain, version=version)
    return _expanded(alone.SerializeToString(deterministic=True))


@lru_cache(maxsize=64)
def _expanded(serialized: bytes) -> ir.Model:
    """Return the model of one node with its body in it. A network has few that differ, asked for often."""
    model = onnx.ModelProto.FromString(serialized)
    graph, (node,) = model.graph, model.graph.node
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    version = opsets.get(node.domain, 0)
    schema: Any = onnx.defs.get_schema(node.op_type, version, node.domain)  # its stub lacks what follows
    types = {value.name: value.type.SerializeToString() for value in graph.input}
    versions = [since for since in schema.context_dependent_function_opset_versions if since <= version]
    try:
        body = schema.get_context_dependent_function_with_opset_version(
            max(versions, default=0), node.SerializeToString(), [types.get(name, b"") for name in node.input]
        )
        del graph.node[:]
        graph.node.extend(onnx.FunctionProto.FromString(body).node)
        if not graph.node:
            raise NoBodyError(f"onnx {onnx.__version__} defines no function body for it as it is")
        onnx.checker.check_model(model, full_check=True)
        expanded: ir.Model = ir.from_proto(model)
        known = {dim.value for value in expanded.graph.inputs for dim in value.shape or () if not isinstance(dim, int)}
        InferShapes()(expanded)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ModelError, RuntimeError) as error:
        words = one_line(error).removeprefix("[ShapeInferenceError] ")
        raise NoBodyError(f"onnx refuses its function body: {words}; give it inputs that agree") from error
    for value in (value for graph in all_graphs(expanded) for node in graph for value in node.outputs):
        value.shape = None if value.shape is None else ir.Shape([_size(dim, known) for dim in value.shape])
    fold_sizes(expanded)
    return expanded


def _size(dim: int | ir.SymbolicDim, known: Container[str | None]) -> int | str | None:
    """Return a size, also of a formula that comes to a number, or one of the names `known`; None otherwise."""
    if isinstance(dim, int) or dim.value is None:
        return dim if isinstance(dim, int) else None
    return int(dim.value) if dim.value.isdecimal() else dim.value if dim.value in known else None


def _described(value: ir.Value, name: str) -> onnx.ValueInfoProto:
    if value.type is None or value.shape is None:
        raise NoBodyError(f"the shape or type of {value.name!r} isn't known; run infer-shapes first")
    described: onnx.ValueInfoProto = ir.to_proto(value)
    described.ClearField("metadata_props")
    described.name, described.doc_string = name, ""
    return described


def _reads_outside(node: ir.Node) -> bool:
    """Return whether a body of the node reads a value from outside of it."""
    bodies = list(node_bodies(node))
    own = {graph for body in bodies for graph in (body, *body.subgraphs())}
    read = (value for body in bodies for inner in body.all_nodes() for value in inner.inputs if value is not None)
    return any(value.graph not in own for value in read)
