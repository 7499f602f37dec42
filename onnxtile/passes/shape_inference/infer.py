"""Inference over a whole model: what is taken from whom, until nothing changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import node_name
from onnxtile.ir.constants import OVERRIDABLE_FROM, declared_ir_version
from onnxtile.ir.dimensions import name_free_dimensions, symbols_of
from onnxtile.ir.graphs import all_graphs, defined_values, node_bodies, nodes_within
from onnxtile.ir.metadata import NUMBERS_META, UNKNOWN_META
from onnxtile.passes.shape_inference.arithmetic import NOTE
from onnxtile.passes.shape_inference.declared import Declared, has_rule, is_registered, take_declared
from onnxtile.passes.shape_inference.flow import Widened, open_widened
from onnxtile.passes.shape_inference.library import Run, install
from onnxtile.passes.shape_inference.onnx_inference import Inferred, infer_by_onnx

ShapesAndTypes = dict[ir.Value, tuple[tuple[int | ir.SymbolicDim, ...] | None, ir.TypeProtocol | None]]


def infer(model: ir.Model) -> bool:
    """Give each value the shape that holds in every run, and its type; return whether that changed anything.

    Raises ModelError where shapes contradict.
    """
    install()
    values = [value for _, value in defined_values(model)]
    before = shapes_and_types(values)
    for value in values:
        if value._metadata_props:  # asking for metadata_props or meta makes an empty one
            value.metadata_props.pop(NOTE, None)  # a file's own isn't believed
    with _without_defaults(model):
        _infer(model, values)
    return shapes_and_types(values) != before


def shapes_and_types(values: Iterable[ir.Value]) -> ShapesAndTypes:
    """Return the shape and type that every value has now."""
    return {value: (None if (shape := value.shape) is None else shape.dims, value.type) for value in values}


def _infer(model: ir.Model, values: list[ir.Value]) -> None:
    name_free_dimensions(model)
    declared = take_declared(model)
    known = {name for value in _sources(model) for dim in value.shape or () for name in symbols_of(dim)}
    turns = any(node.op_type == "Loop" for graph in all_graphs(model) for node in graph)
    start = {value: None if value.shape is None else value.shape.copy() for value in values} if turns else {}
    by_onnx = infer_by_onnx(model, strict=False)
    _put_in(model, by_onnx, declared)
    widened: Widened = {}
    while True:
        run = Run(by_onnx, declared, widened=widened)
        run.infer(model)
        _drop_unknown_elements(values)
        if run.is_stable:
            break
        for value, shape in start.items():
            value.shape = shape
            value.metadata_props.pop(NOTE, None)
        _put_in(model, by_onnx, declared)
        open_widened(widened)
    if run.failures:
        infer_by_onnx(model, strict=True)
    for value, (_, info) in by_onnx.items():
        if value.type is None:
            value.type = ir.serde.deserialize_type_proto_for_type(info)
    for value in reachable(value for value, dims in widened.items() if dims is None):
        value.shape = None
    _finish(values, run, known)
    for value in model.graph.outputs:
        _compare(value, declared.get(value))


def _drop_unknown_elements(values: Iterable[ir.Value]) -> None:
    """Take types away that are sequences or optional values of an unknown type: onnx_ir couldn't write them."""
    for value in values:
        type_ = value.type
        if type(type_) is ir.TensorType:  # mostly, and quick
            continue
        if isinstance(type_, (ir.SequenceType, ir.OptionalType)) and type_.dtype is None:
            value.type = None


def _sources(model: ir.Model) -> Iterator[ir.Value]:
    """Yield values whose declared shapes are facts: inputs, and outputs of operators for which nobody has a rule."""
    yield from model.graph.inputs
    for node in nodes_within(model.graph):
        if not has_rule(node, model):
            yield from node.outputs
            for body in node_bodies(node):
                yield from body.inputs


def _put_in(model: ir.Model, by_onnx: Inferred, declared: Declared) -> None:
    """Give the shapes that onnx finds where the other library has no rule."""
    for node in nodes_within(model.graph):
        if node.op_type == "SequenceMap" and not node.domain:
            _give_elements(node, by_onnx)
        if is_registered(node.domain, node.op_type) or not has_rule(node, model):
            continue
        for value in node.outputs if node.op_identifier() not in model.functions else ():
            sizes, _ = by_onnx.get(value, (None, None))
            said = declared.get(value)
            if sizes is not None and said is not None and len(said) == len(sizes):
                value.shape = ir.Shape([dim if size is None else size for size, dim in zip(sizes, said, strict=True)])
            elif sizes is not None or said is not None:
                value.shape = ir.Shape(sizes) if sizes is not None else said


def _give_elements(node: ir.Node, by_onnx: Inferred) -> None:
    """Give the body of a SequenceMap its inputs' shapes: those of the elements of sequences, and of tensors."""
    for body in node_bodies(node):
        for value, inside in zip(node.inputs, body.inputs, strict=False):
            sizes, _ = (None, None) if value is None else by_onnx.get(value, (None, None))
            if value is not None and value.is_graph_input():
                inside.shape = value.shape
            elif sizes is not None:
                inside.shape = ir.Shape(sizes)


def _finish(values: Iterable[ir.Value], run: Run, known: set[str]) -> None:
    """Leave numbers and formulas in free dimensions; everything else is unknown, with its reason."""
    for value in values:
        note = value.metadata_props.pop(NOTE, None) if value._metadata_props else None
        for key in (NUMBERS_META, UNKNOWN_META) if value._metadata else ():
            value.meta.pop(key, None)
        if note is not None:
            numbers = json.loads(note)
            if all(isinstance(number, int) or _is_known(ir.SymbolicDim(number), known) for number in numbers):
                value.meta[NUMBERS_META] = numbers
        if value.shape is None:
            if value in run.notes:
                value.meta[UNKNOWN_META] = run.notes[value]
            continue
        dims = list(value.shape.dims)
        changed = False
        for axis, dim in enumerate(dims):
            if not isinstance(dim, int) and not _is_known(dim, known):
                names = [] if dim.value is None else _names(dim)
                reason = next((run.reasons[name] for name in names if name in run.reasons), None)
                if reason is not None:
                    value.meta.setdefault(UNKNOWN_META, reason)
                dims[axis], changed = ir.SymbolicDim(None), True
        if changed:
            value.shape = ir.Shape(dims)


def _names(dim: ir.SymbolicDim) -> list[str]:
    return [str(dim.value)] if str(dim.value).isidentifier() else sorted(dim.free_symbols())


def _is_known(dim: ir.SymbolicDim, known: set[str]) -> bool:
    if dim.value is None:
        return False
    return dim.value in known or known.issuperset(_names(dim))


def _compare(value: ir.Value, said: ir.Shape | None) -> None:
    """Refuse a declared output whose sizes are others in every run."""
    shape = value.shape
    if shape is None or said is None or len(shape) != len(said):
        return  # engines run what says another rank
    if any(isinstance(x, int) and isinstance(y, int) and x != y for x, y in zip(shape, said, strict=True)):
        producer = value.producer()
        where = "" if producer is None else f", which {producer.op_type} {node_name(producer)!r} computes,"
        raise ModelError(
            f"the model's shapes contradict: output {value.name!r}{where} is declared {said} and inferred {shape}"
        )


def reachable(roots: Iterable[ir.Value]) -> set[ir.Value]:
    """Return the values, and all that are computed from them, in nested graphs too."""
    seen: set[ir.Value] = set()
    waiting = list(roots)
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        for use in value.uses():
            waiting += use.node.outputs
            waiting += (value for body in node_bodies(use.node) for value in body.inputs)
    return seen


@contextmanager
def _without_defaults(model: ir.Model) -> Iterator[None]:
    """Hide the values of initializers that a caller may replace: they're no facts."""
    version = declared_ir_version(model)
    defaults = [value for value in model.graph.inputs if value.is_initializer() and version >= OVERRIDABLE_FROM]
    tensors = [value.const_value for value in defaults]
    for value in defaults:
        model.graph.initializers.pop(str(value.name))
        value.const_value = None
    try:
        yield
    finally:
        for value, tensor in zip(defaults, tensors, strict=True):
            value.const_value = tensor
            model.graph.register_initializer(value)
