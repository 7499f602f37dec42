"""Operators that copy elements or fill them in, and those that only say something else of the same elements.

A view of the same elements (Reshape and its like, BitCast, what's put into a sequence or taken out) copies nothing. A
Cast copies into another type. The arithmetic of shapes and indices isn't counted.
"""

from __future__ import annotations

from onnxtile.operators.formula import unknown
from onnxtile.operators.measures import X, Y, is_given, of_input, says
from onnxtile.operators.registry import MICROSOFT, ML, NCHWC, NHWC, Packed, declare
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, NONE

_UPDATES = of_input(2, "updates")
_STORED = says("reduction", "none", default="none")
_SCATTER = (
    MOVEMENT * (Y + _UPDATES * _STORED)
    + ELEMENTWISE * _UPDATES * says("reduction", "add", "mul")
    + COMPARISON * _UPDATES * says("reduction", "max", "min")
)
_STRINGS = unknown("what strings take depends on their lengths")

declare("BitCast Constant Flatten Identity If Loop OptionalGetElement OptionalHasElement", work=NONE)
declare("Scan SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceMap", work=NONE)
declare("Optional", work=NONE, result="wrapped")
declare("SequenceLength Shape Size", work=NONE, result="sizes")
declare("Reshape Squeeze Unsqueeze", work=NONE, settings=(1,))
declare("ExpandDims SampleOp", MICROSOFT, work=NONE)

declare("Cast CastLike MemcpyFromHost MemcpyToHost ReverseSequence SplitToSequence Transpose", work=MOVEMENT * X)
declare("DepthToSpace SpaceToDepth", "", NHWC, work=MOVEMENT * X)
declare("Split", work=MOVEMENT * X, settings=(1,))
declare("Trilu", "", MICROSOFT, work=MOVEMENT * X, settings=(1,))
declare("ReorderInput ReorderOutput", NCHWC, work=MOVEMENT * X)
declare("ZipMap", ML, work=MOVEMENT * X)

declare("CenterCropPad Compress Concat ConcatFromSequence ConstantOfShape Crop DynamicSlice", work=MOVEMENT * Y)
declare("EyeLike GivenTensorFill", work=MOVEMENT * Y)
declare("Expand Gather GatherElements Tile", work=MOVEMENT * Y, settings=(1,))
declare("GatherND", "", MICROSOFT, work=MOVEMENT * Y, settings=(1,))
declare("OneHot", work=MOVEMENT * Y, settings=(0, 1, 2))
declare("Pad", "", MICROSOFT, work=MOVEMENT * Y, settings=(1, 2, 3))
declare("Slice", work=MOVEMENT * Y, settings=(1, 2, 3, 4))
declare("RelativePositionBias RemovePadding RestorePadding TorchEmbedding UnfoldTensor", MICROSOFT, work=MOVEMENT * Y)
declare("ArrayFeatureExtractor CastMap FeatureVectorizer", ML, work=MOVEMENT * Y)

declare("Scatter", work=_SCATTER)
declare("ScatterElements ScatterND", work=_SCATTER, settings=(1,))
declare("TensorScatter", work=MOVEMENT * (Y + of_input(1, "update")))
declare("NonZero", work=COMPARISON * X + MOVEMENT * Y)
# positions are gathered from two inputs, added to the first, and scaled
declare("DisentangledAttention_TRT", work=3 * ELEMENTWISE * Y + 2 * MOVEMENT * Y)
declare(
    "GatherBlockQuantized",
    MICROSOFT,
    work=(MOVEMENT + ELEMENTWISE) * Y + ELEMENTWISE * Y * is_given(3, "zero_points"),
    quantization=(2, 3),
    packed=Packed((0,), "bits"),
)
declare("GatherPacked", MICROSOFT, work=(MOVEMENT + ELEMENTWISE) * Y)

declare("StringConcat", work=MOVEMENT * _STRINGS)
declare("StringSplit StringNormalizer", work=(COMPARISON + MOVEMENT) * _STRINGS)
declare("RegexFullMatch", work=COMPARISON * _STRINGS)
declare("Tokenizer", MICROSOFT, work=(COMPARISON + MOVEMENT) * _STRINGS)
