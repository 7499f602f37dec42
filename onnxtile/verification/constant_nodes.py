"""Nodes of a region that compute from constants alone make constants: a weight behind ConstantOfShape, say."""

from __future__ import annotations

import math
from dataclasses import replace

import onnx

from onnxtile.passes.base import CONSTANTS_FROM
from onnxtile.verification.engines import ENGINES
from onnxtile.verification.facts import Facts
from onnxtile.verification.graphs import reads
from onnxtile.verification.inputs import MOST_ELEMENTS
from onnxtile.verification.opened import Opened
from onnxtile.verification.pairing import Cone, Region
from onnxtile.verification.sessions import EngineError


def with_constants(region: Region, original: Opened, facts: Facts) -> Cone:
    """The original's side of the region with such nodes computed; as it is where they can't be.

    What computes from constants that the lowered side reads too stays: in a proof, other numbers take their place. (Not
    in that of shapes and axes.)
    """
    cone = region.original
    firsts = {node.input[0] for node in cone.nodes if node.input}
    known = {name for name in cone.constants if name not in region.lowered.constants or name not in firsts}
    fixed = []
    for node in cone.nodes:
        makes = [name for name in node.output if name]
        shapes = [facts.find(region.scope, name) for name in makes]
        small = all(fact is not None and math.prod(fact.shape) <= MOST_ELEMENTS for fact in shapes)
        if small and known.issuperset(reads(node)) and not set(makes) & set(region.outputs):
            fixed.append(node)
            known.update(makes)
    if not fixed:
        return cone
    rest = [node for node in cone.nodes if node not in fixed]
    wanted = [name for name in {name for node in rest for name in reads(node)} if name in known - cone.constants.keys()]
    arrays = _computed(fixed, sorted(wanted), cone, original)
    if arrays is None:
        return cone
    still = {name: tensor for name, tensor in cone.constants.items() if any(name in reads(node) for node in rest)}
    return replace(cone, nodes=rest, constants=still | arrays)


def _computed(
    nodes: list[onnx.NodeProto], names: list[str], cone: Cone, original: Opened
) -> dict[str, onnx.TensorProto] | None:
    proto = original.proto
    model = onnx.ModelProto(ir_version=max(proto.ir_version, CONSTANTS_FROM), opset_import=proto.opset_import)
    model.graph.name = "constants"
    model.graph.node.extend(nodes)
    read = {name for node in nodes for name in reads(node)}
    model.graph.initializer.extend(
        original.inside(tensor, name) for name, tensor in cone.constants.items() if name in read
    )
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    for load in ENGINES.values():
        try:
            arrays = load(model)({})
        except EngineError:
            continue
        return {name: onnx.numpy_helper.from_array(array, name) for name, array in zip(names, arrays, strict=True)}
    return None
