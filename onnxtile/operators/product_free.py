"""Operators that hold no matrix product, by domain: elementwise ones, sums, moves of data, bodies that are graphs.

What is neither here nor in the table is unknown: reports say so, and a test fails when onnx or onnxruntime has it.
Interpolations and pools add a few neighbours by weights that they make, element by element: no matrix product.
"""

from __future__ import annotations

PRODUCT_FREE: dict[str, frozenset[str]] = {
    domain: frozenset(names.split())
    for domain, names in {
        "": """
            Abs Acos Acosh Add Affine And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization
            Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike
            Ceil Celu CenterCropPad Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape
            Cos Cosh Crop CumProd CumSum DepthToSpace DequantizeLinear Det DisentangledAttention_TRT Div
            Dropout DynamicQuantizeLinear DynamicSlice EfficientNMS_TRT Elu Equal Erf Exp Expand EyeLike
            Flatten Floor GRUUnit Gather GatherElements GatherND Gelu GivenTensorFill GlobalAveragePool
            GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HammingWindow
            HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder ImageScaler
            InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
            Loop LpNormalization LpPool Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization
            MelWeightMatrix MemcpyFromHost MemcpyToHost Min Mish Mod Mul MultilevelCropAndResize_TRT
            Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional
            OptionalGetElement OptionalHasElement Or PRelu Pad ParametricSoftplus Pow PyramidROIAlign_TRT
            QuantizeLinear RMSNormalization RandomNormal RandomNormalLike RandomUniform RandomUniformLike
            Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
            ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize ReverseSequence RoiAlign
            RotaryEmbedding Round Scale ScaledTanh Scan Scatter ScatterElements ScatterND Selu SequenceAt
            SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap Shape
            Shrink Sigmoid Sign SimplifiedLayerNormalization Sin Sinh Size Slice Softmax
            SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze
            StringConcat StringNormalizer StringSplit Sub Sum SwiGLU Swish Tan Tanh TensorScatter
            TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample Where Xor
        """,
        "ai.onnx.ml": """
            ArrayFeatureExtractor Binarizer CastMap CategoryMapper DictVectorizer FeatureVectorizer Imputer
            LabelEncoder Normalizer OneHotEncoder Scaler TreeEnsemble TreeEnsembleClassifier
            TreeEnsembleRegressor ZipMap
        """,
        "ai.onnx.preview.training": """
            Adagrad Adam Momentum
        """,
        "com.microsoft": """
            ConvStateReplay GatherPacked PackedSparseAttentionIndexerMerge RMSNormRotary SpeculativePrefixCommit SwiGLU
            BeamSearch BiasAdd BiasDropout BiasGelu BiasSoftmax BiasSplitGelu BifurcationDetector
            BitmaskBiasDropout BitmaskDropout BranchwiseRMSNorm ComplexMul ComplexMulConj CropAndResize
            DequantizeBFP DequantizeLinear DequantizeWithOrder DynamicTimeWarping EmbedLayerNormalization
            EngramGate ExpandDims FastGelu GatedAdd GatedRMSNorm GatherBlockQuantized GatherND Gelu
            GemmaRotaryEmbedding GreedySearch GridSample GroupNorm HyperConnectionPreMix Inverse IsAllFinite
            LinearAttentionGate MRotaryEmbedding MaxpoolWithMask MulInteger MurmurHash3 NGramHashMapping
            NGramRepeatBlock NhwcMaxPool Pad QEmbedLayerNormalization QLinearAdd QLinearAveragePool
            QLinearConcat QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean
            QLinearSigmoid QLinearSoftmax QLinearWhere QOrderedGelu QOrderedLayerNormalization QuantizeBFP
            QuantizeLinear QuantizeWithOrder QuickGelu Range ReduceSumInteger RelativePositionBias
            RemovePadding RestorePadding RotaryEmbedding SampleOp Sampling ScaledSiLU SkipGroupNorm
            SkipLayerNormalization SkipSimplifiedLayerNormalization Tokenizer TorchEmbedding Trilu
            UnfoldTensor Unique VarlenNGramHashMapping WhisperBeamSearch
        """,
        "com.microsoft.nchwc": """
            AveragePool GlobalAveragePool GlobalMaxPool MaxPool ReorderInput ReorderOutput Upsample
        """,
        "com.ms.internal.nhwc": """
            AveragePool BatchNormalization DepthToSpace GlobalAveragePool GlobalLpPool GlobalMaxPool
            GridSample InstanceNormalization LRN LpPool MaxPool MaxUnpool QLinearAveragePool Resize
            SpaceToDepth
        """,
    }.items()
}
