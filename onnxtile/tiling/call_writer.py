"""Write a model's calls to tiled products out in a form; constants among their operands are cut ahead of time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import onnx_ir as ir

from onnxtile.errors import OnnxtileError, PassError, UnsupportedError, wrong_name
from onnxtile.ir.arrays import little_endian, read_array
from onnxtile.ir.bounds import most, raise_hint
from onnxtile.ir.constants import constant_tensor, declared_ir_version, drop_if_unused
from onnxtile.ir.graphs import all_graphs, default_opset, graphs_with_initializers, is_tiled_product
from onnxtile.ir.metadata import ANNOTATION_META, ORIGIN, SCHEDULE, TILE
from onnxtile.ir.names import Names
from onnxtile.tiling.calls import drop_functions, function_of
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.table import FORMS
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import SIDES, Operand, Side, TiledProduct, join

WeightsName: TypeAlias = Literal["pretile", "split"]
WEIGHTS: tuple[WeightsName, ...] = get_args(WeightsName)
MOST_TIMES = 16
"""Times the bytes that a model holds that Cast and DequantizeLinear may make of them: of 2 bits, 32."""


def check_weights(weights: str) -> None:
    """Raise UsageError for a way to cut constants that isn't one of WEIGHTS."""
    if weights not in WEIGHTS:
        raise wrong_name(f"weights is {weights!r}", weights, WEIGHTS)


@dataclass(frozen=True)
class CutConstant:
    """A constant operand cut ahead of time: its tiles are initializers of `graph`, named `prefix/...`."""

    product: TiledProduct
    side: Side
    prefix: str
    tensor: ir.TensorProtocol
    graph: ir.Graph

    @property
    def dtype(self) -> ir.DataType:
        return self.tensor.dtype

    @property
    def blank(self) -> np.ndarray:
        """An array for the constant where its numbers don't matter; it takes no memory."""
        return np.broadcast_to(np.empty((), self.dtype.numpy()), self.tensor.shape.numpy())


class CallWriter:
    """Writes all calls of a model in one form; a constant that calls share is cut once.

    `weights`: `pretile` cuts constant operands ahead of time, `split` leaves that to run time.
    """

    def __init__(self, model: ir.Model, form: Form, weights: str) -> None:
        check_weights(weights)
        self._model, self._form = model, form
        self.opset = default_opset(model.opset_imports) or 0
        self.products = {
            node: TiledProduct.of_call(node)
            for graph in all_graphs(model)
            for node in graph
            if is_tiled_product(node) and not form.keeps_calls
        }
        self.cuts: list[CutConstant] = []
        self._operands: dict[tuple[ir.Node, Side], Operand] = {}
        self._prefixes: dict[ir.Node, str] = {}
        if not self.products:
            return
        names = Names(model)
        prefixes: dict[object, str] = {}
        self._prefixes.update((call, names.prefix_of(call)) for call in self.products)
        for call, product in self.products.items():
            function_of(product, self.opset, model)
            if product.plan.m.padding is None and not form.ability.symbolic_m:
                words = "can't cut an M known only at run time; bind it, or take form batched"
                raise UnsupportedError(f"{call.name!r}: the {form.name} form {words}")
            for side, value in zip(SIDES, call.inputs, strict=True):
                cut = weights == "pretile" and value is not None and not value.meta.get(ANNOTATION_META)
                tensor = constant_tensor(value, declared_ir_version(model)) if cut else None
                assert value is not None and value.name is not None
                if tensor is None:
                    self._operands[call, side] = Operand(value.name)
                    continue
                self._operands[call, side] = self._cut(value, tensor, product, side, names, prefixes)
        self._check_generated(model)

    def _check_generated(self, model: ir.Model) -> None:
        """Refuse what would write far more than the model holds: a few bytes make a weight of any size."""
        computed = sum(cut.tensor.nbytes for cut in self.cuts if isinstance(cut.tensor, ir.LazyTensor))
        values = (value for graph in graphs_with_initializers(model) for value in graph.initializers.values())
        held = sum(value.const_value.nbytes for value in values if value.const_value is not None)
        if computed > most("generated-bytes") + MOST_TIMES * held:
            words = f"weights that operators make come to {computed:,} bytes, {raise_hint('generated-bytes')}"
            raise UnsupportedError(f"{words}; or cut them at run time, --weights split")

    def _cut(
        self,
        value: ir.Value,
        tensor: ir.TensorProtocol,
        product: TiledProduct,
        side: Side,
        names: Names,
        prefixes: dict[object, str],
    ) -> Operand:
        plan = product.plan
        layout = (product.transposed(side), plan.full, plan.empty, product.transpose_c)
        key = (value, side, tuple(product.axes(side)), layout)
        if key not in prefixes:
            producer = value.producer()
            graph = value.graph if producer is None else producer.graph
            assert isinstance(graph, ir.Graph) and value.name is not None
            prefixes[key] = names.prefix(value.name)
            self.cuts.append(CutConstant(product, side, prefixes[key], tensor, graph))
        return Operand(prefixes[key], precut=True)

    def arrays(self, cut: CutConstant, array: np.ndarray | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the initializers that a cut becomes; `array` is taken in place of the constant's numbers."""
        array = little_endian(read_array(cut.tensor)) if array is None else array
        if cut.product.transposed(cut.side):
            array = array.swapaxes(-1, -2)
        with self._naming_the_form(cut.prefix):
            yield from self._form.constants(cut.product, cut.side, cut.prefix, array)

    def write(self, call: ir.Node, sink: Sink) -> None:
        """Add the nodes that compute the call's output."""
        a, b, output = self._operands[call, "A"], self._operands[call, "B"], call.outputs[0].name
        assert output is not None
        prefix = self._prefixes[call]
        result = join(prefix, "C")
        sink.alias(result, output)
        with self._naming_the_form(call.name or ""):
            self._form.write(sink, self.products[call], a, b, result, prefix)

    @contextmanager
    def _naming_the_form(self, what: str) -> Iterator[None]:
        """Raise PassError, which names the form and what it writes, for an error in a form of another package."""
        try:
            yield
        except Exception as error:
            if isinstance(error, OnnxtileError) or self._form.name in FORMS:
                raise
            words = f"form {self._form.name} failed on {what!r}: {type(error).__name__}: {error}"
            raise PassError(" ".join(words.split())) from error

    def drop_calls(self) -> None:
        """Take the constants that were cut from the calls; drop those that nothing else reads, and our functions."""
        for (call, side), operand in self._operands.items():
            if operand.precut:
                value = call.inputs[SIDES.index(side)]
                call.replace_input_with(SIDES.index(side), None)
                drop_if_unused(value, self._model)
        if self._form.keeps_calls:
            return
        drop_functions(self._model, self.products)
        self._model.ir_version = declared_ir_version(self._model)

    def precut(self, call: ir.Node) -> tuple[bool, bool]:
        """Return whether the call's operands are constants cut ahead of time."""
        return self._operands[call, "A"].precut, self._operands[call, "B"].precut

    def outer(self, call: ir.Node) -> str:
        """Return the box of the tile that the call cuts again; empty where it cuts no tile."""
        return call.metadata_props.get(TILE, "")

    def schedule(self, call: ir.Node) -> str:
        """Return how the call's tiles run; empty where that wasn't chosen."""
        return call.metadata_props.get(SCHEDULE, "")

    def origin(self, call: ir.Node) -> str:
        return call.metadata_props.get(ORIGIN, call.name or "")
