"""onnx_shape_inference, held to what is known to be sound: each of its rules is called through `Run.apply`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache

import onnx
import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext, infer_symbolic_shapes, registry

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, node_name
from onnxtile.ir.dimensions import LARGEST
from onnxtile.ir.graphs import node_bodies, nodes_within, subgraphs
from onnxtile.operators.signatures import signature as signature_of
from onnxtile.passes.shape_inference.arithmetic import forget
from onnxtile.passes.shape_inference.believed import OWN, ROUNDED, is_sound, is_sound_in_onnx
from onnxtile.passes.shape_inference.bounded import bound_numbers
from onnxtile.passes.shape_inference.extensions import EXTENSIONS
from onnxtile.passes.shape_inference.flow import FLOW, Widened, widen
from onnxtile.passes.shape_inference.learning import LEARNING
from onnxtile.passes.shape_inference.memoized import memoize_formulas
from onnxtile.passes.shape_inference.onnx_inference import Inferred
from onnxtile.passes.shape_inference.rules import Rule
from onnxtile.passes.shape_inference.sizes import Extent, is_minted, plain, unknown

_RUN: ContextVar[Run | None] = ContextVar("_RUN", default=None)
_FAULTS = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError, ModelError, UnsizedError
)  # fmt: skip
"""Errors that rules raise of nodes that contradict, or that they don't expect."""

_TOO_MANY = "more elements along an axis than an integer of 64 bits counts"


@dataclass
class Run:
    """One inference. `by_onnx`: what onnx's own finds; `declared`: the shapes that the model declares.

    `reasons`: why a size of that name isn't known; `notes`: why a value's rank isn't; `failures`: what rules raised.
    `doubted`: values at which onnx's inference isn't believed; `owners`: the node that holds a body. `widened`: what
    Loops carry that changes; not `is_stable`: there is more of it than was known, and all has to be inferred anew.
    `equal`: what was inferred of nodes of a signature.
    """

    by_onnx: Inferred
    declared: Mapping[ir.Value, ir.Shape]
    reasons: dict[str, str] = field(default_factory=dict)
    notes: dict[ir.Value, str] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    doubted: set[ir.Value] = field(default_factory=set)
    owners: dict[object, ir.Node] = field(default_factory=dict)
    widened: Widened = field(default_factory=dict)
    is_stable: bool = True
    equal: dict[Hashable, tuple[ir.Shape, ir.DataType | None]] = field(default_factory=dict)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Hold the library's rules to what is sound, while this lasts."""
        token = _RUN.set(self)
        try:
            yield
        finally:
            _RUN.reset(token)

    def infer(self, model: ir.Model) -> None:
        """Let the library go through the model; `install` has to be called before."""
        for node in nodes_within(model.graph):
            self.owners |= dict.fromkeys(node_bodies(node), node)
        with self.active():
            try:
                infer_symbolic_shapes(model, policy="strict", warn_on_missing=False, adopt_declared_symbols=False)
            except ValueError as error:  # the library's own errors are ValueErrors too
                self.failures.append(error)

    def apply(self, context: ShapeInferenceContext, node: ir.Node, library: Rule) -> None:
        """Infer a node's outputs; what is agreed of a node is so of all that are equal but for names."""
        signature = None if self.doubted else _signature(context, node, library)
        if signature in self.equal:
            shape, dtype = self.equal[signature]
            (output,) = node.outputs
            if _agree(shape, self.by_onnx.get(output, (None, None))[0]):
                output.shape = shape.copy()
                if dtype is not None and output.dtype is None:
                    output.dtype = dtype
                return
        own = None if library is _left_to_onnx else OWN.get((node.domain, node.op_type))
        reason = None
        try:
            if own is not None:
                reason = own(context, node, library)
            else:
                library(context, node)
        except _FAULTS as error:
            if node.graph not in self.owners:  # a branch that's never taken may contradict itself
                self.failures.append(error)
            for output in node.outputs:
                output.shape = None
        if not node.domain and node.op_type == "Loop" and "body" in node.attributes:
            self.is_stable &= not widen(node, self.widened)
            (body,) = subgraphs(node.attributes["body"])
            if any(self.widened.get(value, ()) is None for value in body.inputs):
                for output in node.outputs:
                    output.shape = None  # it was inferred for the first turn alone
        sound = own is not None or is_sound(node.domain, node.op_type)
        taken_for_granted = self._is_doubted(node) or not is_sound_in_onnx(node.domain, node.op_type)
        if node.op_type in ROUNDED and not node.domain:
            taken_for_granted |= any(is_minted(context, dim) for value in node.outputs for dim in value.shape or ())
        if sound and not taken_for_granted and all(map(self._is_agreed, node.outputs)):
            for output in node.outputs:
                self._check_numbers(context, output)
            if signature is not None and (agreed := node.outputs[0].shape) is not None:
                self.equal[signature] = (agreed.copy(), node.outputs[0].dtype)
            return
        if reason is None:
            reason = f"what {node.op_type} {node_name(node)!r} makes is only known at run time"
            if not sound:
                reason = f"no rule for the sizes of what {node.op_type} {node_name(node)!r} makes is known to be sound"
        for output in node.outputs:
            self._settle(context, output, sound, taken_for_granted, reason, node)
            self._check_numbers(context, output)

    def _is_agreed(self, value: ir.Value) -> bool:
        """Return whether both sources find the same numbers, or only the library does."""
        return value.shape is not None and _agree(value.shape, self.by_onnx.get(value, (None, None))[0])

    def _settle(
        self, context: ShapeInferenceContext, value: ir.Value, sound: bool, doubted: bool, reason: str, node: ir.Node
    ) -> None:
        """Weigh both sources, and note why what isn't known isn't."""
        if doubted:
            self.doubted.add(value)
        theirs = None if doubted else self.by_onnx.get(value, (None, None))[0]
        if value.shape is not None and sound and _agree(value.shape, theirs):
            return
        shape, declared = value.shape, None if sound and not node.domain else self.declared.get(value)
        if shape is not None and theirs is not None and len(shape) != len(theirs):
            self.doubted.add(value)
            value.shape = None
            self.notes[value] = _contradiction(node, len(theirs), len(shape), "axes")
            return
        sources = (shape if sound else None, theirs, declared)
        count = next((len(source) for source in sources if source is not None), None)
        if count is None:
            value.shape = None
            inherited = (
                self.notes[operand] for operand in node.inputs if operand is not None and operand in self.notes
            )
            self.notes[value] = next(inherited, reason)
            return
        dims: list[Extent] = []
        for axis in range(count):
            ours = None if shape is None else plain(shape[axis])
            onnx_size = None if theirs is None else theirs[axis]
            why = reason
            if isinstance(ours, int) and ours > LARGEST:  # onnx's own number has overflown
                why, ours, onnx_size = f"{node.op_type} {node_name(node)!r} makes {_TOO_MANY}", None, None
                self.doubted.add(value)
            if isinstance(ours, int) and ours < 0:
                ours = None
            if isinstance(ours, int) and onnx_size is not None and ours != onnx_size:
                why, ours = _contradiction(node, onnx_size, ours, "elements"), None
                self.doubted.add(value)
            elif onnx_size is not None:
                ours = onnx_size
            elif not sound:
                ours = None
            if is_minted(context, ours) and declared is not None and len(declared) == count:
                ours = declared[axis] if not is_minted(context, declared[axis]) else ours
            if ours is None or (not isinstance(ours, int) and ours.value is None):
                ours = unknown(context)
            if is_minted(context, ours) and not isinstance(ours, int):
                for name in [str(ours.value)] if str(ours.value).isidentifier() else ours.free_symbols():
                    self.reasons.setdefault(name, why)
            dims.append(ours)
        if shape is None or dims != list(shape):
            value.shape = ir.Shape(dims)

    def _check_numbers(self, context: ShapeInferenceContext, value: ir.Value) -> None:
        """Drop numbers that a value can't hold: the library carries those of matrices on as a vector."""
        numbers, shape = context._symbolic_values.get(value), value.shape
        if numbers is None:
            return
        fits = shape is not None and (len(numbers) == 1 if len(shape) == 0 else list(shape) == [len(numbers)])
        if not fits:
            forget(context, value)
            self.doubted.add(value)  # onnx's own inference does the same
        elif any(plain(number) is not number for number in numbers):
            context.set_symbolic_value(value, [plain(number) for number in numbers])

    def _is_doubted(self, node: ir.Node) -> bool:
        """Return whether onnx's inference rests on something here that isn't believed."""
        if not self.doubted:
            return False
        read = set(node.inputs)
        for body in node_bodies(node):
            read.update(value for inner in body.all_nodes() for value in (*inner.inputs, *inner.outputs))
        owner = self.owners.get(node.graph)
        if owner is not None and self._is_doubted(owner):
            return True
        return not self.doubted.isdisjoint(read)


def _signature(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> Hashable | None:
    """Return what the only output's shape and type follow from; None where that may be more, such as numbers."""
    if len(node.outputs) != 1 or (known := signature_of(node, node.inputs)) is None:
        return None
    (output,) = node.outputs
    for value in node.inputs:
        dtype, producer = (None, None) if value is None else (value.dtype, value.producer())
        if value in context._symbolic_values or dtype is None or not dtype.is_floating_point():
            return None  # integers may be sizes
        if producer is not None and producer.op_type in FLOW:
            return None  # the library's rule for MatMul doubts shapes of such
    return (known, output.dtype, library) if output.shape is None else None


def _agree(ours: ir.Shape, theirs: list[int | None] | None) -> bool:
    """Return whether there are numbers alone, and the same ones: mostly, and quick to say."""
    dims = ours.dims
    return all(type(dim) is int and 0 <= dim <= LARGEST for dim in dims) and (theirs is None or list(dims) == theirs)


def _contradiction(node: ir.Node, theirs: int, ours: int, what: str) -> str:
    return f"onnx's inference finds {theirs} {what} at {node.op_type} {node_name(node)!r}, onnx_shape_inference {ours}"


def held(library: Rule) -> Rule:
    """Return a rule that an inference of ours applies through its Run; for all others it's the library's."""

    def rule(context: ShapeInferenceContext, node: ir.Node) -> None:
        run = _RUN.get()
        if run is None:
            library(context, node)
        else:
            run.apply(context, node, library)

    return rule


def _built_on(extension: Callable[[ShapeInferenceContext, ir.Node, Rule], None], library: Rule) -> Rule:
    return lambda context, node: extension(context, node, library)


def _left_to_onnx(context: ShapeInferenceContext, node: ir.Node) -> None:
    """Stand for the rule of a version of an operator that the library has none for: onnx's sizes are taken."""


@cache
def install() -> None:
    """Put our rules into the library's registry, and hold every rule in it to a Run; once, whatever the model.

    The library has one registry, which it reads as a global, so that it can't be given ours.
    """
    registry.collect()
    for (domain, op_type), rule in LEARNING.items():
        registry.register(domain, op_type)(rule)
    for operator, (extension, built_on) in EXTENSIONS.items():
        registry.register(*operator)(_built_on(extension, registry.get(*built_on)))
    bound_numbers()
    memoize_formulas()
    for domain, op_type, versions in list(registry.iter_supported()):
        for version in dict.fromkeys(versions):
            registry.register(domain, op_type, version)(held(registry.get(domain, op_type, version)))
    for schema in onnx.defs.get_all_schemas_with_history():
        domain, name, version = schema.domain, schema.name, schema.since_version
        if not domain and registry.has(domain, name) and registry.get(domain, name, version) is None:
            registry.register(domain, name, version)(held(_left_to_onnx))
