"""Which operator sets a model imports: the default one by one name, each in one version, functions as their model does.

The default set has two names, "" and "ai.onnx". A function may import another version than its model where its nodes
mean the same in both: onnx's checker asks for that, and engines run functions in the model's version whatever they
import. So the model's version says the same, and nothing behind this module has to tell names or versions apart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError

ALIAS = "ai.onnx"
"""The other name of the default operator set."""
SETTLED_FROM = 7
"""The version in which operators began to broadcast as numpy does; older ones are another language."""
CHANGED = {("OneHot", 11), ("RoiAlign", 16), ("Split", 18), ("GroupNormalization", 21)}
"""New versions of operators that give the same node another meaning, or none."""
Operator = tuple[str, frozenset[str]]
"""A node's type, and the names of its attributes."""
Operators = Collection[tuple[str, Operator]]
"""The nodes of a function: their domains, and what they are."""
Changes = Iterator[Callable[[], None]]


def settle(model: onnx.ModelProto) -> None:
    """Write domains and versions in the one way described above, in place. ModelError for imports that contradict."""
    for change in list(_changes(model)):
        change()


def settled(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, or a copy of it where something has to change. ModelError for imports that contradict."""
    if next(_changes(model), None) is None:
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    settle(copy)
    return copy


def settle_ir(model: ir.Model) -> None:
    """The same for a model in the IR, whose nodes have one name for the default set already."""
    main = _imports(model.opset_imports.items(), "the model")
    functions = {
        function.identifier(): _imports(function.opset_imports.items(), f"function {function.name!r}")
        for function in model.functions.values()
    }
    operators = {
        key: {(node.domain, (node.op_type, frozenset(node.attributes))) for node in function.all_nodes()}
        for key, function in model.functions.items()
    }
    main = _with_default(main, [(functions[key], operators[key]) for key in functions])
    _put(model.opset_imports, main)
    for key, function in model.functions.items():
        _put(function.opset_imports, _aligned(functions[key], main, operators[key]))


def _put(imports: dict[str, int], wanted: Mapping[str, int]) -> None:
    if dict(imports) != wanted:
        imports.clear()
        imports.update(wanted)


def _changes(model: onnx.ModelProto) -> Changes:
    """What has to be done to a model in protobuf, piece by piece."""
    nodes = list(_nodes(model.graph.node))
    yield from _renamed(nodes)
    main = _imports(((each.domain, each.version) for each in model.opset_import), "the model")
    functions = []
    for function in model.functions:
        inside = list(_nodes(function.node))
        yield from _renamed(inside)
        pairs = ((each.domain, each.version) for each in function.opset_import)
        imports = _imports(pairs, f"function {function.name!r}")
        functions.append((function, imports, {(canonical_domain(node.domain), _operator(node)) for node in inside}))
    main = _with_default(main, [(imports, operators) for _, imports, operators in functions])
    wanted = [(model, main), *((function, _aligned(each, main, used)) for function, each, used in functions)]
    for holder, imports in wanted:
        if [(each.domain, each.version) for each in holder.opset_import] != list(imports.items()):
            yield lambda holder=holder, imports=imports: _import(holder, imports)  # type: ignore[misc]


def _import(holder: onnx.ModelProto | onnx.FunctionProto, imports: Mapping[str, int]) -> None:
    del holder.opset_import[:]
    for domain, version in imports.items():
        holder.opset_import.add(domain=domain, version=version)


def _renamed(nodes: Iterable[onnx.NodeProto]) -> Changes:
    return (lambda node=node: node.ClearField("domain") for node in nodes if node.domain == ALIAS)  # type: ignore[misc]


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _nodes(graph.node)


def _operator(node: onnx.NodeProto) -> Operator:
    return node.op_type, frozenset(each.name for each in node.attribute)


def canonical_domain(domain: str) -> str:
    """Return the one name that we have for a domain of protobuf; onnx_ir gives its nodes the same."""
    return "" if domain == ALIAS else domain


def domain_text(domain: str) -> str:
    """Return the name of a domain for people."""
    return domain or ALIAS


def _imports(pairs: Iterable[tuple[str, int]], place: str) -> dict[str, int]:
    """Imports by domain, the default one by its name ""; ModelError where a domain has two versions."""
    found: dict[str, int] = {}
    for domain, version in pairs:
        known = found.setdefault(canonical_domain(domain), version)
        if known != version:
            words = (
                f"imports the operator set {domain_text(canonical_domain(domain))!r} in versions {known} and {version}"
            )
            raise ModelError(f"{place} {words}; keep one")
    return found


def _with_default(main: dict[str, int], functions: list[tuple[dict[str, int], Operators]]) -> dict[str, int]:
    """The model's imports; where only functions import the default set, in a version that all of them can be read in.

    Engines would take their newest.
    """
    versions = {imports[""] for imports, _ in functions if "" in imports}
    for version in sorted(versions, reverse=True) if "" not in main else ():
        extended = {**main, "": version}
        if all(_aligned(imports, extended, operators).get("", version) == version for imports, operators in functions):
            return extended
    return main


def _aligned(imports: dict[str, int], main: Mapping[str, int], operators: Operators) -> dict[str, int]:
    """A function's imports, each in the model's version where the function's nodes mean the same there."""
    return {
        domain: main[domain]
        if domain in main and all(_alike(domain, op, version, main[domain]) for each, op in operators if each == domain)
        else version
        for domain, version in imports.items()
    }


def _alike(domain: str, operator: Operator, one: int, other: int) -> bool:
    """Whether a node means the same in two versions of an operator set: each step from one to the next keeps it."""
    op_type, attributes = operator
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
    """Whether a new version of an operator only takes more types, or attributes that the node doesn't have."""
    if after.deprecated or (after.name, after.since_version) in CHANGED:
        return False
    formals = [[[each.option for each in values] for values in (of.inputs, of.outputs)] for of in (before, after)]
    facts = [
        {name: (each.type, each.required, each.default_value) for name, each in of.attributes.items()}
        for of in (before, after)
    ]
    more = facts[0].keys() ^ facts[1].keys()
    same = all(facts[0][name] == facts[1][name] for name in facts[0].keys() & facts[1].keys())
    return formals[0] == formals[1] and same and not more & set(attributes)
