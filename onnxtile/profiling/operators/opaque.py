"""Operators whose work can't be told from shapes at all, and why."""

from __future__ import annotations

from onnxtile.profiling.operators.work import Work, all_unknown, each

_SEARCH = "how many steps it generates, of what is in its graphs, depends on the data"
_ENGINE = "it's another engine's, whose work depends on that engine"
_METHOD = "how it's worked out is the engine's choice, and depends on the data"
_COUNTERS = "how much it copies depends on counters that are data"
_BLOCKS = "it depends on a packed format of blocks, which isn't counted"
ONNX: dict[str, Work] = {
    name: all_unknown(reason)
    for name, reason in {
        "Det": _METHOD,
        "EfficientNMS_TRT": _ENGINE,
        "GRUUnit": "how many steps it takes depends on the lengths it's given",
        "ImageDecoder": "what decoding takes depends on the image",
        "MultilevelCropAndResize_TRT": _ENGINE,
        "NonMaxSuppression": "how many boxes are compared depends on the scores",
        "PyramidROIAlign_TRT": _ENGINE,
        "TfIdfVectorizer": "how many n-grams match depends on the data",
    }.items()
}
MICROSOFT: dict[str, Work] = {
    name: all_unknown(reason)
    for name, reason in {
        **each("BeamSearch GreedySearch Sampling WhisperBeamSearch", _SEARCH),
        "BifurcationDetector": "how far it searches for a match depends on the tokens",
        "ConvStateReplay": _COUNTERS,
        "DequantizeBFP": _BLOCKS,
        "DynamicTimeWarping": "how long the path is depends on the data",
        "Inverse": _METHOD,
        "MurmurHash3": "what a hash takes depends on how long its keys are",
        "NGramRepeatBlock": "how many n-grams repeat depends on the tokens",
        "PackedSparseAttentionIndexerMerge": "how many indices are merged depends on the data",
        "QuantizeBFP": _BLOCKS,
        "SpeculativePrefixCommit": "how many tokens are accepted depends on the data",
    }.items()
}
