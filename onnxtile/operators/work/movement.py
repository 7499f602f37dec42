"""Operators that copy elements or fill them in, and those that only say something else of the same elements.

A view of the same elements (Reshape and its like, BitCast, what's put into a sequence or taken out) copies nothing. A
Cast copies into another type. The arithmetic of shapes and indices isn't counted.
"""

from __future__ import annotations

from onnxtile.operators.formula import unknown
from onnxtile.operators.measures import X, Y, is_given, of_input, says
from onnxtile.operators.work.work import COMPARISON, ELEMENTWISE, MOVEMENT, NONE, Work, each

_UPDATES = of_input(2, "updates")
_STORED = says("reduction", "none", default="none")
_SCATTER = (
    MOVEMENT * (Y + _UPDATES * _STORED)
    + ELEMENTWISE * _UPDATES * says("reduction", "add", "mul")
    + COMPARISON * _UPDATES * says("reduction", "max", "min")
)
_STRINGS = unknown("what strings take depends on their lengths")
ONNX: dict[str, Work] = {
    **each(
        """
        BitCast Constant Flatten Identity If Loop Optional OptionalGetElement OptionalHasElement Reshape
        Scan SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength
        SequenceMap Shape Size Squeeze Unsqueeze
        """,
        NONE,
    ),
    **each(
        """
        Cast CastLike DepthToSpace MemcpyFromHost MemcpyToHost ReverseSequence SpaceToDepth Split
        SplitToSequence Transpose Trilu
        """,
        MOVEMENT * X,
    ),
    **each(
        """
        CenterCropPad Compress Concat ConcatFromSequence ConstantOfShape Crop DynamicSlice Expand EyeLike
        Gather GatherElements GatherND GivenTensorFill OneHot Pad Slice Tile
        """,
        MOVEMENT * Y,
    ),
    **each("Scatter ScatterElements ScatterND", _SCATTER),
    "TensorScatter": MOVEMENT * (Y + of_input(1, "update")),
    "NonZero": COMPARISON * X + MOVEMENT * Y,
    "StringConcat": MOVEMENT * _STRINGS,
    "StringSplit": (COMPARISON + MOVEMENT) * _STRINGS,
    "StringNormalizer": (COMPARISON + MOVEMENT) * _STRINGS,
    "RegexFullMatch": COMPARISON * _STRINGS,
    "DisentangledAttention_TRT": 3 * ELEMENTWISE * Y + 2 * MOVEMENT * Y,
}
"""DisentangledAttention_TRT gathers positions from two inputs, adds them to the first, and scales."""
MICROSOFT: dict[str, Work] = {
    **each("ExpandDims SampleOp", NONE),
    "Trilu": MOVEMENT * X,
    **each("GatherND Pad RelativePositionBias RemovePadding RestorePadding TorchEmbedding UnfoldTensor", MOVEMENT * Y),
    "GatherBlockQuantized": (MOVEMENT + ELEMENTWISE) * Y + ELEMENTWISE * Y * is_given(3, "zero_points"),
    "GatherPacked": (MOVEMENT + ELEMENTWISE) * Y,
    "Tokenizer": (COMPARISON + MOVEMENT) * _STRINGS,
}
NCHWC: dict[str, Work] = {"ReorderInput": MOVEMENT * X, "ReorderOutput": MOVEMENT * X}
NHWC: dict[str, Work] = {"DepthToSpace": MOVEMENT * X, "SpaceToDepth": MOVEMENT * X}
ML: dict[str, Work] = {
    **each("ArrayFeatureExtractor CastMap FeatureVectorizer", MOVEMENT * Y),
    "ZipMap": MOVEMENT * X,
}
