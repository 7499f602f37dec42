"""Recurrent operators: a product with the input, and one with the state in every step."""

from __future__ import annotations

from onnxtile.contraction.entry import Entry

ONNX: dict[str, Entry] = dict.fromkeys(("RNN", "LSTM", "GRU"), Entry("rnn"))
MICROSOFT: dict[str, Entry] = {"DynamicQuantizeLSTM": Entry("rnn")}
