"""Operators whose work can't be told from shapes, and why."""

from __future__ import annotations

from onnxtile.operators.formula import unknown
from onnxtile.operators.measures import X, Y
from onnxtile.operators.work.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work, all_unknown, each

_ENGINE = all_unknown("it's another engine's, whose work depends on that engine")
_SOLVED = (ELEMENTWISE + COMPARISON) * unknown("how a matrix is solved depends on the engine's method")
_SEARCH = all_unknown("how many steps it generates, of what is in its graphs, depends on the data")
_BLOCKS = (ELEMENTWISE + COMPARISON) * unknown("what its format of shared exponents takes depends on the data")
ONNX: dict[str, Work] = {
    "Det": _SOLVED,
    **each("EfficientNMS_TRT MultilevelCropAndResize_TRT PyramidROIAlign_TRT", _ENGINE),
    "GRUUnit": (ELEMENTWISE + TRANSCENDENTAL + COMPARISON)
    * unknown("which states it changes depends on their lengths"),
    "ImageDecoder": all_unknown("what decoding takes depends on the image"),
    "NonMaxSuppression": (ELEMENTWISE + COMPARISON) * unknown("how many boxes are compared depends on the scores"),
    "TfIdfVectorizer": (ELEMENTWISE + COMPARISON) * unknown("how many n-grams match depends on the data"),
}
_COMPARED_AND_COPIED = COMPARISON + MOVEMENT
MICROSOFT: dict[str, Work] = {
    **each("BeamSearch GreedySearch Sampling WhisperBeamSearch", _SEARCH),
    "BifurcationDetector": _COMPARED_AND_COPIED * unknown("how far it searches for a match depends on the tokens"),
    "ConvStateReplay": MOVEMENT * unknown("how much is copied depends on counters that are data"),
    **each("DequantizeBFP QuantizeBFP", _BLOCKS),
    # an addition and the least of three for each cell; then the path is written
    "DynamicTimeWarping": (ELEMENTWISE + 2 * COMPARISON) * X + MOVEMENT * Y,
    "Inverse": _SOLVED,
    "MurmurHash3": ELEMENTWISE * unknown("what a hash takes depends on how long its keys are"),
    "NGramRepeatBlock": COMPARISON * unknown("how many n-grams repeat depends on the tokens") + MOVEMENT * Y,
    "PackedSparseAttentionIndexerMerge": _COMPARED_AND_COPIED
    * unknown("how many indices are merged depends on counts"),
    "SpeculativePrefixCommit": _COMPARED_AND_COPIED * unknown("how many tokens are accepted depends on the data"),
}
