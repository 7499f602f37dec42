"""A key that regions have in common whose evaluation is the same, whatever their values are called."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import onnx

from onnxtile.verification.facts import Facts
from onnxtile.verification.graphs import RANDOM, graphs_of
from onnxtile.verification.opened import Opened
from onnxtile.verification.pairing import Region
from onnxtile.verification.weights import Weights

MOST_NODES = 2_000
"""Nodes up to which regions are compared; larger ones take longer than is gained."""
MOST_ELEMENTS = 4_096
"""Elements of constants up to which their bytes are looked at."""


def key_of(region: Region, original: Opened, lowered: Opened, facts: Facts, weights: Weights) -> str | None:
    """Return a hash of both sides with values renamed in the order in which they appear; None: there's none.

    Weights that are drawn count by their type and shape.
    """
    cones = (region.original, region.lowered)
    if sum(len(cone.nodes) for cone in cones) > MOST_NODES:
        return None
    names: dict[str, str] = {"": ""}
    digest = hashlib.sha256()
    for name in region.inputs:
        digest.update(f"{_renamed(name, names)} {facts.find(region.scope, name)}".encode())
    for cone, opened in zip(cones, (original, lowered), strict=True):
        drawn = weights.drawn if opened is original else weights.drawn & region.same
        for name, tensor in cone.constants.items():
            digest.update(f"{_renamed(name, names)} {name in drawn} {tensor.data_type} {tensor.dims}".encode())
            if opened is lowered and name in weights.cuts:
                cut = weights.cuts[name]
                digest.update(repr(replace(cut, weight=_renamed(cut.weight, names))).encode())
            elif name not in drawn:
                if math.prod(tensor.dims) > MOST_ELEMENTS:
                    return None
                array = opened.array(tensor)
                digest.update(repr(array.tolist()).encode() if array.dtype.kind in "OSU" else array.tobytes())
        said = {_renamed(name, names): number for name, number in cone.said.items()}
        digest.update(repr(sorted(said.items())).encode())
        for node in cone.nodes:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            _rename_node(copy, names)
            digest.update(copy.SerializeToString(deterministic=True))
    digest.update(" ".join(_renamed(name, names) for name in region.outputs).encode())
    return digest.hexdigest()


def _rename_node(node: onnx.NodeProto, names: dict[str, str]) -> None:
    node.name = ""
    if node.op_type not in RANDOM:  # it says where that is drawn
        node.doc_string = ""
    del node.metadata_props[:]
    node.input[:] = [_renamed(name, names) for name in node.input]
    node.output[:] = [_renamed(name, names) for name in node.output]
    for attribute in node.attribute:
        for graph in graphs_of(attribute):
            graph.name = ""
            for value in (*graph.input, *graph.initializer):
                value.name = _renamed(value.name, names)
            for inner in graph.node:
                _rename_node(inner, names)
            for value in (*graph.output, *graph.value_info):
                value.name = _renamed(value.name, names)


def _renamed(name: str, names: dict[str, str]) -> str:
    return names.setdefault(name, f"v{len(names)}")
