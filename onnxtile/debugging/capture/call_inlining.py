"""Inline local functions, and name what's inside them after the call: `layer1/fc`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx_ir as ir

from onnxtile.debugging.capture.node_index import Named, in_body, in_function
from onnxtile.errors import UnsupportedError
from onnxtile.ir.attributes import node_name
from onnxtile.ir.functions import check_calls
from onnxtile.ir.graphs import called_functions, nodes_within, subgraphs
from onnxtile.ir.metadata import ORIGIN, SHORT_META, SHORT_ORIGIN_META
from onnxtile.ir.names import Names
from onnxtile.passes.manager import PassManager
from onnxtile.passes.rewrites.inlining import Inline

MOST_CALLS = 10_000
"""Calls that are inlined: functions that call functions may multiply."""


def inline_calls(model: ir.Model) -> list[Named]:
    """Inline local functions, in place, and return their calls, those inside functions too.

    A node `fc` inside the function that `layer1` calls is named `layer1/fc`, and so are values, but those that a call
    gives: they keep its names. Functions of another opset than the model's stay. Raises ModelError for a function that
    calls itself, UnsupportedError for too many calls.
    """
    check_calls(model)
    for key in model.functions.keys() - called_functions(model):
        del model.functions[key]
    if not model.functions:
        return []
    inlining = _NamedInline(model)
    PassManager([inlining], check=False)(model)
    return inlining.calls


class _NamedInline(Inline):
    """Inlines calls, and keeps them with their names."""

    def __init__(self, model: ir.Model) -> None:
        opsets, inlinable = dict(model.opset_imports), set()
        self._reasons: dict[ir.Graph, str] = {model.graph: ""}
        """Why values in a graph can't be captured."""
        for key, function in model.functions.items():
            if all(opsets.get(domain, version) == version for domain, version in function.opset_imports.items()):
                opsets |= function.opset_imports
                inlinable.add(key)
            else:
                self._reasons[function.graph] = in_function(f"{function.domain}::{function.name}")
        super().__init__(lambda function: function.identifier() in inlinable)
        self.calls: list[Named] = []
        self._names = Names(model)
        for graph, reason in list(self._reasons.items()):
            self._note_bodies(graph, reason)

    def _note_bodies(self, nodes: Iterable[ir.Node], reason: str) -> None:
        for node in nodes:
            for attribute in node.attributes.values():
                for body in subgraphs(attribute):
                    self._reasons[body] = reason or in_body(f"{node_name(node)}/{attribute.name}")
                    self._note_bodies(body, self._reasons[body])

    def _instantiate_call(self, node: ir.Node, call_site_id: str) -> tuple[Sequence[ir.Node], Sequence[ir.Value]]:
        if len(self.calls) >= MOST_CALLS:
            raise UnsupportedError(f"local functions are called more than {MOST_CALLS:,} times")
        assert node.graph is not None
        reason = self._reasons[node.graph]
        call = Named.of(node, reason)
        self.calls.append(call)
        prefix = self._names.prefix(call.name) + "/"
        function = self._functions[node.op_identifier()]
        instances, outputs = super()._instantiate_call(node, call_site_id)
        nodes, results = list(instances), list(outputs)
        for original, instance in zip(nodes_within(function), nodes_within(nodes), strict=True):
            _name_after(call, prefix, original, instance)
        for original, instance in zip(function, instances, strict=True):
            for value, output in zip(original.outputs, instance.outputs, strict=True):
                output.name = prefix + value.name if value.name else ""
        for index, value in enumerate(results):
            if value in node.inputs:  # an output gets its call's name, which an input mustn't get
                passed = ir.Node("", "Identity", [value], name=f"{prefix}{function.outputs[index].name}_passed")
                nodes.append(passed)
                results[index] = passed.outputs[0]
        self._note_bodies(nodes, reason)
        return nodes, results


def _name_after(call: Named, prefix: str, original: ir.Node, instance: ir.Node) -> None:
    """Name a node of a function after the call; what a call was made for, all inside it is."""
    name, origin = node_name(original), original.metadata_props.get(ORIGIN)
    instance.name, instance.meta[SHORT_META] = prefix + name, name
    if origin is not None:
        instance.metadata_props[ORIGIN], instance.meta[SHORT_ORIGIN_META] = prefix + origin, origin
    elif call.origin:
        instance.metadata_props[ORIGIN], instance.meta[SHORT_ORIGIN_META] = call.origin, call.short_origin
    for value, output in zip(original.outputs, instance.outputs, strict=True):
        output.name = output.name if value.name else ""  # what is left out isn't to be computed
