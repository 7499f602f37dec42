"""Layers strung together: each takes the last value and makes the next."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Layers:
    """A network being built; `value` names what the last layer made.

    `light`: weights are ConstantOfShape nodes, which take no room: for what depends on shapes alone.
    """

    def __init__(self, value: str, seed: int = 0, light: bool = False) -> None:
        self._light = light
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.value = value
        self._rng = np.random.default_rng(seed)

    def node(self, op_type: str, *operands: str, **attributes: object) -> str:
        """A node of the last value and `operands`."""
        return self.node_of(op_type, [self.value, *operands], **attributes)

    def node_of(self, op_type: str, operands: list[str], **attributes: object) -> str:
        name = f"{op_type}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, operands, [f"{name}_out"], name, **attributes))
        self.value = f"{name}_out"
        return self.value

    def constant(self, name: str, array: np.ndarray) -> str:
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name: str, *shape: int) -> str:
        if self._light:
            size = self.constant(f"{name}.shape", np.array(shape))
            self.nodes.append(helper.make_node("ConstantOfShape", [size], [name], f"{name}.made"))
            return name
        scale = np.float32(np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1)
        return self.constant(name, self._rng.standard_normal(shape, np.float32) * scale)

    def conv(
        self,
        name: str,
        cin: int,
        cout: int,
        kernel: int,
        stride: int = 1,
        pad: int = 0,
        group: int = 1,
        bias: bool = True,
    ) -> str:
        weights = [self.weight(f"{name}.weight", cout, cin // group, kernel, kernel)]
        if bias:
            weights.append(self.weight(f"{name}.bias", cout))
        geometry = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "group": group}
        return self.node("Conv", *weights, **geometry)

    def norm(self, name: str, channels: int) -> str:
        """Batch norm whose scales and variances are around one."""
        scale, variance = (self._rng.uniform(0.5, 1.5, channels).astype(np.float32) for _ in range(2))
        return self.node(
            "BatchNormalization",
            self.constant(f"{name}.weight", scale),
            self.weight(f"{name}.bias", channels),
            self.weight(f"{name}.running_mean", channels),
            self.constant(f"{name}.running_var", variance),
            epsilon=1e-3,
        )

    def max_pool(self, kernel: int, stride: int, pad: int = 0, **attributes: object) -> str:
        return self.node("MaxPool", kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, **attributes)

    def linear(self, name: str, width: int, out: int) -> str:
        return self.node("Gemm", self.weight(f"{name}.weight", out, width), self.weight(f"{name}.bias", out), transB=1)

    def model(
        self, name: str, source: list[int | str], result: list[int | str], opset: int, fed: int = TensorProto.FLOAT
    ) -> onnx.ModelProto:  # fmt: skip
        self.nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("input", fed, source)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, result)],
            self.tensors,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
