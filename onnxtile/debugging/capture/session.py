"""Run a model in onnxruntime for some of the values inside it, a few at a time, its weights left where they are."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.debugging.capture.element_types import element_type, from_engine, to_engine
from onnxtile.ir.arrays import read_array, tensor_proto
from onnxtile.ir.graphs import default_opset
from onnxtile.ir.io.load import carry_over
from onnxtile.ir.names import Names
from onnxtile.verification.engines import REFERENCE, reference_runner
from onnxtile.verification.graphs import nodes_inside, reads
from onnxtile.verification.saturation import SATURATES, judged_elsewhere
from onnxtile.verification.sessions import EngineError, guarded, onnxruntime_options, onnxruntime_session

FOLDER = "session.model_external_initializers_file_folder_path"
"""onnxruntime's key for where external data lies of a model that it gets in memory."""
EMPTY = "weights"
"""The file, without a byte, that weights are said to be in: onnxruntime wants one to be there."""
HANDED_BYTES = 1024
"""Weights of more bytes are handed to a session where they are; smaller ones are in the model it gets."""
RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
"""Operators that give other numbers in each run, if they have no seed; so does Dropout in training."""


class InnerValues:
    """Computes values of a model's main graph, by what it takes of the model, which is taken apart for it.

    Weights aren't copied: sessions get them where they are, mapped if that's a file (onnxruntime's AddInitializer).
    """

    def __init__(self, model: ir.Model, feeds: Mapping[str, np.ndarray], seed: int, folder: Path) -> None:
        """`folder`: one that exists for as long, for a file without a byte."""
        self._folder = folder
        prefix = Names(model).prefix("onnxtile")
        self._shapes = f"{prefix}/shape/"
        (folder / EMPTY).touch()
        self._weights = _take_weights(model.graph)
        tensors = (value for node in model.graph for value in node.outputs if isinstance(value.type, ir.TensorType))
        narrow = {value.name for value in tensors if value.dtype == ir.DataType.FLOAT16}
        self._proto = ir.to_proto(model)
        carry_over(model, self._proto)
        graph = self._proto.graph
        for index, node in enumerate(chain.from_iterable(map(nodes_inside, graph.node))):
            _seed(node, seed + index)
        nodes = [rounded for node in graph.node for rounded in _rounding(node, narrow, prefix)]
        del graph.node[:]
        graph.node.extend(nodes)
        graph.initializer.append(onnx.helper.make_tensor(f"{prefix}/true", onnx.TensorProto.BOOL, [], [True]))
        self.warnings: dict[str, None] = {}
        self._feeds: dict[str, Any] = {}
        self._arrays = dict(feeds)
        self._fixed: set[str] = set()
        for name, array in feeds.items():
            value = to_engine(array)
            if value is None:  # what can't be fed is a constant
                graph.initializer.append(onnx.numpy_helper.from_array(array, name))
                self._fixed.add(name)
            else:
                self._feeds[name] = value
        self._producers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
        self._small = {tensor.name: tensor for tensor in graph.initializer}
        self._sparse = {tensor.values.name: tensor for tensor in graph.sparse_initializer}

    def run(self, names: Sequence[str]) -> list[Any]:
        """Return the values of these names, as onnxruntime has them. Raises EngineError."""
        return self._run(names, [])

    def shapes(self, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return shapes of values, from a run that keeps none of them. Raises EngineError."""
        nodes = [onnx.helper.make_node("Shape", [name], [f"{self._shapes}{index}"]) for index, name in enumerate(names)]
        shapes = self._run([node.output[0] for node in nodes], nodes)
        return {name: tuple(from_engine(shape)[0].tolist()) for name, shape in zip(names, shapes, strict=True)}

    def _run(self, outputs: Sequence[str], more: Sequence[onnx.NodeProto]) -> list[Any]:
        model, read = self._part(outputs, more)
        if judged_elsewhere(model):
            return self._run_in_reference(model)
        options = onnxruntime_options()
        options.enable_cpu_mem_arena = False  # it would keep what's given back
        options.add_session_config_entry(FOLDER, str(self._folder))
        weights = {name: to_engine(read_array(self._weights[name])) for name in read if name in self._weights}
        for name, weight in weights.items():
            options.add_initializer(name, weight)
        session = onnxruntime_session(model, options)
        return guarded("onnxruntime", lambda: list(session.run_with_ort_values(list(outputs), self._feeds)))

    def _run_in_reference(self, model: onnx.ModelProto) -> list[Any]:
        """Return what onnx.reference gives, weights inside the model: onnxruntime would get 8-bit products wrong."""
        self.warnings[f"{SATURATES}; computed by {REFERENCE}"] = None
        for tensor in model.graph.initializer:
            if tensor.name in self._weights:
                weight = self._weights[tensor.name]
                tensor.CopyFrom(tensor_proto(tensor.name, weight.dtype, read_array(weight)))
        try:
            return reference_runner(model)({value.name: self._arrays[value.name] for value in _fed(model.graph)})
        except EngineError as error:
            raise EngineError(f"{error}; {SATURATES}") from error

    def _part(self, outputs: Sequence[str], more: Sequence[onnx.NodeProto]) -> tuple[onnx.ModelProto, list[str]]:
        """Return a model of the nodes that `outputs` follow from, and of `more`; and the names of all they read."""
        nodes = self._proto.graph.node
        asked = [name for node in more for name in node.input] if more else list(outputs)
        read, kept, waiting = dict.fromkeys(asked), set(), list(asked)
        while waiting:
            index = self._producers.get(waiting.pop())
            if index is None or index in kept:
                continue
            kept.add(index)
            for name in reads(nodes[index]):
                if name not in read:
                    read[name] = None
                    waiting.append(name)
        model = onnx.ModelProto(ir_version=self._proto.ir_version, functions=self._proto.functions)
        model.opset_import.extend(self._proto.opset_import)
        if default_opset({opset.domain: opset.version for opset in model.opset_import}) is None:
            model.opset_import.add(domain="", version=1)
        graph = model.graph
        graph.name = self._proto.graph.name or "graph"
        graph.node.extend(chain((nodes[index] for index in sorted(kept)), more))
        defaults = {name for name in read if name in self._small or name in self._weights}
        inputs = self._proto.graph.input
        fed = self._feeds.keys() | (defaults - self._fixed)
        graph.input.extend(value for value in inputs if value.name in fed)
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        for name in read:
            if name in self._small:
                graph.initializer.append(self._small[name])
            elif name in self._weights:
                graph.initializer.append(_elsewhere(name, self._weights[name]))
            elif name in self._sparse:
                graph.sparse_initializer.append(self._sparse[name])
        return model, list(read)


@contextmanager
def inner_values(model: ir.Model, feeds: Mapping[str, np.ndarray], seed: int) -> Iterator[InnerValues]:
    """Yield what computes values inside the model on these inputs."""
    with tempfile.TemporaryDirectory(prefix="onnxtile-") as folder:
        yield InnerValues(model, feeds, seed, Path(folder))


def _fed(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    """Return the graph's inputs that no initializer is a default of."""
    defaults = {tensor.name for tensor in graph.initializer}
    return (value for value in graph.input if value.name not in defaults)


def _take_weights(graph: ir.Graph) -> dict[str, ir.TensorProtocol]:
    """Take the large initializers out that can be handed over; others in external data are read.

    What may be lengths or a shape stays: onnxruntime infers shapes from it when it loads the model.
    """
    weights = {}
    for name, value in list(graph.initializers.items()):
        tensor = value.const_value
        if tensor is None:
            continue
        lengths = tensor.dtype in (ir.DataType.INT32, ir.DataType.INT64) and len(tensor.shape) < 2
        if tensor.nbytes > HANDED_BYTES and element_type(tensor.dtype) is not None and not lengths:
            weights[name] = tensor
            value.const_value = None
            graph.initializers.pop(name)
        elif isinstance(tensor, ir.ExternalTensor):
            value.const_value = ir.Tensor(tensor.numpy().copy(), dtype=tensor.dtype, name=name)
    return weights


def _seed(node: onnx.NodeProto, seed: int) -> None:
    """Give a node that draws random numbers a seed, if it has none: each run has to give the same."""
    training = node.op_type == "Dropout" and len(node.input) > 2
    draws = node.domain == "" and (node.op_type in RANDOM or training)
    if draws and not any(attribute.name == "seed" for attribute in node.attribute):
        node.attribute.append(onnx.helper.make_attribute("seed", seed if training else float(seed)))


def _rounding(node: onnx.NodeProto, narrow: Collection[str | None], prefix: str) -> Iterator[onnx.NodeProto]:
    """Yield the node, and what makes sure that its float16 outputs are rounded before anybody reads them.

    New values are `prefix/...`.

    onnxruntime computes float16 as float32 where it has no kernel, and then leaves roundings between such nodes out,
    which ones depending on what else is an output. It doesn't look through an If.
    """
    rounded = [name for name in node.output if name in narrow]
    for index, name in enumerate(node.output):
        if name in narrow:
            node.output[index] = f"{prefix}/unrounded/{name}"
    yield node
    for name in rounded:
        output = onnx.ValueInfoProto(name=f"{prefix}/given/{name}")
        same = onnx.helper.make_node("Identity", [f"{prefix}/unrounded/{name}"], [output.name])
        branch = onnx.GraphProto(name="same", node=[same], output=[output])
        yield onnx.helper.make_node("If", [f"{prefix}/true"], [name], then_branch=branch, else_branch=branch)


def _elsewhere(name: str, tensor: ir.TensorProtocol) -> onnx.TensorProto:
    """Return an initializer without its elements."""
    proto = onnx.TensorProto(name=name, data_type=tensor.dtype.value, dims=tensor.shape.numpy())
    proto.data_location = onnx.TensorProto.EXTERNAL
    proto.external_data.add(key="location", value=EMPTY)
    return proto
