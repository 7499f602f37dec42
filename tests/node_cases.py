"""Node cases of onnx's backend suite, as models in which no shape is declared but those of the inputs."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxtile.ir.graphs import all_graphs

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors by name; what isn't a tensor has none."""
Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class NodeCase:
    """A model of one operator (or of its function body), inputs for it, and the shapes of what it gives for them."""

    name: str
    model: onnx.ModelProto
    inputs: Arrays
    shapes: Shapes

    @property
    def operators(self) -> set[str]:
        """Names of the operators in the main graph."""
        return {node.op_type for node in self.model.graph.node}


@lru_cache(maxsize=1)
def node_cases() -> tuple[NodeCase, ...]:
    """All of them, in the order of their names."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases  # it computes all cases

        collected = sorted(collect_testcases(None), key=lambda case: case.name)  # type: ignore[arg-type]
    return tuple(_case(each) for each in collected if each.data_sets)


def _case(case: Any) -> NodeCase:
    inputs, outputs = case.data_sets[0]
    names = [value.name for value in case.model.graph.input]
    given = [value.name for value in case.model.graph.output]
    return NodeCase(
        case.name,
        case.model,
        {name: _array(each) for name, each in zip(names, inputs, strict=False)},
        shapes_of(dict(zip(given, map(_array, outputs), strict=False))),
    )


def _array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value if isinstance(value, list) or value is None else np.asarray(value)


def shapes_of(values: Arrays) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor."""
    return {name: value.shape for name, value in values.items() if isinstance(value, np.ndarray)}


def is_constant_like(array: Any) -> bool:
    """Return whether an exporter may make a constant of such an input: a vector of lengths, axes, scales, a scalar."""
    return isinstance(array, np.ndarray) and array.ndim <= 1 and array.dtype.kind in "ifb" and array.size <= 64


def bare_model(case: NodeCase, constants: bool, free: bool) -> tuple[ir.Model, dict[str, int]]:
    """The case's model with no shape but those of its inputs, and the sizes that the free dimensions have in the case.

    `constants`: inputs that look like constants are initializers. `free`: each dimension of an input is free, and bears
    a name of its own.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(case.model)
    graph, sizes = proto.graph, {}
    del graph.value_info[:]
    for value in graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    for value in list(graph.input):
        array = case.inputs.get(value.name)
        if constants and is_constant_like(array):
            graph.initializer.append(numpy_helper.from_array(array, value.name))
            graph.input.remove(value)
            continue
        if value.type.HasField("tensor_type") and isinstance(array, np.ndarray):
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            for axis, size in enumerate(array.shape):
                if free:
                    name = f"{value.name}_{axis}"
                    sizes[name] = size
                    shape.dim.add().dim_param = name
                else:
                    shape.dim.add().dim_value = size
    return ir.from_proto(proto), sizes


def shapes_that_differ(model: ir.Model, sizes: Mapping[str, int], real: Shapes) -> Iterator[str]:
    """Each inferred rank or size that isn't the real one: numbers, and formulas of the free dimensions."""
    minted: dict[str, int] = {}
    for graph in all_graphs(model):
        for value in (value for node in graph for value in node.outputs):
            if value.shape is None or str(value.name) not in real:
                continue
            actual = real[str(value.name)]
            if len(actual) != len(value.shape):
                yield f"{value.name} has {len(actual)} axes, not {value.shape}"
                continue
            for axis, (dim, size) in enumerate(zip(value.shape, actual, strict=True)):
                inferred = size_of(dim, sizes, minted, size)
                if inferred is not None and inferred != size:
                    yield f"axis {axis} of {value.name} is {size}, not {dim} = {inferred}"


def size_of(dim: int | ir.SymbolicDim, sizes: Mapping[str, int], minted: dict[str, int], size: int) -> Any:
    """Return what a dimension comes to; None where it isn't known. One bare unknown is always the same number."""
    if isinstance(dim, int) or dim.value is None:
        return dim if isinstance(dim, int) else None
    known = {**sizes, **minted}
    if set(dim.free_symbols()) <= known.keys():
        return dim.evaluate(known)
    if dim.value.isidentifier():
        minted[dim.value] = size
    return None


def resized(
    inputs: Arrays, sizes: Mapping[str, int], change: Mapping[int, int]
) -> tuple[dict[str, Any], dict[str, int]]:
    """The inputs with their free dimensions given other sizes, equal ones staying equal; their numbers are repeated."""
    arrays = {
        name: np.resize(array, [change.get(size, size) for size in array.shape])
        if isinstance(array, np.ndarray) and any(f"{name}_{axis}" in sizes for axis in range(array.ndim))
        else array
        for name, array in inputs.items()
    }
    return arrays, {name: change.get(size, size) for name, size in sizes.items()}


def run_by_reference(model: onnx.ModelProto, inputs: Arrays) -> dict[str, tuple[int, ...]] | None:
    """The shape of each output by onnx.reference; None where it doesn't run."""
    names = [value.name for value in model.graph.output]
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        return shapes_of(dict(zip(names, ReferenceEvaluator(model).run(None, dict(inputs)), strict=True)))
    return None


def changes(sizes: Sequence[int]) -> Iterator[dict[int, int]]:
    """Other sizes for those that occur: one more, twice as many, one in the place of each, none."""
    present = sorted(set(sizes))
    yield {size: size + 1 for size in present}
    yield {size: 2 * size for size in present}
    for size in present:
        yield {size: 1 if size != 1 else 2}
        yield {size: size + 3}


def runs_in_onnxruntime(model: onnx.ModelProto, inputs: Arrays) -> bool:
    """Return whether onnxruntime takes such inputs; onnx.reference computes much that operators forbid."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with contextlib.suppress(Exception):
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        session.run(None, {name: value for name, value in inputs.items() if value is not None})
        return True
    return False
