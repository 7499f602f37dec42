"""Give local functions shapes: one body for all calls alike, a copy for each signature otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx
import onnx_ir as ir

from onnxtile.errors import UnsupportedError
from onnxtile.ir.attributes import node_name
from onnxtile.ir.graphs import callees_first, is_tiled_product, subgraphs
from onnxtile.ir.metadata import SHAPED_META
from onnxtile.operators.table import PRODUCTS
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.rewrites.call_arguments import bind_arguments

MOST_COPIES = 1000
"""Copies of functions that are made of one model: calls of calls may multiply."""
Key = tuple[str, str, str]


@dataclass(frozen=True)
class SpecializeFunctions(ir.passes.InPlacePass):
    """f(x) := f'(x), f' being f with the shapes of x and the values of its attributes, where f holds products.

    The first signature keeps the function's name. Needs shapes: run infer-shapes before. Functions without products
    stay as they are. Raises UnsupportedError where copies would be too many.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        work = _Work(model, _with_products(model), dict(model.functions))
        work.visit(model.graph)
        callees_first(model)
        return ir.passes.PassResult(model, modified=bool(work.made))


@dataclass
class _Work:
    model: ir.Model
    wanted: dict[Key, ir.Function]
    originals: dict[Key, ir.Function]
    made: dict[object, ir.Function] = field(default_factory=dict)

    def visit(self, graph: ir.Graph) -> None:
        """Point the graph's calls to functions of their signature."""
        for node in list(graph):
            for attribute in node.attributes.values():
                for inner in subgraphs(attribute):
                    self.visit(inner)
            function = self.wanted.get(node.op_identifier())
            if function is None:
                continue
            given = sorted((attribute.name, str(attribute)) for attribute in node.attributes.values())
            key = (node.op_identifier(), *map(_facts, node.inputs), *given)
            if key not in self.made:
                self.made[key] = self._make(function, node)
                self.visit(self.made[key].graph)
            node.op_type = self.made[key].name
            for name in list(node.attributes):
                del node.attributes[name]

    def _make(self, function: ir.Function, call: ir.Node) -> ir.Function:
        if len(self.made) >= MOST_COPIES:
            raise UnsupportedError(
                f"function {function.name!r} and others are called in more than {MOST_COPIES:,} ways"
            )
        proto = ir.serde.serialize_function(function, create_value_info=False)
        given = {name: ir.serde.serialize_attribute(attribute) for name, attribute in call.attributes.items()}
        inputs = [*call.inputs, *[None] * (len(proto.input) - len(call.inputs))]
        left_out = {name for name, value in zip(proto.input, inputs, strict=True) if value is None}
        bind_arguments(proto.node, {each.name: each for each in proto.attribute_proto} | given, left_out)
        del proto.attribute[:], proto.attribute_proto[:]
        taken = self.model.functions.keys() - {function.identifier()} | {
            each.identifier() for each in self.made.values()
        }
        number = 1
        while (proto.domain, proto.name, proto.overload) in taken:
            number += 1
            proto.name = f"{function.name}_{number}"
        made = ir.serde.deserialize_function(proto)
        made.meta[SHAPED_META] = True
        _describe(made, proto, call, self.originals, self.model.ir_version)
        self.model.functions[made.identifier()] = made
        return made


def _with_products(model: ir.Model) -> dict[Key, ir.Function]:
    """Functions that hold products, or call such."""
    others = {key: each for key, each in model.functions.items() if not is_tiled_product(each)}
    wanted: dict[Key, ir.Function] = {}
    grown = True
    while grown:
        more = {
            key: function
            for key, function in others.items()
            if key not in wanted
            and any(
                (node.domain, node.op_type) in PRODUCTS or node.op_identifier() in wanted
                for node in function.all_nodes()
            )
        }
        wanted, grown = wanted | more, bool(more)
    return wanted


def _facts(value: ir.Value | None) -> tuple[str, str]:
    return ("", "") if value is None else (str(value.type), str(value.shape))


def _describe(
    made: ir.Function, proto: onnx.FunctionProto, call: ir.Node, functions: dict[Key, ir.Function], ir_version: int
) -> None:
    """Find the shapes of all values of a function's body, called so."""
    graph = onnx.GraphProto(name=node_name(call), node=proto.node)
    for names, values in ((proto.input, call.inputs), (proto.output, call.outputs)):
        for name, value in zip(names, values, strict=False):
            if value is not None:
                info = (graph.input if values is call.inputs else graph.output).add()
                info.CopyFrom(ir.serde.serialize_value(value))
                info.name = name
    alone = ir.from_proto(onnx.ModelProto(ir_version=ir_version, graph=graph, opset_import=proto.opset_import))
    alone.functions.update({key: each.clone() for key, each in functions.items()})
    InferShapes()(alone)
    for ours, theirs in zip(made.all_nodes(), alone.graph.all_nodes(), strict=True):
        for value, known in zip((*ours.inputs, *ours.outputs), (*theirs.inputs, *theirs.outputs), strict=True):
            if value is not None and known is not None:
                value.shape, value.type = known.shape, known.type
