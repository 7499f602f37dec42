"""A small decoder as language models are exported: GroupQueryAttention with its past, and weights of 4 bits."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import onnxtile
from tests.attention_cases import MICROSOFT

HEADS, KV_HEADS, SIZE, LAYERS, WORDS, ROOM, TOKENS = 4, 2, 16, 2, 50, 40, 32
WIDTH, BLOCK = HEADS * SIZE, 32


class Exporter:
    """Collects nodes and weights, drawn at random."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, array: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def node(
        self, op_type: str, name: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: object
    ) -> str:
        names = [name, *(f"{name}_{number}" for number in range(1, outputs))]
        self.nodes.append(helper.make_node(op_type, inputs, names, name, domain=domain, **attributes))
        return name

    def packed(self, name: str, x: str, k: int, n: int) -> str:
        blocks = -(-k // BLOCK)
        codes = self.weight(f"{name}_codes", self.rng.integers(0, 256, (n, blocks, BLOCK // 2), np.uint8))
        scales = self.weight(f"{name}_scales", self.rng.uniform(0.01, 0.06, n * blocks).astype(np.float32))
        return self.node("MatMulNBits", name, x, codes, scales, domain=MICROSOFT, K=k, N=n, bits=4, block_size=BLOCK)

    def floats(self, name: str, *shape: int) -> str:
        return self.weight(name, self.rng.standard_normal(shape).astype(np.float32))


def decoder() -> onnx.ModelProto:
    """Tokens [1, length] and a mask of all there were to logits, with a buffer of ROOM rows a layer."""
    made = Exporter()
    angles = np.arange(ROOM)[:, None] / 10.0 ** (np.arange(SIZE // 2)[None] / 4)
    cos, sin = (made.weight(name, of(angles).astype(np.float32)) for name, of in (("cos", np.cos), ("sin", np.sin)))
    one, first = made.weight("one", np.array([1], np.int64)), made.weight("first", np.array(1, np.int64))
    count = made.node("ReduceSum", "count", "mask", one, keepdims=0)
    last = made.node("Cast", "seqlens_k", made.node("Sub", "last", count, one), to=onnx.TensorProto.INT32)
    longest = made.node("Gather", "longest", made.node("Shape", "mask_sizes", "mask"), first, axis=0)
    total = made.node("Cast", "total", longest, to=onnx.TensorProto.INT32)
    x = made.node("Gather", "embedded", made.floats("words", WORDS, WIDTH), "tokens")
    inputs, outputs = [], []
    for layer in range(LAYERS):
        at = f"layer{layer}"
        pasts = [f"{at}_past_{name}" for name in ("key", "value")]
        normal = made.node("LayerNormalization", f"{at}_norm", x, made.floats(f"{at}_gain", WIDTH), axis=-1)
        qkv = made.packed(f"{at}_qkv", normal, WIDTH, (HEADS + 2 * KV_HEADS) * SIZE)
        seen = made.node(
            "GroupQueryAttention", f"{at}_attention", qkv, "", "", *pasts, last, total, cos, sin, domain=MICROSOFT,
            outputs=3, num_heads=HEADS, kv_num_heads=KV_HEADS, do_rotary=1,
        )  # fmt: skip
        x = made.node("Add", f"{at}_seen", x, made.packed(f"{at}_out", seen, WIDTH, WIDTH))
        up = made.node("Relu", f"{at}_act", made.packed(f"{at}_up", x, WIDTH, 2 * WIDTH))
        x = made.node("Add", f"{at}_done", x, made.packed(f"{at}_down", up, 2 * WIDTH, WIDTH))
        shape = [1, KV_HEADS, ROOM, SIZE]
        inputs += [helper.make_tensor_value_info(name, 1, shape) for name in pasts]
        outputs += [helper.make_tensor_value_info(f"{seen}_{which}", 1, None) for which in (1, 2)]
    logits = made.packed("logits", x, WIDTH, WORDS)
    inputs = [
        helper.make_tensor_value_info("tokens", onnx.TensorProto.INT64, [1, "length"]),
        helper.make_tensor_value_info("mask", onnx.TensorProto.INT64, [1, "all"]),
        *inputs,
    ]
    outputs = [helper.make_tensor_value_info(logits, 1, None), *outputs]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    graph = helper.make_graph(made.nodes, "decoder", inputs, outputs, made.weights)
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def generated(prompt_model: onnx.ModelProto, token_model: onnx.ModelProto) -> list[int]:
    """The most likely token that wasn't there before, TOKENS times, the first after a prompt of three."""
    prompt, token = (
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for model in (prompt_model, token_model)
    )
    kept = [np.zeros((1, KV_HEADS, ROOM, SIZE), np.float32)] * (2 * LAYERS)
    names = [value.name for value in token.get_inputs()][2:]
    tokens: list[int] = []
    fed = np.array([[3, 14, 15]])
    for step in range(TOKENS):
        length = 3 + step
        feeds = {"tokens": fed, "mask": np.ones((1, length), np.int64), **dict(zip(names, kept, strict=True))}
        logits, *kept = (token if step else prompt).run(None, feeds)
        logits[0, -1, tokens] = -np.inf
        tokens.append(int(logits[0, -1].argmax()))
        fed = np.array([tokens[-1:]])
    return tokens


def test_it_generates_the_same_tokens() -> None:
    model = decoder()
    prompt, token = (
        onnxtile.lower(model, (8, 32, 16), ops="all", form="batched", bind={"length": length}) for length in (3, 1)
    )
    for lowered in (prompt, token):
        assert not [node for node in lowered.graph.node if node.op_type == "GroupQueryAttention"]
        assert {row.status for row in onnxtile.check(lowered, (8, 32, 16), ops="all").contractions} == {"fits"}
    tokens = generated(model, model)
    assert len(set(tokens)) == TOKENS
    assert generated(prompt, token) == tokens
    verdict = onnxtile.verify(model, token, bind={"length": 1})
    assert {region.status for region in verdict.regions} == {"proven"}, verdict
