"""A tagger of words: an LSTM that reads a sentence both ways."""

from __future__ import annotations

import numpy as np
import onnx

from networks.layers import Layers

WORDS, TAGS, STEPS = 10_000, 17, 32
EMBEDDING, HIDDEN = 100, 128


def tagger(light: bool = False) -> onnx.ModelProto:
    """Embeddings, a bidirectional LSTM and a layer on top, as in Huang, Xu, Yu, 2015, for one sentence of 32 words.

    Of 100 and 2 x 128 numbers a word, and 17 tags, as universal dependencies have them. `light`: see Layers.
    """
    net = Layers("input", light=light)
    net.node_of("Gather", [net.weight("embedding", WORDS, EMBEDDING), "input"], axis=0)
    recurrent = [
        net.weight("lstm.weight", 2, 4 * HIDDEN, EMBEDDING), net.weight("lstm.recurrent", 2, 4 * HIDDEN, HIDDEN),
        net.weight("lstm.bias", 2, 8 * HIDDEN),
    ]  # fmt: skip
    net.node("LSTM", *recurrent, hidden_size=HIDDEN, direction="bidirectional")
    net.node("Transpose", perm=[0, 2, 1, 3])
    net.node("Reshape", net.constant("both_ways", np.array([STEPS, 2 * HIDDEN])))
    net.linear("tags", 2 * HIDDEN, TAGS)
    net.node("Softmax", axis=-1)
    return net.model("tagger", [STEPS, 1], [STEPS, TAGS], 17, onnx.TensorProto.INT64)
