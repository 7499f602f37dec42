"""Count as ptflops does: the `pytorch` backend of ptflops 0.7.5 (MIT), in terms of ONNX.

ptflops counts a network of torch, by hooks of its modules and of the functions that it knows; what it doesn't know is
nothing to it. So each operator stands for the module that torch exports as it, or for the function where there is no
such module. The names in parentheses are those of ptflops' functions in `pytorch_ops.py`, which are followed to the
letter, faults included.

- Its unit is whatever its hooks add up: multiply-accumulates of products, with one for each bias; elements of the
  *input* of pools; twice the elements of batch norms; elements of what follows ReLU's pattern.
- It divides what modules count by the batch, and what functions count it doesn't. Here nothing is divided: that's the
  same for a batch of one, with which it runs.
- It doesn't count, so 0 here: convolutions and products of quantized numbers, Einsum and Attention, additions and other
  operations between tensors (it hooks torch.add and torch.mul, but networks write `+` and `*`), Sigmoid, Tanh,
  HardSwish and other activations not listed below, RMS norm, reductions, and all that only moves numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from onnxtile.ir.arrays import read_array
from onnxtile.ir.attributes import (
    UnsizedError,
    attribute_float,
    attribute_int,
    attribute_ints,
    attribute_string,
    given,
    input_of,
)
from onnxtile.ir.constants import OVERRIDABLE_FROM, constant_tensor
from onnxtile.ir.symbolic.amounts import Amount, Number, Unknown, product, total
from onnxtile.operators.measures import input_sizes, output_sizes
from onnxtile.operators.table import OPERATORS
from onnxtile.profiling.results import NodeProfile, Profile

_SOFTMAX_OF_ONE_AXIS = 13
"""From this opset on, Softmax is along one axis, as torch's is."""
_POOLS = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
_TORCH = "torch"
_TORCH_POOLS = {f"{kind}Pool{axes}d" for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg") for axes in (1, 2, 3)}
_TORCH_MODULES = {*_TORCH_POOLS, "ReLU", "PReLU", "ELU", "GELU", "Upsample"}
"""Modules of torch that ptflops hooks as well as the functions that they call."""
_IN_ATTENTION = {"bmm", "baddbmm", "_softmax"}
"""Functions that MultiheadAttention calls and that ptflops hooks as well."""
_MODULES_OR_FUNCTIONS = ("Relu", "Elu", "PRelu", "Gelu", "Resize", "Upsample")


def ptflops_macs(node: ir.Node, opset: int | None = None) -> Amount:
    """Return what ptflops counts for the node, in one run: 0 for what it passes over.

    `opset`: the version of the default operator set, the newest if left out. Unknown where a size isn't known, and for
    operators outside ai.onnx, which no module of torch's is exported as.
    """
    if node.domain:
        return Unknown(f"ptflops counts modules of torch, and none is exported as {node.domain} {node.op_type}")
    if ("", node.op_type) not in OPERATORS:
        return Unknown(f"{node.op_type} isn't among the operators known of ai.onnx")
    count = _COUNTS.get(node.op_type)
    if count is None or (node.op_type == "Softmax" and opset is not None and opset < _SOFTMAX_OF_ONE_AXIS):
        return 0  # the older Softmax is torch.softmax of a flattened tensor, which isn't hooked
    try:
        return count(node)
    except UnsizedError as why:
        return Unknown(str(why))


def ptflops_total(profile: Profile, activation_modules: bool = False) -> Amount:
    """Return the total that ptflops prints, which counts some nodes twice: modules whose `forward` calls a function
    that it hooks as well. Pools are such modules.

    `activation_modules`: ReLU, ELU, PReLU, GELU and resizing are modules too, as onnx2torch makes them; else they are
    functions, as in torchvision's GoogLeNet. A file of ONNX doesn't tell; a network of torch does. `profile`: one in
    the convention `ptflops`.
    """
    twice = (*_POOLS, *_MODULES_OR_FUNCTIONS) if activation_modules else _POOLS
    rows = [row for row in profile.nodes if (not row.domain and row.op in twice) or _is_twice_in_torch(row)]
    return total([profile.totals.macs, *(row.macs for row in rows)])


def _is_twice_in_torch(row: NodeProfile) -> bool:
    called = row.name.rpartition("/")[2].partition(".")[0]
    inside = row.op == "MultiheadAttention" and called in _IN_ATTENTION
    return row.domain == _TORCH and (row.op in _TORCH_MODULES or inside)


def _conv(node: ir.Node) -> Amount:
    """Conv1d to Conv3d (conv_flops_counter_hook): the kernels at every output position, and a bias for each output."""
    weight, result = input_sizes(node, 1, 3), output_sizes(node, 3)
    return total([product([*weight, result[0], *result[2:]]), _bias(node, 2, result)])


def _conv_transpose(node: ir.Node) -> Amount:
    """ConvTranspose1d to 3d (conv_flops_counter_hook, transpose=True): the kernels at every input position."""
    x, weight = input_sizes(node, 0, 3), input_sizes(node, 1, 3)
    kernels = product([*weight, x[0], *x[2:]])
    return total([kernels, _bias(node, 2, output_sizes(node))]) if given(node, 2) else kernels


def _deform_conv(node: ir.Node) -> Amount:
    """DeformConv2d (deformable_conv_flops_counter_hook): as Conv, and 24 a kernel tap and output position for its
    coordinates and interpolation, 25 with a mask.
    """
    weight, result = input_sizes(node, 1, 3), output_sizes(node, 3)
    of_tap = total([product(weight[:2]), 25 if given(node, 4) else 24])
    return total([product([of_tap, *weight[2:], result[0], *result[2:]]), _bias(node, 3, result)])


def _bias(node: ir.Node, index: int, result: list[Number]) -> Amount:
    return product(result) if given(node, index) else 0


def _linear(node: ir.Node) -> Amount:
    """Linear (linear_flops_counter_hook): inputs times outputs, and a bias for each output, for every row."""
    a, (rows, columns) = input_sizes(node, 0, 2), output_sizes(node, 2)[:2]
    k = a[0] if attribute_int(node, "transA", 0) else a[1]
    return product([total([product([k, columns]), columns if given(node, 2) else 0]), rows])


def _matmul(node: ir.Node) -> Amount:
    """torch.matmul (_matmul_tensor_flops_hook): elements of the first times columns of the second, whose batch it
    doesn't see, and whose length it takes for columns where it's a vector.
    """
    return product([*input_sizes(node, 0), input_sizes(node, 1, 1)[-1]])


def _affine_norm(node: ir.Node) -> Amount:
    """BatchNorm, InstanceNorm, GroupNorm (bn_flops_counter_hook): two an element, with scale and shift."""
    return product([2, *input_sizes(node, 0)])


def _input_elements(node: ir.Node) -> Amount:
    """LayerNorm (bn_flops_counter_hook: it asks for `affine`, which LayerNorm calls another name); pools without
    padding (pool_flops_counter_hook); softmax and silu (_numel_functional_flops_hook).
    """
    return product(input_sizes(node, 0))


def _output_elements(node: ir.Node) -> Amount:
    """ReLU and those like it (relu_flops_counter_hook), Upsample (upsample_flops_counter_hook)."""
    return product(output_sizes(node))


def _pool(node: ir.Node) -> Amount:
    """MaxPool, AvgPool (pool_flops_counter_hook): elements of the input. torch's pools pad alike on both sides; with
    other padding the input is padded before (onnx2torch), and counts as it is then.
    """
    sizes = input_sizes(node, 0, 2)
    before, behind = _pads(node, sizes[2:])
    if before == behind:
        return product(sizes)
    return product([*sizes[:2], *map(sum, zip(sizes[2:], before, behind, strict=True))])


def _pads(node: ir.Node, lengths: list[Number]) -> tuple[list[int], list[int]]:
    """Return the padding before and behind each axis, as the node says or as its `auto_pad` makes it."""
    axes, auto_pad = len(lengths), attribute_string(node, "auto_pad", "NOTSET")
    if not auto_pad.startswith("SAME"):
        pads = list(attribute_ints(node, "pads", ()) if auto_pad == "NOTSET" else ()) or [0] * (2 * axes)
        if len(pads) != 2 * axes:
            raise UnsizedError(f"pads has {len(pads)} numbers, not {2 * axes}")
        return pads[:axes], pads[axes:]
    names = ("kernel_shape", "strides", "dilations")
    kernel, strides, dilations = (attribute_ints(node, name, ()) or [1] * axes for name in names)
    if not len(kernel) == len(strides) == len(dilations) == axes or min(strides) < 1:
        raise UnsizedError("its kernel, strides and dilations don't go with its axes")
    pads = []
    for axis, length in enumerate(lengths):
        if not isinstance(length, int):
            raise UnsizedError(f"auto_pad pads axis {axis + 2}, whose length {length} isn't a number")
        extent = (kernel[axis] - 1) * dilations[axis] + 1
        pads.append(max(0, (-(-length // strides[axis]) - 1) * strides[axis] + extent - length))
    return [pad // 2 for pad in pads], [pad - pad // 2 for pad in pads]


def _lp_pool(node: ir.Node) -> Amount:
    """LPPool (it calls avg_pool, relu and mul: _numel_functional_flops_hook, _elementwise_tensor_flops_hook)."""
    return total([product(input_sizes(node, 0)), product([2, *output_sizes(node)])])


def _local_response_norm(node: ir.Node) -> Amount:
    """LocalResponseNorm (it calls mul, mul and add, and avg_pool of the squares, whose channels are padded)."""
    sizes = input_sizes(node, 0, 2)
    padded = [sizes[0], sizes[1] + attribute_int(node, "size", 1) - 1, *sizes[2:]]
    return total([product([3, *sizes]), product(padded)])


def _clip(node: ir.Node) -> Amount:
    """ReLU6 (relu_flops_counter_hook), which is exported as Clip; any other is torch.clamp, which isn't hooked."""
    return _output_elements(node) if [_bound(node, "min", 1), _bound(node, "max", 2)] == [0, 6] else 0


def _bound(node: ir.Node, name: str, index: int) -> float | None:
    if name in node.attributes:
        return attribute_float(node, name, 0)
    tensor = constant_tensor(input_of(node, index), OVERRIDABLE_FROM)
    known = tensor is not None and tensor.size == 1 and (tensor.dtype.is_floating_point() or tensor.dtype.is_integer())
    return float(read_array(tensor).reshape(-1)[0]) if tensor is not None and known else None


def _recurrent(of_state: int) -> Callable[[ir.Node], Amount]:
    """RNN, LSTM, GRU (rnn_flops_counter_hook, rnn_flops): both weights, both biases, and `of_state` operations a number
    of the state, in every step of every sequence and direction.
    """

    def count(node: ir.Node) -> Amount:
        x, w, r = (input_sizes(node, index, 3) for index in range(3))
        biases = input_sizes(node, 3, 1)[-1] if given(node, 3) else 0
        step = total([product(w[1:]), product(r[1:]), product([of_state, r[-1]]), biases])
        return product([x[0], x[1], w[0], step])

    return count


_COUNTS: Mapping[str, Callable[[ir.Node], Amount]] = {
    "Conv": _conv, "ConvTranspose": _conv_transpose, "DeformConv": _deform_conv, "Gemm": _linear, "MatMul": _matmul,
    "BatchNormalization": _affine_norm, "InstanceNormalization": _affine_norm, "GroupNormalization": _affine_norm,
    "LayerNormalization": _input_elements, "LRN": _local_response_norm,
    "MaxPool": _pool, "AveragePool": _pool, "LpPool": _lp_pool,
    "GlobalMaxPool": _input_elements, "GlobalAveragePool": _input_elements,
    **dict.fromkeys(("Relu", "LeakyRelu", "PRelu", "Elu", "Gelu", "Resize", "Upsample"), _output_elements),
    "Clip": _clip, "Softmax": _input_elements, "Swish": _input_elements,
    "RNN": _recurrent(1), "GRU": _recurrent(7), "LSTM": _recurrent(10),
}  # fmt: skip
