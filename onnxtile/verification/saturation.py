"""Find out whether onnxruntime computes products of 8-bit integers exactly on this processor.

Its kernels for uint8 by int8 add pairs of products in 16 bits where the processor has no instruction for 8-bit dot
products (AVX2 without VNNI), and such a sum saturates: [121, 131, 193, 243] by [-120, -92, 82, 114] gives 6195, not
16956. A product of int8 by int8 goes through the same kernels.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import onnx

from onnxtile.ir.opset_imports import canonical_domain
from onnxtile.verification.graphs import nodes_inside
from onnxtile.verification.integers import product
from onnxtile.verification.sessions import EngineError, guarded, onnxruntime_options, onnxruntime_session

SATURATES = "onnxruntime saturates 8-bit products on this processor"
EIGHT_BIT = frozenset(
    {
        *(("", op) for op in ("MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv")),
        *(("com.ms.internal.nhwc", op) for op in ("QLinearConv", "QLinearConvTranspose")),
        *(
            ("com.microsoft", op)
            for op in (
                "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QAttention", "QGemm",
                "QLinearConv", "QMoE", "QOrderedAttention", "QOrderedLongformerAttention", "QOrderedMatMul",
            )
        ),
    }
)  # fmt: skip
"""Operators, by domain and name, that multiply 8-bit integers; MatMulNBits and others do where an attribute says so."""
ACCURACY_OF_INTEGERS = 4
"""The `accuracy_level` at which products by packed weights multiply 8-bit integers."""
_SIZES = ((1, 4, 1), (2, 64, 16), (5, 131, 19))
"""M, K, N of the products that are tried: kernels take several at a time, and what is left over."""


@cache
def saturates() -> bool:
    """Return whether any of some 8-bit products comes out wrong in onnxruntime; it's found out once a process."""
    return any(not _right(*case) for case in _cases())


def judged_elsewhere(*models: onnx.ModelProto) -> bool:
    """Return whether onnxruntime can't judge these models here, since one holds an 8-bit product."""
    return any(map(holds_8_bit_products, models)) and saturates()


def holds_8_bit_products(model: onnx.ModelProto) -> bool:
    """Return whether an operator of the model multiplies 8-bit integers, in any body or function."""
    holders: Iterable[Any] = (model.graph, *model.functions)
    return any(_is_8_bit(inner) for holder in holders for node in holder.node for inner in nodes_inside(node))


def _is_8_bit(node: onnx.NodeProto) -> bool:
    domain, op = canonical_domain(node.domain), node.op_type
    if (domain, op) in EIGHT_BIT:
        return True
    levels = (attribute.i for attribute in node.attribute if attribute.name == "accuracy_level")
    return domain == "com.microsoft" and ACCURACY_OF_INTEGERS in levels


def _cases() -> Iterable[tuple[np.ndarray, np.ndarray, bool]]:
    """Operands, and whether the second is a constant, which onnxruntime packs when it loads the model."""
    yield np.array([[121, 131, 193, 243]], np.uint8), np.array([[-120], [-92], [82], [114]], np.int8), False
    random = np.random.default_rng(0)
    for first, second in (("uint8", "int8"), ("int8", "int8"), ("uint8", "uint8"), ("int8", "uint8")):
        for m, k, n in _SIZES:
            a, b = (_extreme(random, shape, kind) for shape, kind in (((m, k), first), ((k, n), second)))
            yield a, b, False
            yield a, b, True


def _extreme(random: np.random.Generator, shape: tuple[int, int], kind: str) -> np.ndarray:
    """Numbers near the ends of their type, whose products are large."""
    info = np.iinfo(kind)
    ends = np.where(random.integers(0, 3, shape) > 0, info.max, info.min)
    return np.asarray(np.clip(ends + random.integers(-9, 10, shape), info.min, info.max).astype(kind))


def _right(a: np.ndarray, b: np.ndarray, constant: bool) -> bool:
    """Return whether onnxruntime multiplies them exactly; also where it has no kernel for them."""
    arrays = {"a": a, "b": b}
    inputs = [onnx.helper.make_tensor_value_info(name, _type(array), array.shape) for name, array in arrays.items()]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "probe",
        inputs[: 1 if constant else 2],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT32, [len(a), b.shape[1]])],
        [onnx.numpy_helper.from_array(b, "b")] if constant else [],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 10)], ir_version=5)
    fed = {"a": a} if constant else arrays
    try:
        session = onnxruntime_session(model, onnxruntime_options())
        (result,) = guarded("onnxruntime", lambda: session.run(None, fed))
    except EngineError:
        return True
    return np.array_equal(result, product(a, b))


def _type(array: np.ndarray) -> int:
    return onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
