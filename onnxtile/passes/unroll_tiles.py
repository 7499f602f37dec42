"""Write tiled products out in the IR, for those who go on with other passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.graphs import default_opset
from onnxtile.ir.node_replacement import add_constant, register_constant, replace_node
from onnxtile.tiling.call_writer import CallWriter, WeightsName, check_weights
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.table import form_of
from onnxtile.tiling.forms.unrolled import SplitsName
from onnxtile.tiling.sinks.ir import IrSink


@dataclass(frozen=True)
class UnrollTiles(ir.passes.InPlacePass):
    """call(A, B) becomes the nodes of `form`, for every call to a tiled product; the functions go.

    The writer makes the same nodes: `weights` is `pretile` (constants are cut ahead of time) or `split`. Making nodes
    of the IR takes ten times as long as writing them to a file; prefer that where nothing follows.
    """

    form: str = "unrolled"
    weights: WeightsName = "pretile"
    max_fan_in: int | None = None
    max_fan_out: int | None = None
    splits: SplitsName = "split"

    def __post_init__(self) -> None:
        self._form()
        check_weights(self.weights)

    def _form(self) -> Form:
        """Return the form with its options. Raises UsageError for what can't be."""
        return form_of(self.form, self.max_fan_in, self.max_fan_out, self.splits)

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        writer = CallWriter(model, self._form(), self.weights)
        bodies = {function.graph: function for function in model.functions.values()}
        tiles: dict[str, ir.Value] = {}
        for cut in writer.cuts:
            add = add_constant if cut.graph in bodies else register_constant
            for name, array in writer.arrays(cut):
                tensor = ir.Tensor(np.ascontiguousarray(array), dtype=cut.dtype, name=name)
                tiles[name] = add(cut.graph, name, tensor)
        written = []
        for call in writer.products:
            output = ir.Value(name=call.outputs[0].name)
            values = tiles | {value.name: value for value in (*call.inputs, output) if value and value.name}
            function = None if call.graph is None else bodies.get(call.graph)
            opset = (default_opset(function.opset_imports) if function else None) or writer.opset
            sink = IrSink(opset, values, writer.origin(call), None if function is not None else call.graph)
            sink.outer, sink.schedule = writer.outer(call), writer.schedule(call)
            writer.write(call, sink)
            written.append((call, sink.nodes, output))
        writer.drop_calls()
        for call, nodes, output in written:
            replace_node(call, nodes, output)
        return ir.passes.PassResult(model, modified=bool(written))
