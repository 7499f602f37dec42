"""What a model is made of: its operators and their attributes, its interface, constants and types."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.constants import OVERRIDABLE_FROM, declared_ir_version
from onnxtile.ir.dimensions import fed_inputs, free_dimensions, name_free_dimensions
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.metadata import SPARSE_META
from onnxtile.ir.symbolic.amounts import Amount, total
from onnxtile.operators.value_sizes import elements, value_bytes
from onnxtile.profiling.attribute_summary import AttributeFacts, attribute_facts
from onnxtile.profiling.formatting import dtype_text, type_name

_INT64_BYTES = 8


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
        """In all graphs."""
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

    Of sparse ones, `elements` are those that are stored, and `bytes` include their places.
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
        """In all graphs."""
        return sum(each.nodes for each in self.operators)


def facts_of(model: ir.Model) -> ModelFacts:
    """The facts of a model as it stands, its shapes too; nothing is changed, and no tensor's numbers are read."""
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
    """What may be fed: before IR version 4, files list weights among the inputs too."""
    fed = set(fed_inputs(model))
    for value in model.graph.inputs:
        if value in fed:
            yield _value(value)
        elif SPARSE_META not in value.meta and declared_ir_version(model) >= OVERRIDABLE_FROM:
            yield dataclasses.replace(_value(value), default=True)


def _value(value: ir.Value) -> ValueFacts:
    shape = None
    if value.shape is not None:
        shape = tuple(dim if isinstance(dim, int) else dim.value for dim in value.shape)
    return ValueFacts(value.name or "", type_name(value.type), shape)


def _free_dimensions(model: ir.Model) -> tuple[str, ...]:
    """The names that binding knows, those that it would give to nameless dimensions among them."""
    shown = [ir.Value(name=value.name, shape=value.shape, type=value.type) for value in fed_inputs(model)]
    interface = ir.Model(ir.Graph(shown, [], nodes=[]), ir_version=model.ir_version)
    name_free_dimensions(interface)
    return tuple(free_dimensions(interface))


def _constants(model: ir.Model) -> tuple[ConstantFacts, ...]:
    found: dict[str, list[ConstantFacts]] = {}
    for each in _each_constant(model):
        found.setdefault(each.type, []).append(each)
    return tuple(
        ConstantFacts(
            name,
            len(each),
            total(constant.elements for constant in each),
            total(constant.bytes for constant in each),
            sum(constant.external for constant in each),
        )
        for name, each in sorted(found.items())
    )


def _each_constant(model: ir.Model) -> Iterator[ConstantFacts]:
    for value in model.graph.inputs:
        if SPARSE_META in value.meta:
            sparse = value.meta[SPARSE_META]
            count, places = sparse.values.dims[0], sparse.indices.dims
            dtype = ir.DataType(sparse.values.data_type)
            size = -(-count * dtype.bitwidth // 8) + _INT64_BYTES * sum(places[:1]) * (
                places[1] if len(places) > 1 else 1
            )
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
    """Each value once; outputs that are left out aren't values."""
    for graph in model.graphs():
        own = dict.fromkeys([*graph.inputs, *graph.initializers.values()])
        yield from own
        yield from (value for node in graph for value in node.outputs if value.name != "")


def _functions(model: ir.Model) -> tuple[FunctionFacts, ...]:
    calls = Counter(node.op_identifier() for graph in _holders(model) for node in graph.all_nodes())
    return tuple(
        FunctionFacts(
            function.domain,
            function.name,
            function.overload,
            sum(1 for _ in function.all_nodes()),
            calls[key],
            dict(sorted(function.opset_imports.items())),
        )
        for key, function in sorted(model.functions.items())
    )


def _holders(model: ir.Model) -> Iterable[ir.Graph | ir.Function]:
    return (model.graph, *model.functions.values())


def _operators(model: ir.Model) -> tuple[OperatorFacts, ...]:
    found: dict[tuple[str, str], list[tuple[int, ir.Node]]] = {}
    for holder in _holders(model):
        main = model.graph if holder is model.graph else None
        for node in holder.all_nodes():
            place = 2 if main is None else 0 if node.graph is main else 1
            found.setdefault((node.domain, node.op_type), []).append((place, node))
    operators = []
    for (domain, op), nodes in sorted(found.items(), key=lambda item: item[0]):
        places = Counter(place for place, _ in nodes)
        called = any(node.op_identifier() in model.functions for _, node in nodes)
        given = attribute_facts(attribute for _, node in nodes for attribute in node.attributes.values())
        operators.append(OperatorFacts(domain, op, places[0], places[1], places[2], called, given))
    return tuple(operators)
