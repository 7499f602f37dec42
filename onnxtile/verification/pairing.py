"""Two models side by side: what is as it was, and the regions that were rewritten.

A value that both models have, by scope and name, is shared. Every shared value has to be the same in both, which
follows step by step from the front: a node that is as it was makes the same of the same; for any other, the nodes
between the value and the shared ones before it are a region of either model, and the two have to be proven alike.
Nothing else of a model bears on its outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import onnx

from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.verification.graphs import RANDOM, Made, Scope, graphs_of, name_of, nodes_inside, reads, types_said
from onnxtile.verification.opened import Opened


@dataclass(frozen=True)
class Cone:
    """The nodes of one model, in order, that make a region's outputs out of shared values and constants."""

    nodes: list[onnx.NodeProto]
    inputs: list[str]
    constants: dict[str, onnx.TensorProto]
    missing: list[str]
    """What is read, but made by nobody."""
    said: dict[str, int]
    """Types that the file says values have which nodes make, outputs aside."""


@dataclass(frozen=True)
class Region:
    """Nodes of the original, and what takes their place: both make `outputs`. `node` is the original's last one.

    `inner`: those that their graph doesn't give.
    """

    scope: str
    node: onnx.NodeProto
    outputs: list[str]
    inner: list[str]
    original: Cone
    lowered: Cone
    same: frozenset[str] = frozenset()
    """Constants of one name that both read, and that have the same bytes."""

    @property
    def name(self) -> str:
        return name_of(self.node)

    @property
    def inputs(self) -> list[str]:
        """Shared values that either side reads, constants aside."""
        return list(dict.fromkeys([*self.original.inputs, *self.lowered.inputs]))


@dataclass(frozen=True)
class Difference:
    """Something that isn't the same in both models and can't be: where, and the lowered model's nodes that it hits."""

    name: str
    op: str
    scope: str
    reason: str
    where: tuple[str, ...]


@dataclass
class Pairing:
    """The regions, in the original's order; differences; and how many nodes are as they were.

    `idle`: what bears on nothing in the lowered model, and isn't in the original: by scope, its nodes. `said`: types
    that the lowered file says shared values have, by scope and name.
    """

    regions: list[Region] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    idle: list[tuple[str, Cone]] = field(default_factory=list)
    said: list[tuple[str, str, int]] = field(default_factory=list)
    kept: int = 0


def pair(original: Opened, lowered: Opened, apart: frozenset[str] = frozenset()) -> Pairing:
    """Lay two models of the same interface side by side. `apart`: names that aren't taken for shared."""
    work = _Work(original, lowered, apart)
    # what the original lets a caller override: the lowered file may have a newer version for other reasons
    ours, theirs = (Scope(model.proto.graph, overridable=original.overridable) for model in (original, lowered))
    work.defaults(ours, theirs)
    work.outputs(ours, theirs, ours.graph)
    work.visit(ours, theirs)
    work.idle()
    return work.found


class _Work:
    def __init__(self, original: Opened, lowered: Opened, apart: frozenset[str]) -> None:
        self.apart = apart
        self._original, self._lowered = original, lowered
        self._opsets = [_opsets(model.proto) for model in (original, lowered)]
        self._functions = [
            {_key(function): function for function in model.proto.functions} for model in (original, lowered)
        ]
        self.found = Pairing()
        self._used: set[int] = set()
        self._visited: list[tuple[Scope, _Shared]] = []

    def defaults(self, ours: Scope, theirs: Scope) -> None:
        """Tell inputs that have another default value, or one in one model only."""
        for name in [*ours.defaults, *(theirs.defaults.keys() - ours.defaults.keys())]:
            one, other = ours.defaults.get(name), theirs.defaults.get(name)
            if not self._lowered.overridable:
                reason = f"input {name!r} can't be overridden, as the original's can: its file's version is too old"
            elif one is None or other is None or not self._original.same(one, self._lowered, other):
                reason = f"input {name!r} has another default value than in the original"
            else:
                continue
            self.found.differences.append(Difference(name, "input", "", reason, (name,)))
        sparse = [{tensor.values.name: tensor for tensor in scope.graph.sparse_initializer} for scope in (ours, theirs)]
        for name in dict.fromkeys([*sparse[0], *sparse[1]]):
            if sparse[0].get(name) != sparse[1].get(name):
                reason = f"sparse constant {name!r} has other elements than in the original"
                where = tuple(name_of(node) for node in theirs.readers.get(name, []))
                self.found.differences.append(Difference(name, "constant", "", reason, where))

    def outputs(self, ours: Scope, theirs: Scope, graph: onnx.GraphProto) -> None:
        """Tell outputs that the lowered graph doesn't make, or makes in another way than a node makes a node's."""
        shared = _Shared(self, ours, theirs)
        for value in graph.output:
            made = ours.find(value.name)
            if not shared(value.name) and (made is None or made.node is None or value.name not in theirs.made):
                reason = f"output {value.name!r} isn't made as in the original"
                self.found.differences.append(Difference(value.name, "output", ours.name, reason, (value.name,)))

    def visit(self, ours: Scope, theirs: Scope) -> None:
        """Pair the nodes of two graphs, and those of graphs in them."""
        shared = _Shared(self, ours, theirs)
        self._visited.append((theirs, shared))
        given = {value.name for value in ours.graph.output}
        self.found.said += [(ours.name, *said) for said in types_said(theirs.graph).items() if shared(said[0])]
        for node in ours.nodes:
            if _is_constant(ours, node):
                continue
            outputs = [name for name in node.output if name and name in theirs.made and name not in self.apart]
            if not outputs:
                continue
            other = theirs.made[outputs[0]].node
            if other is not None and self._is_kept(node, other, shared):
                self.found.kept += 1
                self._used.add(id(other))
                self._visit_inside(node, other, ours, theirs)
                continue
            cones = [_cone(scope, outputs, shared) for scope in (ours, theirs)]
            inner = [name for name in outputs if name not in given]
            _same_inputs(ours, shared, *cones)
            self._used.update(map(id, cones[1].nodes))
            same = [name for name in cones[0].constants if name in cones[1].constants and shared(name)]
            self.found.regions.append(Region(ours.name, node, outputs, inner, cones[0], cones[1], frozenset(same)))

    def idle(self) -> None:
        """Tell nodes of the lowered model that are in no region, and aren't as they were."""
        for theirs, shared in self._visited:
            rest = [node for node in theirs.nodes if id(node) not in self._used and not _is_constant(theirs, node)]
            if rest:
                outputs = [name for node in rest for name in node.output if name]
                self.found.idle.append((theirs.name, _cone(theirs, outputs, shared)))

    def same_constant(self, ours: Made, theirs: Made) -> bool:
        """Return whether two models have the same bytes under a name."""
        assert ours.constant is not None and theirs.constant is not None
        return self._original.same(ours.constant, self._lowered, theirs.constant)

    def _is_kept(self, node: onnx.NodeProto, other: onnx.NodeProto, shared: _Shared) -> bool:
        """Return whether a node is as it was; graphs inside it only have to have the same interface."""
        return (
            self._same_meaning(node)
            and _shell(node) == _shell(other)
            and list(map(_interface, _inside(node))) == list(map(_interface, _inside(other)))
            and all(shared(name) for name in node.input if name)
        )

    def _same_meaning(self, node: onnx.NodeProto) -> bool:
        """Return whether both models have the same operator: its version, or the body of a function of ours."""
        one, other = (functions.get((node.domain, node.op_type, node.overload)) for functions in self._functions)
        if one is None and other is None:
            return self._opsets[0].get(node.domain) == self._opsets[1].get(node.domain)
        if one is None or other is None:
            return False
        same = all(getattr(one, part) == getattr(other, part) for part in _MEANING)
        return same and all(self._same_meaning(inner) for node in one.node for inner in nodes_inside(node))

    def _visit_inside(self, node: onnx.NodeProto, other: onnx.NodeProto, ours: Scope, theirs: Scope) -> None:
        attributes = {attribute.name: attribute for attribute in other.attribute}
        for attribute in node.attribute:
            for one, two in zip(graphs_of(attribute), graphs_of(attributes[attribute.name]), strict=True):
                inner, their_inner = ours.inside(node, attribute.name, one), theirs.inside(other, attribute.name, two)
                self.outputs(inner, their_inner, one)
                self.visit(inner, their_inner)


class _Shared:
    """Hold the names that stand for the same value in two graphs, seen from within them."""

    def __init__(self, work: _Work, ours: Scope, theirs: Scope) -> None:
        self._work, self._ours, self._theirs = work, ours, theirs
        self._known: dict[str, bool] = {}

    def __call__(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._judge(name)
        return known

    def _judge(self, name: str) -> bool:
        ours, theirs = self._ours.find(name), self._theirs.find(name)
        if (
            name in self._work.apart
            or ours is None
            or theirs is None
            or (ours.constant is None) != (theirs.constant is None)
        ):
            return False
        if ours.constant is not None:
            return self._work.same_constant(ours, theirs)
        return ours.depth == theirs.depth


_MEANING = ("node", "input", "output", "attribute", "attribute_proto", "opset_import")
"""What of a function says what it does."""


def _key(function: onnx.FunctionProto) -> tuple[str, str, str]:
    return function.domain, function.name, function.overload


def _is_constant(scope: Scope, node: onnx.NodeProto) -> bool:
    return scope.made.get(next(filter(None, node.output), ""), Made(0)).constant is not None


def _cone(scope: Scope, outputs: Iterable[str], shared: _Shared) -> Cone:
    """Return what makes the outputs out of shared values: nodes of the graph, or of those around it.

    Values that follow from constants and sizes alone are made in the region, so that they are known there.
    """
    found: dict[tuple[int, int], onnx.NodeProto] = {}
    inputs: dict[str, None] = {}
    constants: dict[str, onnx.TensorProto] = {}
    missing: dict[str, None] = {}
    own = list(outputs)
    waiting, seen = list(own), set(own)
    while waiting:
        name = waiting.pop()
        made = scope.find(name)
        if made is None:
            missing[name] = None
        elif made.constant is not None:
            constants[name] = made.constant
        elif made.node is None or (name not in own and shared(name) and not scope.is_computed(name)):
            inputs[name] = None
        elif (made.depth, made.at) not in found:
            found[made.depth, made.at] = _drawn_at(made.depth, made.node)
            for read in reads(made.node):
                if read not in seen:
                    seen.add(read)
                    waiting.append(read)
    nodes = [found[at] for at in sorted(found)]
    inside = (name for node in nodes for name in node.output if name not in own)
    said = {name: scope.said[name] for name in inside if name in scope.said}
    return Cone(nodes, list(inputs), constants, list(missing), said)


def _drawn_at(depth: int, node: onnx.NodeProto) -> onnx.NodeProto:
    """The node; a random one says at which depth it draws: in a loop's body it draws anew in each turn."""
    if node.op_type not in RANDOM:
        return node
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.doc_string = f"at depth {depth}"
    return copy


def _same_inputs(scope: Scope, shared: _Shared, *cones: Cone) -> None:
    """Let a value that one side reads, and that follows from what the other reads, be made of that in the region.

    Fed apart, the two wouldn't fit together: a number and what it was quantized to, say. What follows from constants
    alone is made of them. That goes for values that both read too: one of two equal nodes may be gone.
    """
    added: list[dict[tuple[int, int], onnx.NodeProto]] = [{} for _ in cones]
    changed = True
    while changed:
        changed = False
        inputs = {name for cone in cones for name in cone.inputs}
        for cone, nodes in zip(cones, added, strict=True):
            for name in list(cone.inputs):
                made = scope.find(name)
                if made is None or made.node is None or (made.depth, made.at) in nodes:
                    continue
                read = {name_read: scope.find(name_read) for name_read in reads(made.node)}
                constants = {
                    name_read: of.constant
                    for name_read, of in read.items()
                    if of is not None and of.constant is not None
                }
                computed = {name_read for name_read in read if scope.is_computed(name_read)}
                known = constants.keys() if cone is cones[0] else ()  # its own, under whatever name the other has them
                if read.keys() <= (inputs - {name}) | constants.keys() | computed and all(
                    name_read in known or shared(name_read) for name_read in read
                ):
                    nodes[made.depth, made.at] = made.node
                    makes = {output for node in nodes.values() for output in node.output}
                    rest = [other for other in (*cone.inputs, *read) if other not in constants and other not in makes]
                    cone.inputs[:] = dict.fromkeys(rest)
                    cone.constants.update(constants)
                    changed = True
    for cone, nodes in zip(cones, added, strict=True):
        cone.nodes[:0] = [node for _, node in sorted(nodes.items())]


def _shell(node: onnx.NodeProto) -> tuple[object, ...]:
    """All that says what a node does, but for the graphs inside it."""
    attributes = {
        attribute.name: None if graphs_of(attribute) else _without_words(attribute) for attribute in node.attribute
    }
    return node.domain, node.op_type, node.overload, list(node.input), list(node.output), attributes


def _without_words(attribute: onnx.AttributeProto) -> bytes:
    if attribute.doc_string:
        copy = onnx.AttributeProto()
        copy.CopyFrom(attribute)
        copy.ClearField("doc_string")
        attribute = copy
    return bytes(attribute.SerializeToString(deterministic=True))


def _inside(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    return (graph for attribute in node.attribute for graph in graphs_of(attribute))


def _interface(graph: onnx.GraphProto) -> tuple[list[str], list[str]]:
    return [value.name for value in graph.input], [value.name for value in graph.output]


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    """The versions of operator sets; that of our own functions doesn't count."""
    return {opset.domain: opset.version for opset in model.opset_import if opset.domain != CALL_DOMAIN}
