"""Put what operators of plugins stand for into a model: the functions that they are declared with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import onnx

from onnxtile.ir.opset_imports import canonical_domain
from onnxtile.operators.registry import Operator
from onnxtile.operators.table import OPERATORS
from onnxtile.verification.graphs import nodes_inside


def with_bodies(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with a function for each operator whose declaration has a body; itself where there's none.

    Functions that the model itself has stay; an operator whose body doesn't hold in the model's version stays unknown.
    """
    own = {(function.domain, function.name) for function in model.functions}
    versions = {canonical_domain(each.domain): each.version for each in model.opset_import}
    bodies = [
        body
        for operator in dict.fromkeys(_operators(model))
        if operator not in own and (facts := OPERATORS.get(operator)) is not None
        if facts.body and (body := in_version(facts.body, versions.get("", 0))) is not None
    ]
    if not bodies:
        return model
    completed = onnx.ModelProto()
    completed.CopyFrom(model)
    completed.functions.extend(bodies)
    return completed


@lru_cache(maxsize=256)
def in_version(body: str, version: int) -> onnx.FunctionProto | None:
    """Return a body in a model's version of ONNX's operators; None where it's older, or one of its operators changed.

    A body holds from its own version on, for as long as its operators have the same inputs, outputs and attributes.
    onnx inlines functions of the model's own version only.
    """
    function: onnx.FunctionProto = onnx.parser.parse_function(body)
    nodes = [inner for outer in function.node for inner in nodes_inside(outer)]
    for node in nodes:
        node.domain = canonical_domain(node.domain)
    for imported in function.opset_import:
        imported.domain = canonical_domain(imported.domain)
        if not imported.domain:
            own = [node for node in nodes if not node.domain]
            if version < imported.version or any(
                _signature(n, imported.version) != _signature(n, version) for n in own
            ):
                return None
            imported.version = version
    return function


def _signature(node: onnx.NodeProto, version: int) -> object:
    """Return the inputs, outputs and attributes of ONNX's operator in a version; None where it isn't there."""
    try:
        schema = onnx.defs.get_schema(node.op_type, version, "")
    except onnx.defs.SchemaError:
        return None
    ends = [end.option for end in (*schema.inputs, *schema.outputs)]
    defaults = {name: each.default_value.SerializeToString() for name, each in schema.attributes.items()}
    return ends, defaults


def _operators(model: onnx.ModelProto) -> Iterator[Operator]:
    for holder in (model.graph, *model.functions):
        for outer in holder.node:
            yield from ((canonical_domain(node.domain), node.op_type) for node in nodes_inside(outer))
