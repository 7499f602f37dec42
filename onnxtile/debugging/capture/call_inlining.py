"""Inline local functions, and name what's inside them after the call: `layer1/fc`."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from onnxtile.debugging.capture.node_index import Named, inside
from onnxtile.errors import ModelError, UnsupportedError
from onnxtile.ir.attributes import node_name
from onnxtile.ir.graphs import called_functions, subgraphs
from onnxtile.ir.metadata import ORIGIN, SHORT_META, SHORT_ORIGIN_META
from onnxtile.ir.names import Names
from onnxtile.passes.manager import PassManager
from onnxtile.passes.rewrites.inlining import Inline

MOST_CALLS = 10_000
"""Calls that are inlined: functions that call functions may multiply."""
_LEFT_OUT = "onnxtile.ir.left_out_outputs"
"""Key in the `meta` of an output that a function's node leaves out; inlining would name it, so it'd be computed."""
Functions = dict[ir.OperatorIdentifier, ir.Function]


def inline_calls(model: ir.Model) -> list[Named]:
    """Inline local functions, in place, and return their calls, those inside functions too.

    A node `fc` inside the function that `layer1` calls is named `layer1/fc`, and so are values, but those that a call
    gives: they keep its names. Functions of another opset than the model's stay. Raises ModelError for a function that
    calls itself, UnsupportedError for too many calls.
    """
    if not model.functions:
        return []
    naming = _CallNaming(model, Names(model), _inlinable(model))
    naming.visit(model.graph, (), "")
    PassManager([Inline(lambda function: id(function) in naming.copies)], check=False)(model)
    for key in model.functions.keys() - called_functions(model):
        del model.functions[key]
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if value.meta.get(_LEFT_OUT):
                value.name = ""
    return naming.calls


@dataclass
class _CallNaming:
    """Gives each call a copy of its function, with names that begin with the call's."""

    model: ir.Model
    names: Names
    inlinable: Functions
    calls: list[Named] = field(default_factory=list)
    copies: set[int] = field(default_factory=set)

    def visit(self, graph: ir.Graph, around: tuple[ir.OperatorIdentifier, ...], reason: str) -> None:
        """Visit all calls of a graph, within those `around` it; `reason`: why values in it can't be captured."""
        for node in graph:
            for attribute in node.attributes.values():
                for inner in subgraphs(attribute):
                    self.visit(inner, around, reason or inside(f"{node_name(node)}/{attribute.name}"))
            key = node.op_identifier()
            if key not in self.inlinable:
                continue
            if key in around:
                raise ModelError(f"local function {node.op_type!r} calls itself")
            if len(self.calls) >= MOST_CALLS:
                raise UnsupportedError(f"local functions are called more than {MOST_CALLS:,} times")
            call = Named.of(node, reason)
            body = _copy(self.inlinable[key], self.names.prefix(call.name) + "/", call)
            body.overload = f"{body.overload}#{len(self.calls)}"
            self.model.functions[body.identifier()] = body
            self.copies.add(id(body))
            self.calls.append(call)
            node.overload = body.overload
            self.visit(body.graph, (*around, key), reason)


def _copy(function: ir.Function, prefix: str, call: Named) -> ir.Function:
    """Return the function with a prefix for all names; what a call was made for, all inside it is."""
    copy = function.clone()
    for node in copy.all_nodes():
        name, origin = node_name(node), node.metadata_props.get(ORIGIN)
        node.name, node.meta[SHORT_META] = prefix + name, name
        if origin is not None:
            node.metadata_props[ORIGIN], node.meta[SHORT_ORIGIN_META] = prefix + origin, origin
        elif call.origin:
            node.metadata_props[ORIGIN], node.meta[SHORT_ORIGIN_META] = call.origin, call.short_origin
        for value in node.outputs:
            if not value.name:
                value.meta[_LEFT_OUT] = True
    for index, value in enumerate(copy.outputs):
        if value in copy.inputs:  # inlining gives an output its call's name, which an input mustn't get
            passed = ir.Node("", "Identity", [value], name=f"{prefix}{value.name}_passed")
            copy.append(passed)
            copy.outputs[index] = passed.outputs[0]
    for node in copy:
        for value in node.outputs:
            value.name = prefix + str(value.name) if value.name else ""
    return copy


def _inlinable(model: ir.Model) -> Functions:
    """Return the functions that can be inlined: of the opsets that the model and all others that can be have."""
    opsets, inlinable = dict(model.opset_imports), Functions()
    for key, function in model.functions.items():
        if all(opsets.get(domain, version) == version for domain, version in function.opset_imports.items()):
            opsets |= function.opset_imports
            inlinable[key] = function
    return inlinable
