"""The passes, one a file. Each is a frozen dataclass: its fields are its options."""

from __future__ import annotations

from onnxtile.passes.annotate import Annotate
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.check_limits import CheckLimits
from onnxtile.passes.decompose_attention import DecomposeAttention
from onnxtile.passes.decompose_blockwise import DecomposeBlockwise
from onnxtile.passes.decompose_einsum import DecomposeEinsum
from onnxtile.passes.decompose_fused import DecomposeFused
from onnxtile.passes.decompose_gemm import DecomposeGemm
from onnxtile.passes.decompose_qdq import DecomposeQdq
from onnxtile.passes.decompose_quantized import DecomposeQuantized
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.restore_products import RestoreProducts
from onnxtile.passes.specialize_functions import SpecializeFunctions
from onnxtile.passes.tile_matmul import TileMatMul
from onnxtile.passes.unroll_tiles import UnrollTiles

__all__ = [
    "Annotate", "BindDims", "CheckLimits", "DecomposeAttention", "DecomposeBlockwise", "DecomposeEinsum",
    "DecomposeFused", "DecomposeGemm", "DecomposeQdq", "DecomposeQuantized", "InferShapes", "RestoreProducts",
    "SpecializeFunctions", "TileMatMul", "UnrollTiles",
]  # fmt: skip
