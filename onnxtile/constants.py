"""Which values are constants, whatever a caller feeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

SPARSE_META = "onnxtile.sparse_initializer"
"""Key in the `meta` of an input: the sparse initializer of the main graph that it stands for."""
ANNOTATION_META = "quant_parameter_tensor_names"
"""onnx_ir's key in a value's `meta` for its quantization annotation; a weight that has one isn't cut."""
OVERRIDABLE_FROM = 4
"""From this IR version on, an initializer that is also a graph input is a default that a caller may replace."""


def constant_tensor(value: ir.Value | None, ir_version: int) -> ir.TensorProtocol | None:
    """The tensor that `value` always is: an initializer or a Constant node's output; None for anything else."""
    if value is None:
        return None
    producer = value.producer()
    if producer is not None:
        attribute = producer.attributes.get("value")
        is_tensor = producer.op_type == "Constant" and producer.domain == "" and attribute is not None
        return attribute.as_tensor() if is_tensor and attribute is not None and not attribute.is_ref() else None
    if not value.is_initializer() or (value.is_graph_input() and ir_version >= OVERRIDABLE_FROM):
        return None
    return value.const_value


def read_array(tensor: ir.TensorProtocol) -> np.ndarray:
    """A tensor's numbers. Those in external data are mapped anew each time: they go when the array does."""
    if not isinstance(tensor, ir.ExternalTensor) or tensor.dtype.bitwidth < 8 or not tensor.nbytes:
        return tensor.numpy()
    path = Path(tensor.base_dir) / tensor.location
    data = np.memmap(path, np.uint8, "r", tensor.offset or 0, tensor.nbytes)
    array: np.ndarray = data.view(tensor.dtype.numpy().newbyteorder("<")).reshape(tensor.shape.numpy())
    return array


def little_endian(array: np.ndarray) -> np.ndarray:
    """The array with the lowest byte of each number first."""
    return array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array


def raw_data(array: np.ndarray) -> bytes | memoryview:
    """The array's bytes as ONNX stores them: row by row, the lowest byte first. Not copied where that can be."""
    array = little_endian(array)
    return array.reshape(-1).view(np.uint8).data if array.flags.c_contiguous else array.tobytes()


def tensor_proto(name: str, dtype: ir.DataType, array: np.ndarray) -> onnx.TensorProto:
    """The array as an initializer."""
    return onnx.TensorProto(name=name, data_type=dtype.value, dims=array.shape, raw_data=bytes(raw_data(array)))


def drop_if_unused(value: ir.Value | None, model: ir.Model) -> bool:
    """Remove a constant, or a Transpose of something, that nothing reads any more; true if something was removed."""
    if value is None or value.uses() or value.is_graph_output():
        return False
    producer = value.producer()
    if producer is not None:
        if producer.op_type not in ("Constant", "Transpose") or producer.domain != "" or producer.graph is None:
            return False
        sources = list(producer.inputs)
        producer.graph.remove(producer, safe=True)
        for source in sources:
            drop_if_unused(source, model)
        return True
    if constant_tensor(value, declared_ir_version(model)) is None or value.graph is None:
        return False
    graph = value.graph
    if value.is_graph_input():
        graph.inputs.remove(value)
    if value.name is not None:
        graph.initializers.pop(value.name, None)
    return True


IR_VERSION_META = "onnxtile.ir_version"
"""Key in a model's `meta`: the IR version of its file, where local functions made it carry a newer one in memory."""


def declared_ir_version(model: ir.Model) -> int:
    """The IR version of the model's file."""
    version: int = model.meta.get(IR_VERSION_META, model.ir_version)
    return version


def raise_ir_version(model: ir.Model, version: int) -> None:
    """Let the model carry at least this IR version in memory, and remember its own."""
    model.meta.setdefault(IR_VERSION_META, model.ir_version)
    model.ir_version = max(model.ir_version, version)
