"""Count what torch's operators compute beside the multiplications of products, by the formulas of ONNX's operators."""

from __future__ import annotations

from collections.abc import Mapping

from onnxtile.operators.elementwise import SILU
from onnxtile.operators.reduction import SORTED, softmax
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, NONE, TRANSCENDENTAL
from onnxtile.torch_frontend.aten import elementwise, layers, windows
from onnxtile.torch_frontend.aten.counting import Count, aten, named, of_input, of_result
from onnxtile.torch_frontend.aten.products import PRODUCTS

OPERATIONS: Mapping[str, Count] = {
    **elementwise.FUNCTIONS,
    **named("add sub rsub", elementwise.binary),
    **named(
        "mul div floor_divide remainder fmod bitwise_and bitwise_or bitwise_xor logical_and logical_or logical_xor "
        "bitwise_left_shift bitwise_right_shift square __and__ __or__ __xor__ __lshift__ __rshift__ nan_to_num "
        "deg2rad rad2deg cumsum cumprod",
        of_result(ELEMENTWISE),
    ),
    **named("eq ne lt le gt ge maximum minimum fmax fmin isclose heaviside copysign", of_result(COMPARISON)),
    **named(
        "atan2 hypot logaddexp logaddexp2 sinc lgamma digamma i0 special_i0 special_i0e special_ndtr "
        "special_entr special_log_ndtr float_power polygamma igamma igammac special_i1 special_i1e special_zeta "
        "special_ndtri special_erfcx special_airy_ai special_bessel_j0 special_bessel_j1 special_bessel_y0 "
        "special_bessel_y1 special_modified_bessel_i0 special_modified_bessel_i1 special_modified_bessel_k0 "
        "special_modified_bessel_k1 special_scaled_modified_bessel_k0 special_scaled_modified_bessel_k1 "
        "special_spherical_bessel_j0",
        of_result(TRANSCENDENTAL),
    ),
    **named("rsqrt", of_result(ELEMENTWISE + TRANSCENDENTAL)),
    **named("log_sigmoid_forward", of_result(2 * ELEMENTWISE + 2 * TRANSCENDENTAL)),
    **named("logit", of_result(2 * ELEMENTWISE + TRANSCENDENTAL)),
    **named("silu", of_result(SILU)),
    "aten.gelu": elementwise.gelu, "aten.glu": elementwise.glu, "aten.elu": elementwise.elu,
    "aten.pow": elementwise.power,
    **named("clamp clamp_min clamp_max hardtanh", elementwise.clamp),
    **named("lerp addcmul addcdiv", elementwise.weighted),
    **named("sum nansum prod logical_any logical_all", elementwise.reduced(ELEMENTWISE)),
    **named("amax amin max min argmax argmin any all aminmax", elementwise.reduced(COMPARISON)),
    "aten.equal": of_input(COMPARISON),
    "aten.mean": elementwise.reduced(ELEMENTWISE, whole=True),
    **named("var std var_mean std_mean", elementwise.variance),
    **named("norm linalg_vector_norm", elementwise.norm_of_vectors),
    "aten.logsumexp": lambda call: (
        softmax(call.inputs[0].elements, call.outputs[0].elements) + TRANSCENDENTAL * call.outputs[0].elements
    ),
    "aten._weight_norm_interface": lambda call: (
        3 * ELEMENTWISE * call.inputs[0].elements + TRANSCENDENTAL * call.inputs[1].elements
    ),  # v * (g / |v|)
    **named("_softmax _log_softmax _safe_softmax", elementwise.softmax_of),
    **named("native_layer_norm native_group_norm", layers.norm),
    **named("_fused_rms_norm rms_norm", layers.rms_norm),
    **named(
        "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm "
        "miopen_batch_norm batch_norm_elemt _batch_norm_no_update _batch_norm_with_update",
        layers.batch_norm,
    ),
    **named(
        "convolution _convolution convolution_overrideable mkldnn_convolution linear mkldnn_linear", layers.bias
    ),
    **named("addmm baddbmm addbmm addmv addr _addmm_activation", layers.affine),
    **named("mm bmm mv dot vdot _int_mm _trilinear cudnn_convolution miopen_convolution _scaled_mm _grouped_mm "
             "_scaled_grouped_mm", lambda call: NONE),
    **{name: layers.attention for name in PRODUCTS if "scaled_dot_product" in name},
    "aten._native_multi_head_attention": layers.self_attention_of,
    "aten._transformer_encoder_layer_fwd": layers.encoder_layer,
    "aten.mkldnn_rnn_layer": layers.rnn_layer,
    **named("_cudnn_rnn miopen_rnn", layers.cudnn_rnn),
    **named("_cdist_forward _euclidean_dist", windows.cdist),
    **named("max_pool1d_with_indices max_pool2d_with_indices", windows.pool(False, 2)),
    "aten.max_pool1d": windows.pool(False, 1), "aten.max_pool3d_with_indices": windows.pool(False, 3),
    **{f"aten.avg_pool{axes}d": windows.pool(True, axes) for axes in (1, 2, 3)},
    **named("_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d", windows.adaptive(True)),
    **named("adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d", windows.adaptive(False)),
    **named(
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d "
        "_upsample_nearest_exact2d _upsample_nearest_exact3d", windows.resampled(0),
    ),
    **named("upsample_linear1d upsample_bilinear2d upsample_trilinear3d", windows.resampled(2)),
    **named("upsample_bicubic2d", windows.resampled(4)),
    **named(
        "cat stack clone copy _to_copy embedding index index_select gather take constant_pad_nd reflection_pad1d "
        "reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d repeat roll flip "
        "tril triu pixel_shuffle pixel_unshuffle channel_shuffle im2col zeros ones full zeros_like ones_like full_like "
        "new_zeros new_ones new_full eye arange linspace logspace fill zero where masked_fill contiguous tril_indices "
        "triu_indices rot90 diag_embed diagonal_copy narrow_copy slice_scatter select_scatter rand randn randint "
        "rand_like randn_like normal uniform bernoulli random exponential repeat_interleave scalar_tensor "
        "view_as_real_copy _reshape_copy complex polar max_unpool2d max_unpool3d _pad_circular masked_select "
        "split_with_sizes_copy unbind_copy expand_copy native_channel_shuffle index_fill one_hot hann_window unfold "
        "randperm _conj_physical conj_physical real imag angle alias_copy as_strided_copy view_copy permute_copy "
        "squeeze_copy unsqueeze_copy t_copy transpose_copy unfold_copy slice_copy select_copy detach_copy block_diag "
        "diagonal_scatter as_strided_scatter _chunk_cat randint_like cauchy geometric log_normal "
        "_unsafe_index _pack_padded_sequence",
        of_result(MOVEMENT),
    ),
    "aten.col2im": of_input(ELEMENTWISE),
    **named("scatter scatter_add scatter_reduce index_add index_copy masked_scatter", windows.scattered),
    **named("index_put _index_put_impl _unsafe_index_put", windows.put),
    "aten._embedding_bag_forward_only": windows.bags, "aten._embedding_bag": windows.bags,
    **named("nonzero", lambda call: COMPARISON * call.inputs[0].elements + MOVEMENT * call.outputs[0].elements),
    **named(
        "topk sort argsort kthvalue median nanmedian mode _unique _unique2 unique_dim unique_consecutive searchsorted "
        "bucketize multinomial bincount histc isin",
        lambda call: SORTED + MOVEMENT * sum(value.elements for value in call.outputs),
    ),
}  # fmt: skip
"""How to count each operator's operations."""
SILENT = frozenset(
    [
        *aten(
            "empty empty_like empty_strided new_empty new_empty_strided empty_permuted _local_scalar_dense sym_size "
            "sym_numel sym_stride sym_storage_offset is_same_size resize _assert_async _assert_scalar "
            "sym_constrain_range sym_constrain_range_for_size _assert_tensor_metadata is_nonzero item"
        ),
        "profiler._record_function_enter", "profiler._record_function_enter_new", "profiler._record_function_exit",
        "prim.layout", "prim.device",
    ]
)  # fmt: skip
"""Operators that compute and move nothing."""
