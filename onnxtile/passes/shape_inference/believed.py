"""Whose rule is believed, operator by operator."""

from __future__ import annotations

from onnxtile.passes.shape_inference.arithmetic import ARITHMETIC
from onnxtile.passes.shape_inference.einsum import einsum
from onnxtile.passes.shape_inference.flow import FLOW
from onnxtile.passes.shape_inference.rules import LAYOUT, OwnRule, broadcasting
from onnxtile.passes.shape_inference.slices import slice_

_HELD_AGAINST_CASES = (
    "Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool "
    "BatchNormalization Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast "
    "CastLike CausalConvWithState Ceil Celu CenterCropPad Clip Col2Im Compress Concat Constant ConstantOfShape "
    "Conv ConvInteger ConvTranspose Cos Cosh CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Div "
    "Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather "
    "GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample "
    "GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder "
    "InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual LinearAttention Log "
    "LogSoftmax Loop LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxUnpool Mean "
    "MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Neg NegativeLogLikelihoodLoss NonMaxSuppression "
    "NonZero Not OneHot OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul "
    "QuantizeLinear RMSNormalization RNN RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum "
    "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu "
    "Reshape Resize ReverseSequence RoiAlign RotaryEmbedding Round STFT Scan Scatter ScatterElements ScatterND "
    "Selu SequenceEmpty SequenceInsert SequenceLength SequenceMap Shape Shrink Sigmoid Sign Sin Sinh Size Slice "
    "Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze "
    "StringConcat StringNormalizer StringSplit Sub Sum SwiGLU Swish Tan Tanh TensorScatter TfIdfVectorizer "
    "ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample Where Xor "
)
"""Operators whose rule in onnx_shape_inference, or ours, was held against every case of onnx's backend suite."""
_READ = (
    "ConcatFromSequence GlobalLpPool MaxRoiPool Multinomial Optional RandomNormal RandomNormalLike RandomUniform "
    "SequenceAt SequenceConstruct SequenceErase SimplifiedLayerNormalization "
)
"""Operators that the suite lacks, whose rule was read: shapes are an attribute's, or the input's, or there is none."""
_WRONG = frozenset({"MelWeightMatrix"})
"""Operators whose rule in onnx_shape_inference errs, and for which we have none: onnx's is taken."""
_SOUND = frozenset((_HELD_AGAINST_CASES + _READ).split()) - _WRONG
_WRONG_IN_ONNX = frozenset({"Attention", "Einsum", "STFT"})
"""Operators whose rule in onnx's own inference errs: on cases of the suite, and of letters that are broadcast."""
ROUNDED = frozenset({"Resize", "Upsample"})
"""Operators whose sizes engines round in different ways: what our rule leaves unknown isn't taken from onnx's."""
_BINARY = (
    "Add Sub Mul Mod Pow BitShift BitwiseAnd BitwiseOr BitwiseXor Less Greater LessOrEqual GreaterOrEqual"
    " And Or Xor StringConcat"
)
OWN: dict[tuple[str, str], OwnRule] = {
    **{("", name): broadcasting(0, 1) for name in _BINARY.split()},
    **{("", name): broadcasting() for name in ("Max", "Mean", "Min", "Sum")},
    **{("com.microsoft", name): broadcasting(0, 3) for name in ("QLinearAdd", "QLinearMul")},
    ("com.microsoft", "QLinearWhere"): broadcasting(0, 1, 4),
    **{("", name): rule for name, rule in (ARITHMETIC | FLOW | LAYOUT).items()},
    ("", "Einsum"): einsum,
    ("", "Slice"): slice_,
}
"""Rules of our own; they call the library's for the types."""


def is_sound(domain: str, op_type: str) -> bool:
    """Return whether sizes count that onnx_shape_inference alone finds; engines' own operators have no other source."""
    return bool(domain) or op_type in _SOUND


def is_sound_in_onnx(domain: str, op_type: str) -> bool:
    """Return whether sizes count that onnx's own inference alone finds."""
    return domain == "" and op_type not in _WRONG_IN_ONNX
