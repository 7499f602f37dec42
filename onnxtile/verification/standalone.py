"""One side of a region as a model of its own, for engines to run."""

from __future__ import annotations

import onnx

from onnxtile.ir.constants import OVERRIDABLE_FROM
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.verification.facts import Facts
from onnxtile.verification.graphs import nodes_inside
from onnxtile.verification.opened import Opened
from onnxtile.verification.pairing import Cone, Region
from onnxtile.verification.value import UnprovenError


def alone(region: Region, cone: Cone, opened: Opened, facts: Facts) -> onnx.ModelProto:
    """Return one side of a region with its constants. Raises UnprovenError where shapes aren't known."""
    whole = opened.proto
    model = onnx.ModelProto(ir_version=max(whole.ir_version, OVERRIDABLE_FROM), opset_import=whole.opset_import)
    model.graph.name = "region"
    model.graph.node.extend(cone.nodes)
    for names, infos in ((region.inputs, model.graph.input), (region.outputs, model.graph.output)):
        for name in names:
            fact = facts.find(region.scope, name)
            if fact is None:
                raise UnprovenError(f"the type or shape of {name!r} isn't known")
            infos.append(onnx.helper.make_tensor_value_info(name, fact.dtype.value, fact.shape))
    model.graph.initializer.extend(opened.inside(tensor, name) for name, tensor in cone.constants.items())
    inside = (inner for node in cone.nodes for inner in nodes_inside(node))
    called = {(node.domain, node.op_type, node.overload) for node in inside}
    functions = [
        function for function in whole.functions if (function.domain, function.name, function.overload) in called
    ]
    model.functions.extend(functions)
    if functions and all(opset.domain != CALL_DOMAIN for opset in model.opset_import):
        model.opset_import.add(domain=CALL_DOMAIN, version=1)
    return model
