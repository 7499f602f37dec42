"""Count a call of a torch operator as ptflops 0.7.5 does, as `profiling/conventions/ptflops.py` does for ONNX.

ptflops hooks modules and functions; here every operator counts as the module or function that calls it. Products,
convolutions with their biases, twice the elements of batch norms, elements of what pools read, of what activations make
and of what a softmax or a layer norm reads. What it passes over is 0: additions and other operations between tensors,
sigmoid, tanh, reductions, attention that is called as one function, and all that only moves numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.torch_frontend.aten.operations import OPERATIONS
from onnxtile.torch_frontend.aten.products import PRODUCTS, self_attention
from onnxtile.torch_frontend.aten.work import counted, unknown
from onnxtile.torch_frontend.trace.calls import Call, Value

_OF_STATE = {"RNN": 1, "RNNCell": 1, "GRU": 7, "GRUCell": 7, "LSTM": 5, "LSTMCell": 5}
"""Operations that rnn_flops counts for a number of the state, by the calls of tanh for it: two in an LSTM, else one."""
_GLOBAL_POOLS = ([-1, -2], [-1, -2, -3])
"""The axes by which torch spells adaptive average pools to one element, as a mean."""


def ptflops_macs(call: Call) -> Amount:
    """Return what ptflops counts for the call: 0 for what it passes over, Unknown where nobody knows the operator."""
    count = _COUNTS.get(call.operator.name)
    if count is not None:
        return counted(call, count)
    return 0 if call.operator.name in OPERATIONS else unknown(call)


def _product(call: Call) -> int:
    return sum(m * k * n * batch for m, k, n, batch in PRODUCTS[call.operator.name](call))


def _with_bias(call: Call) -> int:
    """Count as conv_flops_counter_hook: a bias for each output."""
    return _product(call) + (call.outputs[0].elements if isinstance(call.argument("bias"), Value) else 0)


def _addmm(call: Call) -> int:
    """Count as linear_flops_counter_hook: a bias for each output, for every row."""
    return _product(call) + (call.outputs[0].elements if call.argument("beta") != 0 else 0)


def _inputs(call: Call) -> int:
    """Count elements of the input: pools, softmax, silu, and LayerNorm, whose hook asks for an `affine` it hasn't."""
    return call.inputs[0].elements


def _outputs(call: Call) -> int:
    """Count as relu_flops_counter_hook and upsample_flops_counter_hook: elements of the output."""
    return call.outputs[0].elements


def _norm(call: Call) -> int:
    """Count as bn_flops_counter_hook: twice the elements where a scale and shift are learned."""
    return call.inputs[0].elements * (2 if isinstance(call.argument("weight"), Value) else 1)


def _tanh(call: Call) -> int:
    """Count in a recurrent layer whose operations torch calls what rnn_flops adds to products and biases."""
    return _outputs(call) * _OF_STATE.get(call.module.kind, 0)


def _mean(call: Call) -> int:
    pool = call.operator.overload == "dim" and call.argument("dim") in _GLOBAL_POOLS and call.argument("keepdim")
    return _inputs(call) if pool else 0


def _elementwise(call: Call) -> int:
    """Count in LocalResponseNorm, whose functions ptflops hooks, and MultiheadAttention, which scales queries."""
    return _outputs(call) if call.module.kind in ("LocalResponseNorm", "MultiheadAttention") else 0


def _attention(call: Call) -> int:
    """Count as multihead_attention_counter_hook: scaled queries, products, softmax; a mere function isn't hooked."""
    if call.module.kind != "MultiheadAttention":
        return 0
    query: Value = call.argument("query")
    return query.elements + _product(call) + math.prod(query.shape[:-1]) * call.shape("key")[-2]


def _fused_attention(call: Call) -> int:
    """Count a fused MultiheadAttention; of an encoder's layer also its norms, linear layers and activation."""
    queries, keys, values, out, scores, _ = self_attention(call)
    biases = sum(product.m * product.n for product in (queries, keys, values, out))
    count = _product(call) + biases + queries.m * queries.n + scores.m * scores.n * scores.batch
    if not call.operator.has("src"):
        return count
    size, inner = math.prod(call.shape("src")), queries.m * call.shape("ffn_weight_1")[0]
    return count + 3 * size + 2 * inner


def _rnn_layer(call: Call) -> int:
    """Count as rnn_flops: both weights, both biases and 10 a number of the state (LSTM), a step and sequence."""
    x, hidden = call.inputs[0].shape, int(call.argument("hidden_size"))
    biases = sum(value.elements for value in call.inputs[3:5]) if call.argument("has_biases") else 0
    return _product(call) + x[0] * x[1] * (10 * hidden + biases)


_COUNTS: Mapping[str, Callable[[Call], int]] = {
    f"aten.{name}": count
    for names, count in (
        ("convolution _convolution mkldnn_convolution linear mkldnn_linear", _with_bias),
        ("addmm baddbmm", _addmm),
        ("mm bmm mv addmv cudnn_convolution miopen_convolution", _product),
        ("native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm", _norm),
        ("native_group_norm", _norm),
        ("native_layer_norm _softmax _safe_softmax silu", _inputs),
        ("max_pool1d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices", _inputs),
        ("avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d _adaptive_avg_pool2d _adaptive_avg_pool3d", _inputs),
        ("adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d", _inputs),
        ("leaky_relu _prelu_kernel elu gelu", _outputs),
        ("upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d", _outputs),
        ("upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d", _outputs),
        ("relu", lambda call: _outputs(call) * _OF_STATE.get(call.module.kind, 1)),
        ("hardtanh", lambda call: _outputs(call) * ((call.argument("min_val"), call.argument("max_val")) == (0, 6))),
        ("tanh", _tanh), ("mean", _mean),
        ("mul add", _elementwise), ("mkldnn_rnn_layer", _rnn_layer),
        ("_native_multi_head_attention _transformer_encoder_layer_fwd", _fused_attention),
    )
    for name in names.split()
} | {name: _attention for name in PRODUCTS if "scaled_dot_product" in name}  # fmt: skip
