"""Models of one GroupQueryAttention, and what onnxruntime's documentation says that it gives, in numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.support import Feeds

MICROSOFT = "com.microsoft"
GROUPED = (
    "query", "key", "value", "past_key", "past_value", "seqlens_k", "total_sequence_length", "cos_cache", "sin_cache",
    "position_ids", "attention_bias", "head_sink", "k_scale", "v_scale", "q_norm_weight", "k_norm_weight",
    "query_seqlens",
)  # fmt: skip
OUTPUTS = ("y", "present_key", "present_value")


def node_model(
    op_type: str,
    names: Sequence[str],
    feeds: Feeds,
    outputs: Sequence[str],
    constants: Sequence[str] = (),
    opset: int = 21,
    shapes: Mapping[str, Sequence[int | str]] = {},
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one node of onnxruntime's, whose inputs are what is fed; what isn't is left out."""
    given = [name if name in feeds else "" for name in names]
    while not given[-1]:
        given.pop()
    node = helper.make_node(op_type, given, outputs, "attn", domain=MICROSOFT, **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shapes.get(name, array.shape))
        for name, array in feeds.items()
        if name not in constants
    ]
    first = next(iter(feeds.values()))
    dtype = helper.np_dtype_to_tensor_dtype(first.dtype if first.dtype.kind not in "iu" else np.dtype(np.float32))
    results = [helper.make_tensor_value_info(name, dtype, None) for name in outputs if name]
    tensors = [onnx.numpy_helper.from_array(feeds[name], name) for name in constants]
    graph = helper.make_graph([node], "graph", infos, results, tensors)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def grouped(feeds: Feeds, outputs: Sequence[str] = OUTPUTS, **options: Any) -> onnx.ModelProto:
    return node_model("GroupQueryAttention", GROUPED, feeds, outputs, **options)


def grouped_feeds(
    rng: np.random.Generator,
    past: Sequence[int] = (0,),
    new: int = 4,
    heads: int = 4,
    kv_heads: int = 2,
    size: int = 16,
    buffer: int | None = None,
    packed: bool = False,
    rotary: int = 0,
    positions: bool = False,
    bias: tuple[int, int] | None = None,
    sink: bool = False,
    valid: Sequence[int] | None = None,
    dtype: Any = np.float32,
) -> dict[str, np.ndarray]:
    """Operands of a GroupQueryAttention: `past` tokens before `new` ones, of which `valid` aren't filled up."""
    batch = len(past)

    def floats(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    if packed:
        feeds = {"query": floats(batch, new, (heads + 2 * kv_heads) * size)}
    else:
        widths = {"query": heads, "key": kv_heads, "value": kv_heads}
        feeds = {name: floats(batch, new, count * size) for name, count in widths.items()}
    if buffer is not None:
        feeds |= {name: floats(batch, kv_heads, buffer, size) for name in ("past_key", "past_value")}
    totals = [before + (new if valid is None else valid[at]) for at, before in enumerate(past)]
    longest = max(totals) if any(past) else new
    feeds["seqlens_k"] = np.array(totals, np.int32) - 1
    feeds["total_sequence_length"] = np.array(longest, np.int32)
    if rotary:
        angles = rng.uniform(-3, 3, (64, rotary))
        feeds |= {"cos_cache": np.cos(angles).astype(dtype), "sin_cache": np.sin(angles).astype(dtype)}
    if positions:
        feeds["position_ids"] = np.arange(new)[None] + np.array(past)[:, None] + 3
    if bias is not None:
        feeds["attention_bias"] = floats(*bias, new, longest)
    if sink:
        feeds["head_sink"] = floats(heads)
    return feeds


def grouped_in_numpy(feeds: Feeds, heads: int, kv_heads: int, **attributes: Any) -> list[np.ndarray]:
    """Return what the documentation says, token by token, in float64."""
    read = {name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in feeds.items()}
    query = read["query"]
    batch, new, width = query.shape
    packed = "key" not in read
    size = width // (heads + 2 * kv_heads if packed else heads)
    if packed:
        q, k, v = np.split(query.reshape(batch, new, -1, size), [heads, heads + kv_heads], 2)
    else:
        q, k, v = (read[name].reshape(batch, new, -1, size) for name in ("query", "key", "value"))
    totals, longest = read["seqlens_k"].astype(int) + 1, int(read["total_sequence_length"])
    buffer = read["past_key"].shape[2] if "past_key" in read else 0
    valid = read.get("query_seqlens")
    is_prompt = longest == new and valid is None
    before = totals - (new if valid is None else valid)
    before = np.zeros(batch, int) if is_prompt or not buffer else before
    kept = [np.zeros((batch, kv_heads, max(longest, buffer), size)) for _ in "kv"]
    y = np.zeros((batch, new, heads, size))
    scale = attributes.get("scale") or 1 / math.sqrt(size)
    cap, window = attributes.get("softcap", 0.0), attributes.get("local_window_size", -1)
    for b in range(batch):
        at = before[b] + np.arange(new)
        if "position_ids" in read:
            at = read["position_ids"][0, 0] + np.arange(new) if is_prompt else read["position_ids"][b]
        q_b, k_b = q[b], k[b]
        if attributes.get("do_rotary"):
            at = np.minimum(at, totals[b] - 1) if valid is not None and "position_ids" not in read else at
            cos, sin = read["cos_cache"][at], read["sin_cache"][at]
            q_b, k_b = (turned(x, cos, sin, bool(attributes.get("rotary_interleaved"))) for x in (q_b, k_b))
        for present, name, x in zip(kept, ("past_key", "past_value"), (k_b, v[b]), strict=True):
            rows = read[name][b, :, : before[b]] if buffer else np.zeros((kv_heads, 0, size))
            rows = np.concatenate([rows, x.transpose(1, 0, 2)], 1)[:, : present.shape[2]]
            present[b, :, : rows.shape[1]] = rows
        for s in range(new):
            end = min(before[b] + s + 1, totals[b]) if attributes.get("causal", 1) else totals[b]
            start = max(end - window, 0) if window > 0 else 0
            for h in range(heads):
                keys, values = (present[b, h // (heads // kv_heads), start:end] for present in kept)
                scores = keys @ q_b[s, h] * scale
                scores = cap * np.tanh(scores / cap) if cap else scores
                if "attention_bias" in read:
                    bias = read["attention_bias"]
                    scores = scores + bias[min(b, len(bias) - 1), min(h, bias.shape[1] - 1), s, start:end]
                sinks = (
                    [read["head_sink"][h]] if "head_sink" in read else [0.0] * bool(attributes.get("smooth_softmax"))
                )
                top = max([*scores, *sinks])
                weights = np.exp(scores - top)
                y[b, s, h] = weights @ values / (weights.sum() + np.exp(np.array(sinks) - top).sum())
    return [y.reshape(batch, new, -1), *kept]


def turned(x: np.ndarray, cos: np.ndarray, sin: np.ndarray, interleaved: bool) -> np.ndarray:
    """Rotate pairs of x [length, heads, size]; cos, sin [length, pairs]."""
    result, pairs = x.copy(), cos.shape[1]
    first, second = (slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)) if interleaved else (
        slice(0, pairs), slice(pairs, 2 * pairs)
    )  # fmt: skip
    a, b, cos, sin = x[..., first], x[..., second], cos[:, None], sin[:, None]
    result[..., first], result[..., second] = a * cos - b * sin, a * sin + b * cos
    return result
