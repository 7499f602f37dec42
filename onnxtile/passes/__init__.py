"""The passes, one a file. Each is a frozen dataclass: its fields are its options."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.check_limits import CheckLimits
from onnxtile.passes.decompose_attention import DecomposeAttention
from onnxtile.passes.decompose_blockwise import DecomposeBlockwise
from onnxtile.passes.decompose_conv_transpose import DecomposeConvTranspose
from onnxtile.passes.decompose_convolution import DecomposeConvolution
from onnxtile.passes.decompose_einsum import DecomposeEinsum
from onnxtile.passes.decompose_experts import DecomposeExperts
from onnxtile.passes.decompose_fused import DecomposeFused
from onnxtile.passes.decompose_fused_convolution import DecomposeFusedConvolution
from onnxtile.passes.decompose_gemm import DecomposeGemm
from onnxtile.passes.decompose_linear import DecomposeLinear
from onnxtile.passes.decompose_projections import DecomposeProjections
from onnxtile.passes.decompose_qdq import DecomposeQdq
from onnxtile.passes.decompose_qdq_convolution import DecomposeQdqConvolution
from onnxtile.passes.decompose_quantized import DecomposeQuantized
from onnxtile.passes.decompose_quantized_convolution import DecomposeQuantizedConvolution
from onnxtile.passes.decompose_recurrent import DecomposeRecurrent
from onnxtile.passes.decompose_transforms import DecomposeTransforms
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.restore_products import RestoreProducts
from onnxtile.passes.specialize_functions import SpecializeFunctions
from onnxtile.passes.tile_matmul import TileMatMul
from onnxtile.passes.unroll_tiles import UnrollTiles

if TYPE_CHECKING:
    from onnxtile.profiling.annotate import Annotate as Annotate

__all__ = [
    "Annotate", "BindDims", "CheckLimits", "DecomposeAttention", "DecomposeBlockwise", "DecomposeConvTranspose",
    "DecomposeConvolution", "DecomposeEinsum", "DecomposeExperts", "DecomposeFused", "DecomposeFusedConvolution",
    "DecomposeGemm", "DecomposeLinear", "DecomposeProjections", "DecomposeQdq", "DecomposeQdqConvolution",
    "DecomposeQuantized", "DecomposeQuantizedConvolution", "DecomposeRecurrent", "DecomposeTransforms", "InferShapes",
    "RestoreProducts", "SpecializeFunctions", "TileMatMul", "UnrollTiles",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Import the pass that writes profiles into a model when it's asked for: profiling lies above the passes."""
    if name == "Annotate":
        return importlib.import_module("onnxtile.profiling.annotate").Annotate
    raise AttributeError(f"module 'onnxtile.passes' has no attribute {name!r}")
