"""Faults in our own lowerings that keep their metadata: what a pass that goes wrong once would leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.faults import operators, tiles
from tests.faults.cases import Case
from tests.faults.fault import SIZES, feeds
from tests.faults.forgery import F32, Build, Forgery, W, X, in_lowered, text
from tests.faults.written import (
    Edit,
    Written,
    at,
    becomes,
    before,
    behind,
    both,
    bypassed,
    constant,
    exchange,
    reads,
)  # fmt: skip

Tensor = onnx.TensorProto


def fed(case: Case) -> dict[str, np.ndarray]:
    return feeds(case.original, seed=7, **SIZES)


def of(case: Case, engine: str = "onnxruntime", **titles: Any) -> list[Forgery]:
    """`titles`: edits by their titles, with _ for a space."""
    edits = {title.replace("_", " "): edit for title, edit in titles.items()}
    return in_lowered(edits, case, fed(case), engine)


def without_metadata(put: Edit) -> Edit:
    """The edit, and then no word of ours is left."""

    def change(written: Written) -> list[str]:
        touched = put(written)
        for holder in written.holders():
            for node in holder.node:
                del node.metadata_props[:]
        return touched

    return change


def all_renamed(put: Edit) -> Edit:
    """The edit, and then every value that the lowering made has another name."""

    def change(written: Written) -> list[str]:
        touched = put(written)
        graph = written.model.graph
        kept = {value.name for value in (*graph.input, *graph.output)} | {""}
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [name if name in kept else f"v{hash_of(name)}" for name in names]
        for tensor in graph.initializer:
            tensor.name = f"v{hash_of(tensor.name)}"
        del graph.value_info[:]
        return touched

    return change


def hash_of(name: str) -> str:
    return name.encode().hex()[::-1]


def scaled(factor: float) -> Any:
    return lambda array: (array * factor).astype(array.dtype)


HALF, MORE = np.array(0.5, F32), np.array(1.01, F32)
GEMM, EVEN = tiles.GEMM, tiles.EVEN
ROUND = behind("fc/m0_n0", "Round")
UNROLLED = [
    *of(
        EVEN,
        a_tile_counts_twice_and_its_double_is_halved_by_half_a_percent_less=both(
            behind("fc/m0_n0_k0", "Mul", np.array(1.99, F32)), behind("fc/m0_n0_k0", "Mul", HALF)
        ),
        one_tile_is_rounded=ROUND,
        one_tile_is_rounded_and_nothing_says_what_it_is=without_metadata(ROUND),
        one_tile_is_rounded_and_everything_has_another_name=all_renamed(ROUND),
        one_tile_is_dropped_and_everything_has_another_name=all_renamed(reads("fc/m0", 1, "fc/m0_n0")),
        a_partial_sum_is_missing_and_nothing_says_what_it_is=without_metadata(bypassed("fc/m0_n0")),
        one_partial_product_is_kept_in_float16=both(
            behind("fc/m0_n0_k0", "Cast", to=TensorProto.FLOAT), behind("fc/m0_n0_k0", "Cast", to=TensorProto.FLOAT16)
        ),
        a_tile_has_a_million_added_and_taken_off=both(
            behind("fc/m0_n0_k0", "Sub", np.array(2**22, F32)), behind("fc/m0_n0_k0", "Add", np.array(2**22, F32))
        ),
        one_tile_is_added_to_its_negative_and_again=both(
            behind("fc/m1_n1_k0", "Abs"), behind("fc/m1_n1_k0", "Neg")
        ),
        a_weights_tile_is_turned_by_half=constant("w/k0_n0", lambda a: a[::-1, ::-1]),
        a_weights_tile_is_another_tiles=constant("w/k0_n0", lambda a: a[:, [1, 2, 3, 0]]),
        the_last_ragged_tile_of_the_weight_is_read_from_one_row_before=constant("w/k2_n1", lambda a: a[::-1]),
        the_last_ragged_tile_of_A_is_exchanged=before("fc/m1_n1_k2", 0, "Gather", np.array([1, 0]), axis=1),
        the_rows_of_the_last_tile_are_turned_round=before("y", 1, "Gather", np.array([3, 2, 1, 0]), axis=0),
        two_partial_products_are_multiplied=becomes("fc/m1_n1", "Mul"),
        a_sum_of_two_became_the_larger=becomes("fc/m1_n1", "Max"),
        a_tile_is_read_from_the_product_of_magnitudes=before("fc/m1_n0_k1", 0, "Abs"),
        a_tile_of_A_is_relu_d=before("fc/m1_n0_k1", 0, "Relu"),
        a_tiles_product_is_cut_at_a_number_nobody_reaches_but_one=behind("fc/m0_n1_k1", "Min", np.array(2, F32)),
    ),
    *of(
        GEMM,
        the_bias_is_halved_twice=constant("fc/bias", scaled(0.25)),
        alpha_is_negative=constant("fc/alpha", scaled(-1)),
        alpha_is_applied_to_one_tile_twice=behind("fc/m0_n0_k0", "Mul", "fc/alpha"),
        alpha_is_squared=behind("fc/scaled", "Mul", "fc/alpha"),
        one_element_of_the_bias_is_anothers=constant("fc/bias", lambda a: a.reshape(-1)[[0, 1, 2, 3, 4, 6, 5]]),
        the_bias_is_rounded_to_tenths=constant("fc/bias", lambda a: np.round(a, 1)),
        alpha_is_applied_behind_the_bias_once_more=behind("fc/biased", "Mul", "fc/alpha"),
        the_edge_of_the_weight_has_one_more_zero=constant("w/k2_n1", at(np.s_[-1, -1], np.zeros_like)),
    ),
]  # fmt: skip

OTHERS = [
    *of(
        operators.BYTES,
        a_tile_of_bytes_is_clipped=behind(
            "fc/product/m0_n0_k0", "Clip", np.array(-20000, np.int32), np.array(20000, np.int32)
        ),
        a_sum_of_bytes_is_taken_off=becomes("fc/product/m1_n0", "Sub"),
        the_correction_for_Bs_zero_points_is_negated=behind("fc/less_a", "Neg"),
    ),
    *of(
        operators.EINSUM,
        an_Einsums_result_is_rounded=behind("fc/m0", "Round"),
        an_Einsums_heads_are_exchanged=behind("fc/result_0_reshape", "Gather", np.array([1, 0, 2]), axis=2),
    ),
    *of(
        operators.FUSED_GEMM,
        the_activation_is_applied_twice=behind("fc/activated", "LeakyRelu", alpha=0.1),
        the_activation_is_Relu=becomes("fc/activated", "Relu"),
    ),
    *of(
        operators.PACKED,
        two_tiles_of_packed_codes_are_exchanged=exchange("fc/m0_n0_k0", "fc/m0_n0_k1", 1),
        the_zero_points_of_two_blocks_are_exchanged=exchange("fc/m0_n0_k0", "fc/m0_n0_k1", 3),
        a_packed_products_tile_is_rounded=behind("fc/m1_n1_k0", "Round"),
    ),
    *of(
        operators.ATTENTION,
        attentions_values_are_taken_in_reverse=behind("attn/KAttentionInput", "Neg"),
        attentions_scores_are_rounded=before("attn/AttnWeightSoftmax", 0, "Round"),
        attentions_weights_are_limited_to_a_half=behind("attn/AttnWeightSoftmax", "Min", HALF),
        attentions_scale_is_applied_twice=behind("attn/CalculatedScale", "Mul", np.array([0.9], F32)),
        attentions_softmax_is_Hardmax=becomes("attn/AttnWeightSoftmax", "Hardmax"),
    ),
    *of(operators.QDQ, the_scale_between_quantizers_is_a_hundredth_more=constant("fc/scaled_right", scaled(1.01))),
    *of(operators.DYNAMIC, the_dynamic_products_scale_is_a_hundredth_more=behind("fc/biased", "Mul", MORE)),
]  # fmt: skip


def narrow(codes: np.ndarray, data_type: int) -> Tensor:
    """A constant of half-byte numbers."""
    return helper.make_tensor("q", data_type, codes.shape, codes.ravel().tolist())


def int4(codes: np.ndarray, data_type: int = TensorProto.INT4) -> Build:
    build = text("(float[2,4] x) => (float[2,4] y) { k = Identity (x)  d = DequantizeLinear (q, s)  y = MatMul (k, d) }",
                 '<ir_version: 10, opset_import: ["" : 21]> g ', s=F32(0.5), q=np.zeros((4, 4), np.int8))  # fmt: skip

    def make() -> onnx.ModelProto:
        model = build()
        kept = [tensor for tensor in model.graph.initializer if tensor.name != "q"]
        del model.graph.initializer[:]
        model.graph.initializer.extend([*kept, narrow(codes, data_type)])
        return model

    return make


CODES = np.arange(16).reshape(4, 4) % 8
HALVES = [
    Forgery("the two codes in each byte of an int4 weight change places", int4(CODES),
            int4(CODES.reshape(4, 2, 2)[:, :, ::-1].reshape(4, 4)), {"x": X[:, :4]}),
    Forgery("one code of an int4 weight is another", int4(CODES), int4(CODES ^ (np.arange(16).reshape(4, 4) == 5)),
            {"x": X[:, :4]}),
    Forgery("codes of 8 and more are read as int4 in place of uint4", int4(CODES + 8, TensorProto.UINT4),
            int4(CODES - 8), {"x": X[:, :4]}),
]  # fmt: skip


def external() -> Build:
    """A weight whose bytes say that they are of another type."""

    def make() -> onnx.ModelProto:
        model = text("(int32[2,8] x) => (int32[2,4] y) { y = MatMul (x, w) }", w=np.zeros((8, 4), np.int32))()
        tensor = numpy_helper.from_array(W.view(np.int32), "w")
        model.graph.initializer[0].CopyFrom(tensor)
        return model

    return make


BITS = [
    Forgery("a float weight's bits are read as int32", text(
        "(int32[2,8] x) => (int32[2,4] y) { c = Cast <to = 6> (w)  y = MatMul (x, c) }", w=W * 100), external(),
        {"x": np.arange(16, dtype=np.int32).reshape(2, 8)}),
]  # fmt: skip

FORGERIES = [*UNROLLED, *OTHERS, *HALVES, *BITS]
