"""Settle which operator sets a model imports: the default by one name, in one version, functions as their model does.

The default set has two names, "" and "ai.onnx". A function may import another version than its model where its nodes
mean the same in both: onnx's checker asks for that, and engines run functions in the model's version whatever they
import. So the model's version says the same, and nothing behind this module has to tell names or versions apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.proto_nodes import with_nodes_inside

ALIAS = "ai.onnx"
"""The other name of the default operator set."""
SETTLED_FROM = 7
"""The version in which operators began to broadcast as numpy does; older ones are another language."""
CHANGED = {("OneHot", 11), ("RoiAlign", 16), ("Split", 18), ("GroupNormalization", 21)}
"""New versions of operators that give the same node another meaning, or none."""
OperatorUse = tuple[str, str, frozenset[str]]
"""A node's domain and type, and the names of its attributes."""
Imports = dict[str, int]


def settle(model: onnx.ModelProto) -> None:
    """Write domains and versions in the one way described above, in place. ModelError for imports that contradict."""
    nodes, imports = _unsettled(model)
    for node in nodes:
        node.ClearField("domain")
    for holder, wanted in imports:
        del holder.opset_import[:]
        for domain, version in wanted.items():
            holder.opset_import.add(domain=domain, version=version)


def settled(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model, or a copy of it where something has to change. ModelError for imports that contradict."""
    if not any(_unsettled(model)):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    settle(copy)
    return copy


def settle_ir(model: ir.Model) -> None:
    """Settle the imports of a model in the IR, whose nodes have one name for the default set already."""
    functions = list(model.functions.values())
    holders: list[ir.Model | ir.Function] = [model, *functions]
    operators = [{(node.domain, node.op_type, frozenset(node.attributes)) for node in f.all_nodes()} for f in functions]
    pairs = [list(holder.opset_imports.items()) for holder in holders]
    wanted = _wanted(pairs, [function.name for function in functions], operators)
    for holder, imports in zip(holders, wanted, strict=True):
        if dict(holder.opset_imports) != imports:
            holder.opset_imports.clear()
            holder.opset_imports.update(imports)


def _unsettled(
    model: onnx.ModelProto,
) -> tuple[list[onnx.NodeProto], list[tuple[onnx.ModelProto | onnx.FunctionProto, Imports]]]:
    """Return the nodes whose domain has its other name, and the imports that have to change, with what they become."""
    nodes = [list(with_nodes_inside(holder.node)) for holder in (model.graph, *model.functions)]
    holders = [model, *model.functions]
    pairs = [[(opset.domain, opset.version) for opset in holder.opset_import] for holder in holders]
    operators = [set(map(_operator, inside)) for inside in nodes[1:]]
    wanted = _wanted(pairs, [function.name for function in model.functions], operators)
    changed = [(h, new) for h, old, new in zip(holders, pairs, wanted, strict=True) if old != list(new.items())]
    return [node for inside in nodes for node in inside if node.domain == ALIAS], changed


def _operator(node: onnx.NodeProto) -> OperatorUse:
    return canonical_domain(node.domain), node.op_type, frozenset(attribute.name for attribute in node.attribute)


def _wanted(
    pairs: Sequence[Iterable[tuple[str, int]]], names: Sequence[str], operators: Sequence[Collection[OperatorUse]]
) -> list[Imports]:
    """Return the imports of a model and its functions from domains and versions, those of the model first."""
    main, *functions = map(_imports, pairs, ["the model", *(f"function {name!r}" for name in names)])
    main = _with_default(main, list(zip(functions, operators, strict=True)))
    return [main, *(_aligned(own, main, used) for own, used in zip(functions, operators, strict=True))]


def canonical_domain(domain: str) -> str:
    """Return the one name that we have for a domain of protobuf; onnx_ir gives its nodes the same."""
    return "" if domain == ALIAS else domain


def domain_text(domain: str) -> str:
    """Return the name of a domain for people."""
    return domain or ALIAS


def _imports(pairs: Iterable[tuple[str, int]], holder: str) -> Imports:
    """Return imports by domain, the default one by its name ""; ModelError where a domain has two versions."""
    imports: Imports = {}
    for domain, version in pairs:
        known = imports.setdefault(canonical_domain(domain), version)
        if known != version:
            words = (
                f"imports the operator set {domain_text(canonical_domain(domain))!r} in versions {known} and {version}"
            )
            raise ModelError(f"{holder} {words}; keep one")
    return imports


def _with_default(main: Imports, functions: Sequence[tuple[Imports, Collection[OperatorUse]]]) -> Imports:
    """Return the model's imports; where only functions import the default set, a version all of them can be read in.

    Engines would take their newest.
    """
    versions = {imports[""] for imports, _ in functions if "" in imports}
    for version in sorted(versions, reverse=True) if "" not in main else ():
        extended = {**main, "": version}
        if all(_aligned(imports, extended, operators).get("", version) == version for imports, operators in functions):
            return extended
    return main


def _aligned(imports: Imports, main: Imports, operators: Collection[OperatorUse]) -> Imports:
    """Return a function's imports, each in the model's version where the function's nodes mean the same there."""
    return {
        domain: main[domain]
        if domain in main and all(_alike(used, version, main[domain]) for used in operators if used[0] == domain)
        else version
        for domain, version in imports.items()
    }


def _alike(operator: OperatorUse, one: int, other: int) -> bool:
    """Return whether a node means the same in two versions of an operator set: each step between keeps it."""
    domain, op_type, attributes = operator
    low, high = sorted((one, other))
    try:
        first, last = (onnx.defs.get_schema(op_type, version, domain) for version in (low, high))
        if low < SETTLED_FROM:
            return bool(first.since_version == last.since_version)
        while last.since_version > first.since_version:
            before = onnx.defs.get_schema(op_type, last.since_version - 1, domain)
            if not _keeps(before, last, attributes):
                return False
            last = before
    except onnx.defs.SchemaError:
        return one == other
    return True


def _keeps(before: onnx.defs.OpSchema, after: onnx.defs.OpSchema, attributes: Collection[str]) -> bool:
    """Return whether a new version of an operator only takes more types, or attributes that the node doesn't have."""
    if after.deprecated or (after.name, after.since_version) in CHANGED:
        return False
    schemas = (before, after)
    formals = [[[formal.option for formal in formals] for formals in (s.inputs, s.outputs)] for s in schemas]
    old, new = (
        {name: (given.type, given.required, given.default_value) for name, given in schema.attributes.items()}
        for schema in schemas
    )
    same = all(old[name] == new[name] for name in old.keys() & new.keys())
    return formals[0] == formals[1] and same and not (old.keys() ^ new.keys()) & set(attributes)
