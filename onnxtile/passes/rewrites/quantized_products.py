"""See products between quantizers as the products of integers that passes make of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx_ir as ir

from onnxtile.operators.contractions import Contraction
from onnxtile.passes.decompose_qdq import DecomposeQdq
from onnxtile.passes.decompose_qdq_convolution import DecomposeQdqConvolution
from onnxtile.tiling.limits import ProductLimits

PASSES = (DecomposeQdq(), DecomposeQdqConvolution())


def as_multiplied(products: Iterable[Contraction], model: ir.Model, limits: ProductLimits) -> Iterator[Contraction]:
    """Yield products with the types in which they're multiplied, which needn't be those of their nodes.

    Nothing is looked for where the limits don't depend on types.
    """
    for product in products:
        passes = (pass_ for pass_ in PASSES if limits.by_types and pass_.concerns(product.node, model))
        pass_ = next(passes, None)
        yield product if pass_ is None else pass_.as_multiplied(product)
