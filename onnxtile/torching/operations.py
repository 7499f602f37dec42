"""What torch's operators compute beside the multiplications of products, with the formulas of ONNX's operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import onnx_ir as ir

from onnxtile.profiling.operators.elementwise import GELU, PER_ELEMENT, SILU, TANH_GELU
from onnxtile.profiling.operators.resampling import interpolated
from onnxtile.profiling.operators.work import COMPARISON, Operations, Work
from onnxtile.torching.calls import Call, Value
from onnxtile.torching.products import PRODUCTS, by_product

Count = Callable[[Call], Operations]
NOTHING = Operations()
_NO_NODE = ir.Node("", "Identity", [])
"""Work of one element has no measures, so no node is read."""


def times(elements: int, one: Operations) -> Operations:
    """So many times the operations of one element."""
    e, t, c, m = one.elementwise, one.transcendental, one.comparison, one.movement
    return Operations(e * elements, t * elements, c * elements, m * elements)  # type: ignore[operator]  # numbers


def _one(work: Work) -> Operations:
    return work.at(_NO_NODE, None)


def _of_result(one: Operations) -> Count:
    return lambda call: times(call.outputs[0].elements, one)


def _of_input(one: Operations) -> Count:
    return lambda call: times(call.inputs[0].elements, one)


def _names(names: str, count: Count) -> dict[str, Count]:
    return {f"aten.{name}": count for name in names.split()}


def _functions() -> dict[str, Count]:
    """Functions of one element, by the names that ONNX has for them."""
    own = {
        "Abs": "abs", "Neg": "neg", "Sign": "sign sgn", "Ceil": "ceil", "Floor": "floor trunc frac fix", "Round": "round",
        "Reciprocal": "reciprocal", "Not": "logical_not", "BitwiseNot": "bitwise_not", "Exp": "exp exp2 expm1",
        "Log": "log log2 log10 log1p", "Sqrt": "sqrt", "Erf": "erf erfc erfinv", "Sin": "sin", "Cos": "cos",
        "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Tanh": "tanh",
        "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Relu": "relu", "ThresholdedRelu": "threshold",
        "IsNaN": "isnan", "IsInf": "isinf isfinite isposinf isneginf signbit", "Sigmoid": "sigmoid",
        "Softplus": "softplus", "Softsign": "softsign", "LeakyRelu": "leaky_relu rrelu_with_noise _prelu_kernel",
        "Shrink": "softshrink hardshrink", "HardSigmoid": "hardsigmoid", "HardSwish": "hardswish", "Mish": "mish",
    }  # fmt: skip
    found: dict[str, Count] = {}
    for name, torch_names in own.items():
        found |= _names(torch_names, _of_result(_one(PER_ELEMENT[name])))
    return found


def softmax(size: int, sums: int, logarithm: bool = False) -> Operations:
    """Softmax of so many elements in so many sums."""
    return Operations(3 * size - sums, size + (sums if logarithm else 0), size - sums, 0)


def by_variance(size: int, rows: int, scaled: int) -> Operations:
    """Normalized by mean and variance; `scaled`: multiplications and additions behind that."""
    return Operations(5 * size + rows + scaled, rows, 0, 0)


def _elementwise(count: int) -> Operations:
    return Operations(elementwise=count)


def _softmax(call: Call) -> Operations:
    shape = call.inputs[0].shape
    size = math.prod(shape)
    length = shape[int(call.argument("dim"))] if shape else 1
    return softmax(size, size // length if length else 0, call.operator.name == "aten._log_softmax")


def _given(call: Call, name: str) -> int:
    """Elements of a tensor that may be left out."""
    value = call.argument(name)
    return value.elements if isinstance(value, Value) else 0


def _norm(call: Call) -> Operations:
    """layer_norm and group_norm: rows are those whose mean is the second result."""
    size = call.inputs[0].elements
    rows = call.outputs[1].elements if len(call.outputs) > 1 else 0
    if call.operator.name == "aten.native_layer_norm":
        rows = size // max(math.prod(call.argument("normalized_shape")), 1)
    scaled = sum(size for name in ("weight", "bias") if isinstance(call.argument(name), Value))
    return by_variance(size, rows, scaled)


def _rms_norm(call: Call) -> Operations:
    size = call.inputs[0].elements
    rows = size // max(math.prod(call.argument("normalized_shape")), 1)
    return Operations(3 * size + rows + (size if isinstance(call.argument("weight"), Value) else 0), rows, 0, 0)


def _batch_norm(call: Call) -> Operations:
    """For inference a multiplication and an addition an element; where statistics are taken of the input, 4 more."""
    size, channels = call.inputs[0].elements, call.inputs[0].shape[1]
    trained = call.operator.has("training") and bool(call.argument("training"))
    return Operations(6 * size + 10 * channels, channels, 0, 0) if trained else _elementwise(2 * size)


def _bias(call: Call) -> Operations:
    """A convolution's; a transposed one adds every element of its product to one of the result."""
    result = call.outputs[0].elements if isinstance(call.argument("bias"), Value) else 0
    if call.operator.has("transposed") and call.argument("transposed"):
        result += sum(product.m * product.n * product.batch for product in PRODUCTS[call.operator.name](call))
    return _elementwise(result)


def _affine(call: Call) -> Operations:
    """Addmm and its kind: alpha, and, where beta isn't 0, an addition for each result, and beta."""
    result, added = call.outputs[0].elements, 0
    alpha, beta = call.argument("alpha"), call.argument("beta")
    if beta != 0:
        added = result + (call.inputs[0].elements if beta != 1 else 0)
    work = _elementwise(added + (result if alpha != 1 else 0))
    if call.operator.name != "aten._addmm_activation":
        return work
    act = times(result, _one(TANH_GELU) if call.argument("use_gelu") else _one(COMPARISON))
    return _sum(work, act)


def _sum(*works: Operations) -> Operations:
    def all_of(kind: str) -> int:
        return sum(getattr(each, kind) for each in works)

    return Operations(all_of("elementwise"), all_of("transcendental"), all_of("comparison"), all_of("movement"))


def _attention(call: Call) -> Operations:
    """Queries and keys are scaled, scores masked and made weights by a softmax, as ONNX's Attention counts it."""
    query, key, _ = (call.argument(name) for name in ("query", "key", "value"))
    scores = math.prod(query.shape[:-1]) * key.shape[-2]
    masks = [name for name in ("attn_mask", "attn_bias") if call.operator.has(name)]
    masked = any(isinstance(call.argument(name), Value) for name in masks) or bool(call.argument("is_causal"))
    scaled = query.elements + key.elements + (scores if masked else 0)
    return _sum(_elementwise(scaled), softmax(scores, math.prod(query.shape[:-1])))


_GATES = {2: ("lstm", 4), 3: ("gru", 3), 0: ("relu", 1), 1: ("tanh", 1)}
"""Numbers that torch's kernels have for the kinds of recurrent layers, and how many gates each has."""


def recurrent(kind: str, cells: int, biased: bool) -> Operations:
    """So many numbers of the state, by ONNX's formulas: sums of gates, activations, and what makes a state of them."""
    gates = {"lstm": 4, "gru": 3}.get(kind, 1)
    sums = gates + (2 * gates if biased else 0) + {"lstm": 4, "gru": 5}.get(kind, 0)
    sigmoid, tanh = _one(PER_ELEMENT["Sigmoid"]), _one(PER_ELEMENT["Tanh"])
    acts = {"lstm": _sum(times(3, sigmoid), times(2, tanh)), "gru": _sum(times(2, sigmoid), tanh), "tanh": tanh}
    return times(cells, _sum(_elementwise(sums), acts.get(kind, _one(PER_ELEMENT["Relu"]))))


def _rnn_layer(call: Call) -> Operations:
    x, hidden = call.inputs[0].shape, int(call.argument("hidden_size"))
    kind, _ = _GATES[int(call.argument("mode"))]
    return recurrent(kind, x[0] * x[1] * hidden, bool(call.argument("has_biases")))


def _cudnn_rnn(call: Call) -> Operations:
    rows = math.prod(call.inputs[0].shape[:-1])
    kind, gates = _GATES[int(call.argument("mode"))]
    matrices = [weight.shape for weight in call.argument("weight") if len(weight.shape) == 2]
    cells = rows * sum(shape[0] // gates for shape in matrices) // 2
    return recurrent(kind, cells, int(call.argument("weight_stride0")) > 3)


def _reduced(one: Operations, whole: bool = False) -> Count:
    """N - 1 operations for each sum of n; a mean divides it too."""

    def count(call: Call) -> Operations:
        size = call.inputs[0].elements
        return times(size if whole else max(size - call.outputs[0].elements, 0), one)

    return count


def _variance(call: Call) -> Operations:
    """Mean, deviations, squares and their mean; std: a root."""
    size, sums = call.inputs[0].elements, call.outputs[0].elements
    return Operations(4 * size, sums if "std" in call.operator.name else 0, 0, 0)


def _norm_of_vectors(call: Call) -> Operations:
    size, sums = call.inputs[0].elements, call.outputs[0].elements
    order = call.argument("ord" if call.operator.has("ord") else "p")
    if order in (None, 2):
        return Operations(2 * size - sums, sums, 0, 0)
    if order == 1:
        return _elementwise(2 * size - sums)
    if isinstance(order, (int, float)) and math.isinf(order):
        return Operations(size, 0, size - sums, 0)
    return Operations(2 * size - sums, size + sums, 0, 0)


def _binary(call: Call) -> Operations:
    """Add and sub: alpha multiplies the other operand."""
    size = call.outputs[0].elements
    return _elementwise(2 * size if call.operator.has("alpha") and call.argument("alpha") != 1 else size)


def _power(call: Call) -> Operations:
    """By 2 or 3 it's multiplied out."""
    size, exponent = call.outputs[0].elements, call.argument("exponent")
    if exponent in (2, 3) and not isinstance(exponent, Value):
        return _elementwise(size * (int(exponent) - 1))
    return Operations(transcendental=size)


def _clamp(call: Call) -> Operations:
    names = [name for name in ("min", "max", "min_val", "max_val") if call.operator.has(name)]
    return Operations(comparison=call.outputs[0].elements * sum(call.argument(name) is not None for name in names))


def _elu(call: Call) -> Operations:
    """As ONNX's Elu; SELU and CELU, which torch calls with their scales, take 2 more."""
    plain = call.argument("scale") == 1 and call.argument("input_scale") == 1
    return times(call.outputs[0].elements, _one(PER_ELEMENT["Elu" if plain else "Selu"]))


def _gelu(call: Call) -> Operations:
    one = _one(TANH_GELU if call.argument("approximate") == "tanh" else GELU)
    return times(call.outputs[0].elements, one)


def _glu(call: Call) -> Operations:
    return times(call.outputs[0].elements, _sum(_one(PER_ELEMENT["Sigmoid"]), Operations(elementwise=1)))


def _pool(average: bool, axes: int) -> Count:
    """Windows of so many elements, which count whole at a border too."""

    def count(call: Call) -> Operations:
        kernel = list(call.argument("kernel_size"))
        window, size = math.prod(kernel * axes if len(kernel) == 1 else kernel), call.outputs[0].elements
        return _elementwise(size * window) if average else Operations(comparison=size * window - size)

    return count


def _adaptive(average: bool) -> Count:
    """Windows, which may overlap: from floor(i * in / out) to ceil((i + 1) * in / out) along each axis."""

    def count(call: Call) -> Operations:
        x, y = call.inputs[0].shape, call.outputs[0].shape
        axes = len(call.argument("output_size"))
        windows = math.prod(_taken(before, after) for before, after in zip(x[-axes:], y[-axes:], strict=True))
        taken = math.prod(x[:-axes]) * windows
        return _elementwise(taken) if average else Operations(comparison=taken - call.outputs[0].elements)

    return count


def _taken(before: int, after: int) -> int:
    """Elements in all windows along an axis."""
    return sum(-(-(place + 1) * before // after) - place * before // after for place in range(after))


def _resampled(taps: int) -> Count:
    """Interpolation along the axes whose sizes differ; nearest copies."""

    def count(call: Call) -> Operations:
        x, y = call.inputs[0].shape, call.outputs[0].shape
        size = call.outputs[0].elements
        axes = sum(before != after for before, after in zip(x[2:], y[2:], strict=True))
        return _elementwise(size * interpolated([taps] * axes)) if taps else Operations(movement=size)

    return count


def _cdist(call: Call) -> Operations:
    """By a product: squares of both operands and their sums, -2 times the product, two additions; a root."""
    a, b, result = call.inputs[0], call.inputs[1], call.outputs[0].elements
    rows, columns = (math.prod(each.shape[:-1]) for each in (a, b))
    if by_product(call):
        return Operations(2 * a.elements - rows + 2 * b.elements - columns + 3 * result, result, 0, 0)
    taken, order = result * a.shape[-1], float(call.argument("p"))
    powers = 0 if order in (1, 2) or math.isinf(order) else taken
    return Operations(3 * taken - result, powers + (result if order != 1 else 0), 0, 0)


def _weighted(call: Call) -> Operations:
    """lerp: a difference, a product, a sum; addcmul, addcdiv: two operations, and `value`."""
    return _elementwise(call.outputs[0].elements * 3)


def _scattered(call: Call) -> Operations:
    """The result is copied, and elements of `src` are put or added into it."""
    updates = call.inputs[-1].elements if len(call.inputs) > 2 else call.inputs[1].elements
    adds = any(word in call.operator.name for word in ("add", "reduce"))
    return Operations(updates if adds else 0, 0, 0, call.outputs[0].elements + (0 if adds else updates))


def _put(call: Call) -> Operations:
    """index_put: in place, elements of `values` are put or added."""
    size = _given(call, "values")
    return Operations(elementwise=size) if call.argument("accumulate") else Operations(movement=size)


def _bags(call: Call) -> Operations:
    """embedding_bag: rows are looked up and added; the mean divides them."""
    rows, width, bags = call.argument("indices").elements, call.argument("weight").shape[-1], call.outputs[0].elements
    mode = int(call.argument("mode"))
    if mode == 2:
        return Operations(comparison=max(rows * width - bags, 0), movement=rows * width)
    weighted = rows * width if isinstance(call.argument("per_sample_weights"), Value) else 0
    return Operations(weighted + max(rows * width - bags, 0) + (bags if mode == 1 else 0), 0, 0, rows * width)


_E, _T, _C, _M = (Operations(**{kind: 1}) for kind in ("elementwise", "transcendental", "comparison", "movement"))
_MOVED = _of_result(_M)
OPERATIONS: Mapping[str, Count] = {
    **_functions(),
    **_names("add sub rsub", _binary),
    **_names(
        "mul div floor_divide remainder fmod bitwise_and bitwise_or bitwise_xor logical_and logical_or logical_xor "
        "bitwise_left_shift bitwise_right_shift square __and__ __or__ __xor__ __lshift__ __rshift__ nan_to_num",
        _of_result(_E),
    ),
    **_names("eq ne lt le gt ge maximum minimum fmax fmin isclose heaviside copysign", _of_result(_C)),
    **_names(
        "atan2 hypot logaddexp logaddexp2 sinc lgamma digamma i0 special_i0 special_i0e special_ndtr "
        "special_entr special_log_ndtr float_power",
        _of_result(_T),
    ),
    **_names("rsqrt", _of_result(Operations(elementwise=1, transcendental=1))),
    **_names("log_sigmoid_forward", _of_result(Operations(elementwise=2, transcendental=2))),
    **_names("logit", _of_result(Operations(elementwise=2, transcendental=1))),
    **_names("deg2rad rad2deg", _of_result(_E)),
    **_names("silu", _of_result(_one(SILU))),
    "aten.gelu": _gelu, "aten.glu": _glu, "aten.elu": _elu, "aten.pow": _power,
    **_names("clamp clamp_min clamp_max hardtanh", _clamp),
    **_names("lerp addcmul addcdiv", _weighted),
    **_names("sum nansum prod logical_any logical_all", _reduced(_E)),
    **_names("amax amin max min argmax argmin any all aminmax equal", _reduced(_C)),
    "aten.mean": _reduced(_E, whole=True),
    **_names("var std var_mean std_mean", _variance),
    **_names("norm linalg_vector_norm", _norm_of_vectors),
    "aten.logsumexp": lambda call: Operations(
        3 * call.inputs[0].elements - call.outputs[0].elements, call.inputs[0].elements + call.outputs[0].elements,
        call.inputs[0].elements - call.outputs[0].elements, 0,
    ),
    **_names("cumsum cumprod", _of_result(_E)),
    **_names("_softmax _log_softmax _safe_softmax", _softmax),
    **_names("native_layer_norm native_group_norm", _norm),
    **_names("_fused_rms_norm rms_norm", _rms_norm),
    **_names(
        "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm "
        "miopen_batch_norm batch_norm_elemt _batch_norm_no_update _batch_norm_with_update",
        _batch_norm,
    ),
    **_names("convolution _convolution convolution_overrideable mkldnn_convolution", _bias),
    **_names("addmm baddbmm addbmm addmv addr _addmm_activation", _affine),
    **_names("linear mkldnn_linear", _bias),
    **_names("mm bmm mv dot vdot _int_mm _trilinear cudnn_convolution miopen_convolution _scaled_mm _grouped_mm "
             "_scaled_grouped_mm", lambda call: NOTHING),
    **{name: _attention for name in PRODUCTS if "attention" in name},
    "aten.mkldnn_rnn_layer": _rnn_layer,
    **_names("_cudnn_rnn miopen_rnn", _cudnn_rnn),
    "aten._cdist_forward": _cdist,
    **_names("max_pool1d_with_indices max_pool2d_with_indices", _pool(False, 2)),
    "aten.max_pool3d_with_indices": _pool(False, 3), "aten.max_pool1d": _pool(False, 1),
    "aten.avg_pool1d": _pool(True, 1), "aten.avg_pool2d": _pool(True, 2), "aten.avg_pool3d": _pool(True, 3),
    **_names("_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d", _adaptive(True)),
    **_names("adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d", _adaptive(False)),
    **_names(
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d "
        "_upsample_nearest_exact2d _upsample_nearest_exact3d", _resampled(0)),
    **_names("upsample_linear1d upsample_bilinear2d upsample_trilinear3d", _resampled(2)),
    **_names("upsample_bicubic2d", _resampled(4)),
    **_names(
        "cat stack clone copy _to_copy embedding index index_select gather take constant_pad_nd reflection_pad1d "
        "reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d repeat roll flip "
        "tril triu pixel_shuffle pixel_unshuffle channel_shuffle im2col zeros ones full zeros_like ones_like full_like "
        "new_zeros new_ones new_full eye arange linspace logspace fill zero where masked_fill contiguous tril_indices "
        "triu_indices rot90 diag_embed diagonal_copy narrow_copy slice_scatter select_scatter rand randn randint "
        "rand_like randn_like normal uniform bernoulli random exponential repeat_interleave scalar_tensor "
        "view_as_real_copy _reshape_copy complex polar max_unpool2d max_unpool3d _pad_circular masked_select "
        "split_with_sizes_copy unbind_copy expand_copy native_channel_shuffle index_fill one_hot hann_window unfold "
        "randperm _conj_physical conj_physical real imag angle",
        _MOVED,
    ),
    "aten.col2im": _of_input(_E),
    **_names("scatter scatter_add scatter_reduce index_add index_copy masked_scatter", _scattered),
    **_names("index_put _index_put_impl _unsafe_index_put", _put),
    "aten._embedding_bag_forward_only": _bags, "aten._embedding_bag": _bags,
    **_names("nonzero", lambda call: Operations(0, 0, call.inputs[0].elements, call.outputs[0].elements)),
    "aten._unsafe_index": _MOVED,
}  # fmt: skip
"""How to count each operator's operations."""
SILENT = frozenset(
    f"aten.{name}"
    for name in [
        "empty",
        "empty_like",
        "empty_strided",
        "new_empty",
        "new_empty_strided",
        "empty_permuted",
        "_local_scalar_dense",
        "sym_size",
        "sym_numel",
        "sym_stride",
        "sym_storage_offset",
        "is_same_size",
        "resize",
        "_assert_async",
        "_assert_scalar",
        "sym_constrain_range",
        "sym_constrain_range_for_size",
        "_assert_tensor_metadata",
        "is_nonzero",
        "item",
    ]
)
"""Operators that compute and move nothing."""
