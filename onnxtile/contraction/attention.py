"""Attention: a product of queries and keys, and one with values."""

from __future__ import annotations

from onnxtile.contraction.entry import Entry

ONNX: dict[str, Entry] = dict.fromkeys(("Attention", "LinearAttention", "FlexAttention"), Entry("attention"))
MICROSOFT: dict[str, Entry] = dict.fromkeys(
    (
        "Attention",
        "MultiHeadAttention",
        "GroupQueryAttention",
        "PackedAttention",
        "PackedMultiHeadAttention",
        "QAttention",
        "DecoderAttention",
        "DecoderMaskedMultiHeadAttention",
        "DecoderMaskedSelfAttention",
        "LongformerAttention",
        "SparseAttention",
        "PagedAttention",
    ),
    Entry("attention"),
)
