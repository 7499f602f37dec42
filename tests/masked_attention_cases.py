"""Models of onnxruntime's attention whose masks are added to scores, and their documentation in numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st

from tests.attention_cases import node_model
from tests.support import Feeds

NAMES = {
    "MultiHeadAttention": (
        "query", "key", "value", "bias", "mask", "added", "past_key", "past_value", "past_sequence_length",
    ),
    "DecoderMaskedMultiHeadAttention": (
        "query", "key", "value", "mask", "added", "past_key", "past_value", "past_sequence_length", "beam_width",
        "cache_indirection", "bias",
    ),
    "Attention": ("query", "weights", "bias", "mask", "past", "added", "past_sequence_length"),
    "QAttention": ("query", "weights", "bias", "scale", "scales", "mask", "zero", "zeros", "past"),
}  # fmt: skip
BATCH, NEW, KEYS, HEADS, SIZE, PAST, WIDTH = 2, 3, 5, 2, 4, 4, 6
CONSTANTS = ("weights", "scale", "scales", "zero", "zeros")


def masked_model(op_type: str, feeds: Feeds, **attributes: Any) -> onnx.ModelProto:
    outputs = ["y"]
    if "past" in feeds:
        outputs.append("present")
    if "past_key" in feeds:
        outputs += ["present_key", "present_value"]
    constants = [name for name in CONSTANTS if name in feeds]
    return node_model(op_type, NAMES[op_type], feeds, outputs, constants, num_heads=HEADS, **attributes)


def fed(feeds: Feeds) -> Feeds:
    """Return the inputs that aren't constants."""
    return {name: array for name, array in feeds.items() if name not in CONSTANTS}


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def marks(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 2, shape).astype(np.int32)


def integers(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int32)


def _byte_operands(**more: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {
        "query": rng.integers(0, 256, (BATCH, NEW, WIDTH)).astype(np.uint8),
        "weights": rng.integers(-127, 128, (WIDTH, 3 * HEADS * SIZE)).astype(np.int8),
        "bias": floats(3 * HEADS * SIZE),
        "scale": np.array(0.02, np.float32),
        "scales": np.array(0.01, np.float32),
    } | more


WHOLE = HEADS * SIZE
CROSS = {"query": floats(BATCH, NEW, WHOLE), "key": floats(BATCH, KEYS, WHOLE), "value": floats(BATCH, KEYS + 0, WHOLE)}
OWN = {"query": floats(BATCH, NEW, WHOLE), "key": floats(BATCH, NEW, WHOLE) * 2, "value": floats(BATCH, NEW, WHOLE) + 1}
ONE = {name: array[:, :1] for name, array in OWN.items()}
PASTS = {"past_key": floats(BATCH, HEADS, PAST, SIZE), "past_value": floats(BATCH, HEADS, PAST, SIZE) - 1}
PROJECTED = {"query": floats(BATCH, NEW, WIDTH), "weights": floats(WIDTH, 3 * WHOLE), "bias": floats(3 * WHOLE)}
BY_HEADS = {"key": floats(BATCH, HEADS, KEYS, SIZE), "value": floats(BATCH, HEADS, KEYS, SIZE) + 1}
SOFT = {"mask_filter_value": -2.0}
CASES: dict[str, tuple[str, dict[str, np.ndarray], dict[str, Any]]] = {
    "heads": ("MultiHeadAttention", CROSS, {}),
    "bias": ("MultiHeadAttention", CROSS | {"bias": floats(3 * WHOLE)}, {}),
    "wide values": (
        "MultiHeadAttention", CROSS | {"value": floats(BATCH, KEYS, WHOLE + 4), "bias": floats(3 * WHOLE + 4)}, {},
    ),
    "marks": ("MultiHeadAttention", CROSS | {"mask": marks(BATCH, KEYS)}, SOFT),
    "marks a query": ("MultiHeadAttention", CROSS | {"mask": marks(BATCH, NEW, KEYS)}, SOFT),
    "ends": ("MultiHeadAttention", CROSS | {"mask": integers(2, 4)}, SOFT | {"scale": 0.7}),
    "causal with bias": ("MultiHeadAttention", OWN | {"added": floats(1, HEADS, NEW, NEW)}, {"unidirectional": 1}),
    "past": ("MultiHeadAttention", OWN | PASTS | {"mask": marks(BATCH, PAST + NEW)}, {"unidirectional": 1}),
    "keys by heads": ("MultiHeadAttention", {"query": CROSS["query"], **BY_HEADS, "bias": floats(3 * WHOLE)}, {}),
    "packed": ("MultiHeadAttention", {"query": floats(BATCH, NEW, HEADS, 3, SIZE)}, {}),
    "packed keys": ("MultiHeadAttention", {"query": OWN["query"], "key": floats(BATCH, KEYS, HEADS, 2, SIZE)}, {}),
    "token": ("DecoderMaskedMultiHeadAttention", ONE | PASTS | {"bias": floats(3 * WHOLE)}, {}),
    "token of one": ("DecoderMaskedMultiHeadAttention", {"query": floats(BATCH, 1, 3 * WHOLE)}, {}),
    "token that crosses": ("DecoderMaskedMultiHeadAttention", {"query": ONE["query"], **BY_HEADS}, {"scale": 0.4}),
    "projected": ("Attention", PROJECTED, {}),
    "projected without bias": ("Attention", {name: PROJECTED[name] for name in ("query", "weights")}, {}),
    "projected, causal marks": ("Attention", PROJECTED | {"mask": marks(BATCH, NEW)}, {"unidirectional": 1}),
    "projected, marks a query": ("Attention", PROJECTED | {"mask": marks(BATCH, NEW, NEW)}, SOFT),
    "projected, ends": ("Attention", PROJECTED | {"mask": integers(2, 3)}, SOFT),
    "projected, ends and starts": ("Attention", PROJECTED | {"mask": integers(2, 3, 1, 0)}, SOFT),
    "projected, no mask": ("Attention", PROJECTED | {"mask": integers(1, 1).reshape(2, 1)}, {}),
    "projected, past": ("Attention", PROJECTED | {"past": floats(2, BATCH, HEADS, PAST, SIZE)}, {"unidirectional": 1}),
    "projected, bias": ("Attention", PROJECTED | {"added": floats(1, 1, NEW, NEW)}, {"scale": 0.3}),
    "projected, wide values": (
        "Attention", PROJECTED | {"weights": floats(WIDTH, 3 * WHOLE + 4), "bias": floats(3 * WHOLE + 4)},
        {"qkv_hidden_sizes": [WHOLE, WHOLE, WHOLE + 4]},
    ),
    "bytes": ("QAttention", _byte_operands(), {}),
    "bytes with zero points": (
        "QAttention",
        _byte_operands(zero=np.array(120, np.uint8), zeros=np.array(3, np.int8), mask=marks(BATCH, NEW)),
        {"unidirectional": 1},
    ),
    "bytes by columns": (
        "QAttention",
        _byte_operands(
            scales=np.abs(floats(3 * WHOLE)) / 100,
            zeros=np.arange(-12, 12, dtype=np.int8),
            zero=np.array(120, np.uint8),
            past=floats(2, BATCH, HEADS, PAST, SIZE),
        ),
        {},
    ),
}  # fmt: skip
WITHOUT_KERNEL = frozenset(("packed", "packed keys", "token", "token of one"))
"""Cases that onnxruntime runs on GPUs only."""


@st.composite
def drawn(draw: st.DrawFn, op_type: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Inputs and attributes of a MultiHeadAttention or an Attention, of any sizes, masks and pasts."""
    batch, new, size, past = (draw(st.integers(*ends)) for ends in ((1, 2), (1, 4), (1, 5), (0, 3)))
    own = op_type == "Attention" or draw(st.booleans())
    keys = past + new if own else draw(st.integers(1, 5))
    rng, width, attributes = np.random.default_rng(draw(st.integers(0, 99))), HEADS * size, dict[str, Any](SOFT)

    def numbers(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    if op_type == "Attention":
        feeds = {"query": numbers(batch, new, 3), "weights": numbers(3, 3 * width), "bias": numbers(3 * width)}
    else:
        feeds = {name: numbers(batch, new if own or name == "query" else keys, width) for name in list(CROSS)}
    if own and past and op_type == "Attention":
        feeds["past"] = numbers(2, batch, HEADS, past, size)
    elif own and past:
        feeds |= {name: numbers(batch, HEADS, past, size) for name in PASTS}
    shapes = {"a key": (batch, keys), "a query": (batch, new, keys)}
    kind = draw(st.sampled_from([None, *shapes]))
    if kind is not None and shapes[kind] != (batch, 1):  # which says that there's no mask
        feeds["mask"] = rng.integers(0, 2, shapes[kind]).astype(np.int32)
    if draw(st.booleans()):
        feeds["added"] = numbers(1, draw(st.sampled_from([1, HEADS])), new, keys)
    if own and draw(st.booleans()):
        attributes["unidirectional"] = 1
    if draw(st.booleans()):
        attributes["scale"] = 0.5
    return feeds, attributes


def masked_in_numpy(op_type: str, feeds: Feeds, **attributes: Any) -> list[np.ndarray]:
    """Return what the documentation says, in float64."""
    read = {name: array.astype(np.float64) for name, array in feeds.items()}
    q, k, v = _operands(op_type, read, attributes)
    pasts = read["past"] if "past" in read else [read[name] for name in ("past_key", "past_value") if name in read]
    if len(pasts):
        k, v = (np.concatenate([past, x], 2) for past, x in zip(pasts, (k, v), strict=True))
    batch, _, new, size = q.shape
    keys = k.shape[2]
    scores = q @ k.swapaxes(2, 3) * (attributes.get("scale") or 1 / math.sqrt(size))
    mask = read.get("mask")
    if mask is not None and mask.shape != (batch, 1):
        places = np.arange(keys)
        if mask.ndim == 1:
            shown = places < mask[:batch, None]
            shown = shown & (places >= mask[batch:, None]) if len(mask) > batch else shown
        else:
            shown = mask > 0
        shown = shown.reshape(batch, 1, -1, keys)
        scores = scores + np.where(shown, 0, attributes.get("mask_filter_value", -10000.0))
    scores = scores + read["added"] if "added" in read else scores
    if attributes.get("unidirectional") and new > 1:
        scores = np.where(np.tri(new, keys, keys - new, bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    y = weights / weights.sum(-1, keepdims=True) @ v
    y = y.transpose(0, 2, 1, 3).reshape(batch, new, -1)
    return [y, *([np.stack([k, v])] if "past" in read else [k, v] if len(pasts) else [])]


def _operands(op_type: str, read: dict[str, np.ndarray], attributes: dict[str, Any]) -> list[np.ndarray]:
    """Query, key and value [batch, heads, length, size]."""
    query, bias = read["query"], read.get("bias", np.zeros(1))
    if "weights" in read:
        if op_type == "QAttention":
            query = (query - read.get("zero", 0)) * read["scale"]
            read["weights"] = (read["weights"] - read.get("zeros", 0)) * read["scales"]
        width = read["weights"].shape[1]
        ends = np.cumsum(attributes.get("qkv_hidden_sizes", [width // 3] * 3))
        operands = np.split(query @ read["weights"] + bias, ends[:2], 2)
    elif query.ndim == 5:
        operands = [query[:, :, :, which].reshape(*query.shape[:2], -1) for which in range(3)]
    elif "key" not in read:
        operands = np.split(query, 3, 2)
    elif read["key"].ndim == 5:
        key = read["key"]
        operands = [query, *(key[:, :, :, which].reshape(*key.shape[:2], -1) for which in range(2))]
    else:
        operands, at = [], 0
        for operand in (query, read["key"], read["value"]):
            if operand.ndim == 3 and "bias" in read:
                operand = operand + bias[at : at + operand.shape[2]]
                at += operand.shape[2]
            operands.append(operand)
    return [x if x.ndim == 4 else x.reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3) for x in operands]
