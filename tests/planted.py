"""Passes with a bug each, and a model in which every one of them shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.tiling.limits import Limits
from tests.support import parse

GOOD = "infer-shapes,decompose-gemm,tile-matmul{max=4,4,4}"
"""A pipeline without a bug."""

F32 = np.dtype(np.float32)
ABOUT = "tests.planted"


def network() -> onnx.ModelProto:
    """Fifteen nodes: products, branches, shapes computed on the way."""
    rng = np.random.default_rng(5)
    weights = {
        name: rng.standard_normal(shape).astype(F32)
        for name, shape in {"w": (10, 8), "b": (8,), "v": (8, 8), "c": (8,), "u": (8, 6)}.items()
    }
    return parse(
        """<ir_version: 8, opset_import: ["" : 17]> network (float[4,10] x) => (float[4,6] y, float[8,4] z) {
            [first] h0 = MatMul (x, w)  [bias] h1 = Add (h0, b)  [relu] h2 = Relu (h1)
            [centre] m = ReduceMean <axes = [1]> (h2)  [less] h3 = Sub (h2, m)  [scale] h4 = Mul (h3, h2)
            [gate] g = Sigmoid (h4)  [join] h5 = Add (g, h2)
            [fc] h6 = Gemm <alpha = 0.5, transB = 1> (h5, v, c)  [tanh] h7 = Tanh (h6)
            [shape] s = Shape (h7)  [flat] h8 = Reshape (h7, s)
            [last] h9 = MatMul (h8, u)  [soft] y = Softmax <axis = 1> (h9)
            [turn] z = Transpose <perm = [1, 0]> (h8) }""",
        **weights,
    )


def _each(model: ir.Model, op_type: str, change: Callable[[ir.Node], None]) -> ir.passes.PassResult:
    nodes = [node for node in model.graph if node.op_type == op_type]
    for node in nodes:
        change(node)
    return ir.passes.PassResult(model, modified=bool(nodes))


@dataclass(frozen=True)
class DropsTheLastTile(ir.passes.InPlacePass):
    """Cuts MatMul along K, and forgets the ragged tile at the end."""

    max: Limits

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return _each(model, "MatMul", lambda node: self._cut(node, model))

    def _cut(self, node: ir.Node, model: ir.Model) -> None:
        data, weight = node.inputs
        assert data is not None and weight is not None and weight.const_value is not None and node.graph is not None
        array, k = weight.const_value.numpy(), self.max.k or 1
        tape, parts = ir.tape.Tape(), []
        for start in range(0, array.shape[0] - array.shape[0] % k, k):
            made = {"a": np.array([start]), "b": np.array([start + k]), "c": np.array([1])}
            made["w"] = array[start : start + k]
            given = {key: tape.op("Constant", [], {"value": ir.tensor(value)}) for key, value in made.items()}
            part = tape.op("Slice", [data, given["a"], given["b"], given["c"]])
            parts.append(tape.op("MatMul", [part, given["w"]]))
        total = parts[0]
        for part in parts[1:]:
            total = tape.op("Add", [total, part])
        for number, each in enumerate(tape.nodes):
            each.name = f"{node.name}/{number}"
            each.outputs[0].name = f"{node.name}/{number}/out"
        node.graph.insert_before(node, tape.nodes)
        ir.convenience.replace_nodes_and_values(node.graph, node, [node], [], node.outputs, [total])


@dataclass(frozen=True)
class SwapsSub(ir.passes.InPlacePass):
    """a - b := b - a."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        def swap(node: ir.Node) -> None:
            first, second = node.inputs
            node.replace_input_with(0, second)
            node.replace_input_with(1, first)

        return _each(model, "Sub", swap)


@dataclass(frozen=True)
class ForgetsTheBias(ir.passes.InPlacePass):
    """Gemm(A, B, C) := Gemm(A, B)."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return _each(model, "Gemm", lambda node: node.replace_input_with(2, None))


@dataclass(frozen=True)
class IgnoresTransB(ir.passes.InPlacePass):
    """Reads a square weight as if it weren't transposed."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return _each(model, "Gemm", lambda node: node.attributes.add(ir.AttrInt64("transB", 0)))


@dataclass(frozen=True)
class LosesAlpha(ir.passes.InPlacePass):
    """alpha := 1."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return _each(model, "Gemm", lambda node: node.attributes.add(ir.AttrFloat32("alpha", 1.0)))


@dataclass(frozen=True)
class WrongAxis(ir.passes.InPlacePass):
    """Softmax along the rows."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return _each(model, "Softmax", lambda node: node.attributes.add(ir.AttrInt64("axis", 0)))


@dataclass(frozen=True)
class Denies(ir.passes.InPlacePass):
    """Changes the model, and says that it didn't: `how` is the change."""

    how: str = "swaps"

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        graph = model.graph
        if self.how == "swaps":
            SwapsSub()(model)
        elif self.how == "renames":
            graph.name = "other"
        elif self.how == "annotates":
            graph[0].metadata_props["seen"] = "yes"
        elif self.how == "dangles":
            Raises(how="dangles")(model)
        elif self.how == "weights":
            value = graph.initializers["u"]
            assert value.const_value is not None
            value.const_value = ir.tensor(value.const_value.numpy() * 2, name="u")
        elif self.how == "in place":
            array = graph.initializers["u"].const_value.numpy()  # type: ignore[union-attr]  # it's there
            array[...] = array * 2
        return ir.passes.PassResult(model, modified=False)


@dataclass(frozen=True)
class Raises(ir.passes.InPlacePass):
    """Fails at the operator `op`, leaves it invalid (`how=invalid`, `how=dangles`), or refuses it (`how=refuses`)."""

    op: str = "Tanh"
    how: str = "raises"

    def requires(self, model: ir.Model) -> None:
        if self.how == "refuses":
            raise ir.passes.PreconditionError("not that")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        def fail(node: ir.Node) -> None:
            if self.how == "raises":
                raise KeyError("lost")
            if self.how == "dangles":
                node.replace_input_with(0, ir.Value(name="nowhere"))
            else:
                node.op_type = "Nonesuch"

        return _each(model, self.op, fail)
