"""Operators whose work can't be told from shapes, and why."""

from __future__ import annotations

from onnxtile.operators.formula import unknown
from onnxtile.operators.measures import X, Y
from onnxtile.operators.registry import MICROSOFT, TRAINING, declare, unsized
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, all_unknown

_COMPUTED, _COPIED = ELEMENTWISE + COMPARISON, COMPARISON + MOVEMENT
_SOLVED = _COMPUTED * unknown("how a matrix is solved depends on the engine's method")
declare("Det", work=_SOLVED)
declare("Inverse", MICROSOFT, work=_SOLVED)
declare(
    "EfficientNMS_TRT MultilevelCropAndResize_TRT PyramidROIAlign_TRT",
    work=all_unknown("it's another engine's, whose work depends on that engine"),
)
declare("GRUUnit", work=(_COMPUTED + TRANSCENDENTAL) * unknown("which states it changes depends on their lengths"))
declare("ImageDecoder", work=all_unknown("what decoding takes depends on the image"))
declare(
    "NonMaxSuppression",
    work=_COMPUTED * unknown("how many boxes are compared depends on the scores"),
    settings=(2, 3, 4),
)
declare("TfIdfVectorizer", work=_COMPUTED * unknown("how many n-grams match depends on the data"))

declare(
    "BeamSearch GreedySearch Sampling WhisperBeamSearch",
    MICROSOFT,
    work=all_unknown("how many steps it generates, of what is in its graphs, depends on the data"),
)
declare(
    "BifurcationDetector", MICROSOFT, work=_COPIED * unknown("how far it searches for a match depends on the tokens")
)
declare("ConvStateReplay", MICROSOFT, work=MOVEMENT * unknown("how much is copied depends on counters that are data"))
declare(
    "DequantizeBFP QuantizeBFP",
    MICROSOFT,
    work=_COMPUTED * unknown("what its format of shared exponents takes depends on the data"),
)
# an addition and the least of three for each cell; then the path is written
declare("DynamicTimeWarping", MICROSOFT, work=(ELEMENTWISE + 2 * COMPARISON) * X + MOVEMENT * Y)
declare("MurmurHash3", MICROSOFT, work=ELEMENTWISE * unknown("what a hash takes depends on how long its keys are"))
declare(
    "NGramRepeatBlock",
    MICROSOFT,
    work=COMPARISON * unknown("how many n-grams repeat depends on the tokens") + MOVEMENT * Y,
)
declare(
    "PackedSparseAttentionIndexerMerge",
    MICROSOFT,
    work=_COPIED * unknown("how many indices are merged depends on counts"),
)
declare(
    "SpeculativePrefixCommit", MICROSOFT, work=_COPIED * unknown("how many tokens are accepted depends on the data")
)

declare("EPContext Snpe", MICROSOFT, products=unsized("other", "can't be looked into: it runs a program of its own"))
declare(
    "Gradient",
    TRAINING,
    products=unsized("other", "can't be sized: it stands for derivatives of other nodes, products included"),
)
