"""A decoder with the shapes of Llama-2-7B (Touvron et al., 2023, and its released configuration), without its weights.

Weights lie in a sparse file beside the model: they have their sizes and take no disk. Norms, rotations and masks, which
hold no matrix product, are left out; each layer has its four projections, attention's two products, and three of its
feed-forward.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

HIDDEN, FEED_FORWARD, HEADS, VOCABULARY = 4096, 11008, 32, 32000
WIDTH = HIDDEN // HEADS


class _Graph:
    def __init__(self, data: Path, tokens: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self._data, self._end, self._tokens = data, 0, tokens

    def node(self, op_type: str, name: str, *inputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op_type, list(inputs), [f"{name}_out"], name, **attributes))
        return f"{name}_out"

    def weight(self, name: str, *shape: int) -> str:
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=shape, data_location=TensorProto.EXTERNAL)
        length = 2 * shape[0] * shape[1]
        for key, value in (("location", self._data.name), ("offset", self._end), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        self._end += length
        self.tensors.append(tensor)
        return name

    def linear(self, name: str, value: str, width: int, out: int) -> str:
        return self.node("MatMul", name, value, self.weight(f"{name}.weight", width, out))

    def layer(self, name: str, value: str) -> str:
        heads = []
        for part, perm in (("q", [1, 0, 2]), ("k", [1, 2, 0]), ("v", [1, 0, 2])):
            flat = self.linear(f"{name}.{part}", value, HIDDEN, HIDDEN)
            split = self.node("Reshape", f"{name}.{part}_heads", flat, "by_head")
            heads.append(self.node("Transpose", f"{name}.{part}_first", split, perm=perm))
        scores = self.node("Softmax", f"{name}.softmax", self.node("MatMul", f"{name}.scores", heads[0], heads[1]))
        mixed = self.node(
            "Transpose", f"{name}.back", self.node("MatMul", f"{name}.mix", scores, heads[2]), perm=[1, 0, 2]
        )
        attended = self.linear(f"{name}.o", self.node("Reshape", f"{name}.join", mixed, "flat"), HIDDEN, HIDDEN)
        value = self.node("Add", f"{name}.residual", value, attended)
        gate = self.node("Sigmoid", f"{name}.silu", self.linear(f"{name}.gate", value, HIDDEN, FEED_FORWARD))
        up = self.linear(f"{name}.up", value, HIDDEN, FEED_FORWARD)
        down = self.linear(f"{name}.down", self.node("Mul", f"{name}.gated", gate, up), FEED_FORWARD, HIDDEN)
        return self.node("Add", f"{name}.out", value, down)

    def finish(self, value: str) -> onnx.ModelProto:
        with self._data.open("wb") as file:
            file.truncate(self._end)
        for name, shape in (("by_head", [self._tokens, HEADS, WIDTH]), ("flat", [self._tokens, HIDDEN])):
            self.tensors.append(helper.make_tensor(name, TensorProto.INT64, [len(shape)], shape))
        self.nodes[-1].output[0] = "logits"
        graph = helper.make_graph(
            self.nodes,
            "decoder",
            [helper.make_tensor_value_info("hidden", TensorProto.FLOAT16, [self._tokens, HIDDEN])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT16, [self._tokens, VOCABULARY])],
            self.tensors,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(folder: Path, layers: int = 32, tokens: int = 128) -> Path:
    """Write `decoder.onnx` and its sparse weights to `folder`."""
    graph, value = _Graph(folder / "decoder.weights", tokens), "hidden"
    for index in range(layers):
        value = graph.layer(f"layers.{index}", value)
    path = folder / "decoder.onnx"
    onnx.save(graph.finish(graph.linear("head", value, HIDDEN, VOCABULARY)), path)
    return path
