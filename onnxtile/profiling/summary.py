"""Sum up what a model consists of: its operators and their attributes, its interface, constants and types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import onnx_ir as ir

from onnxtile.ir.constants import OVERRIDABLE_FROM, declared_ir_version
from onnxtile.ir.dimensions import fed_inputs, free_dimensions, name_free_dimensions
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.metadata import SPARSE_META
from onnxtile.ir.symbolic.amounts import Amount, total
from onnxtile.operators.sizes import elements, value_bytes
from onnxtile.profiling.attribute_summary import AttributeFacts, attribute_facts
from onnxtile.profiling.constant_inputs import stored_size
from onnxtile.profiling.formatting import dtype_text, type_name


@dataclass(frozen=True)
class OperatorFacts(JsonRecord, members="domain op nodes=nodes_by_graph is_function attributes"):
    """An operator: its nodes in the main graph, in bodies of its nodes, and in local functions as they're written.

    `is_function`: it's a local function of the model. `attributes`: over all these nodes.
    """

    domain: str
    op: str
    main: int
    bodies: int
    functions: int
    is_function: bool
    attributes: tuple[AttributeFacts, ...]

    @property
    def nodes(self) -> int:
        """Return the number of nodes in all graphs."""
        return self.main + self.bodies + self.functions

    @property
    def nodes_by_graph(self) -> dict[str, int]:
        return {"main": self.main, "bodies": self.bodies, "functions": self.functions}


@dataclass(frozen=True)
class ValueFacts:
    """An input or output. `shape`: numbers, names of free sizes, None for nameless ones; None: no shape is known.

    `default`: a caller may leave it out, since an initializer holds a value for it.
    """

    name: str
    type: str
    shape: tuple[int | str | None, ...] | None
    default: bool = False


@dataclass(frozen=True)
class ConstantFacts:
    """Initializers of one type, in the main graph and in bodies. `external`: how many lie in data files.

    Of sparse ones, `elements` are those that are stored, and `bytes` include their indices.
    """

    type: str
    count: int
    elements: Amount
    bytes: Amount
    external: int = 0


@dataclass(frozen=True)
class FunctionFacts:
    """A local function. `nodes`: in its body and bodies therein; `calls`: nodes that call it, wherever they are."""

    domain: str
    name: str
    overload: str
    nodes: int
    calls: int
    opsets: Mapping[str, int]


@dataclass(frozen=True)
class ModelFacts(JsonRecord, members="* nodes"):
    """A model. Names are exact; in values of attributes, what's long is shortened and says so.

    `types`: how many values of the main graph and of bodies have each type, initializers among them; `?` stands for
    those without one. `free_dimensions`: as binding calls them.
    """

    ir_version: int
    opsets: Mapping[str, int]
    producer_name: str
    producer_version: str
    domain: str
    model_version: int | None
    doc_string: str
    graph_name: str
    metadata: Mapping[str, str]
    inputs: tuple[ValueFacts, ...]
    outputs: tuple[ValueFacts, ...]
    free_dimensions: tuple[str, ...]
    constants: tuple[ConstantFacts, ...]
    types: Mapping[str, int]
    functions: tuple[FunctionFacts, ...]
    operators: tuple[OperatorFacts, ...]

    @property
    def nodes(self) -> int:
        """Return the number of nodes in all graphs."""
        return sum(operator.nodes for operator in self.operators)


def facts_of(model: ir.Model) -> ModelFacts:
    """Return the facts of a model with the shapes that it has; nothing is changed, and no tensor's numbers are read."""
    return ModelFacts(
        ir_version=declared_ir_version(model),
        opsets=dict(sorted(model.opset_imports.items())),
        producer_name=model.producer_name or "",
        producer_version=model.producer_version or "",
        domain=model.domain or "",
        model_version=model.model_version,
        doc_string=model.doc_string or "",
        graph_name=model.graph.name or "",
        metadata=dict(sorted(model.metadata_props.items())),
        inputs=tuple(_inputs(model)),
        outputs=tuple(map(_value, model.graph.outputs)),
        free_dimensions=_free_dimensions(model),
        constants=_constants(model),
        types=dict(sorted(Counter(type_name(value.type) for value in _values(model)).items())),
        functions=_functions(model),
        operators=_operators(model),
    )


def _inputs(model: ir.Model) -> Iterator[ValueFacts]:
    """Yield what may be fed: before IR version 4, files list weights among the inputs too."""
    fed = set(fed_inputs(model))
    for value in model.graph.inputs:
        if value in fed:
            yield _value(value)
        elif SPARSE_META not in value.meta and declared_ir_version(model) >= OVERRIDABLE_FROM:
            yield replace(_value(value), default=True)


def _value(value: ir.Value) -> ValueFacts:
    shape = None
    if value.shape is not None:
        shape = tuple(dim if isinstance(dim, int) else dim.value for dim in value.shape)
    return ValueFacts(value.name or "", type_name(value.type), shape)


def _free_dimensions(model: ir.Model) -> tuple[str, ...]:
    """Return the names that binding knows, those that it would give to nameless dimensions among them."""
    shown = [ir.Value(name=value.name, shape=value.shape, type=value.type) for value in fed_inputs(model)]
    interface = ir.Model(ir.Graph(shown, [], nodes=[]), ir_version=model.ir_version)
    name_free_dimensions(interface)
    return tuple(free_dimensions(interface))


def _constants(model: ir.Model) -> tuple[ConstantFacts, ...]:
    by_type = groupby(sorted(_initializers(model), key=lambda facts: facts.type), key=lambda facts: facts.type)
    return tuple(_together(name, list(facts)) for name, facts in by_type)


def _together(name: str, facts: list[ConstantFacts]) -> ConstantFacts:
    sizes = total(row.elements for row in facts), total(row.bytes for row in facts)
    return ConstantFacts(name, len(facts), *sizes, sum(row.external for row in facts))


def _initializers(model: ir.Model) -> Iterator[ConstantFacts]:
    """Yield each initializer by itself."""
    for value in model.graph.inputs:
        if SPARSE_META in value.meta:
            dtype = ir.DataType(value.meta[SPARSE_META].values.data_type)
            size, count = stored_size(value)
            yield ConstantFacts(f"sparse {dtype_text(dtype)}", 1, count, size)
    for graph in model.graphs():
        for value in graph.initializers.values():
            tensor = value.const_value
            if tensor is None:  # in memory only: a file's initializers have values
                yield ConstantFacts(type_name(value.type), 1, elements(value), value_bytes(value))
            else:
                external = int(isinstance(tensor, ir.ExternalTensor))
                yield ConstantFacts(dtype_text(tensor.dtype), 1, tensor.size, tensor.nbytes, external)


def _values(model: ir.Model) -> Iterator[ir.Value]:
    """Yield each value once; outputs that are left out aren't values."""
    for graph in model.graphs():
        yield from dict.fromkeys([*graph.inputs, *graph.initializers.values()])
        yield from (value for node in graph for value in node.outputs if value.name != "")


def _nodes(model: ir.Model) -> Iterator[tuple[str, ir.Node]]:
    """Yield all nodes with the field of OperatorFacts that counts them."""
    for node in model.graph.all_nodes():
        yield "main" if node.graph is model.graph else "bodies", node
    for function in model.functions.values():
        yield from (("functions", node) for node in function.all_nodes())


def _functions(model: ir.Model) -> tuple[FunctionFacts, ...]:
    calls = Counter(node.op_identifier() for _, node in _nodes(model))
    return tuple(
        FunctionFacts(
            function.domain, function.name, function.overload, sum(1 for _ in function.all_nodes()), calls[key],
            dict(sorted(function.opset_imports.items())),
        )
        for key, function in sorted(model.functions.items())
    )  # fmt: skip


def _operators(model: ir.Model) -> tuple[OperatorFacts, ...]:
    nodes: dict[tuple[str, str], list[tuple[str, ir.Node]]] = {}
    for field, node in _nodes(model):
        nodes.setdefault((node.domain, node.op_type), []).append((field, node))
    return tuple(_operator(model, domain, op, nodes[domain, op]) for domain, op in sorted(nodes))


def _operator(model: ir.Model, domain: str, op: str, nodes: list[tuple[str, ir.Node]]) -> OperatorFacts:
    counts = Counter(field for field, _ in nodes)
    called = any(node.op_identifier() in model.functions for _, node in nodes)
    attributes = attribute_facts(attribute for _, node in nodes for attribute in node.attributes.values())
    return OperatorFacts(
        domain, op, counts["main"], counts["bodies"], counts["functions"], is_function=called, attributes=attributes
    )
