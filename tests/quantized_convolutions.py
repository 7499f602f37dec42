"""Convolutions of bytes by their specification, in numpy and int32; and models of one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from tests.support import Fed

MICROSOFT = "com.microsoft"
BYTES = (np.uint8, np.int8)


def convolved(
    x: np.ndarray, w: np.ndarray, x_zero: Any, w_zero: Any, *, strides: Sequence[int] = (),
    dilations: Sequence[int] = (), pads: Sequence[int] = (), group: int = 1,
) -> np.ndarray:  # fmt: skip
    """(X - zX) conv (W - zW) in int32; zW is one number, or one a filter."""
    axes = x.ndim - 2
    strides, dilations, pads = strides or [1] * axes, dilations or [1] * axes, pads or [0] * 2 * axes
    wide = x.astype(np.int32) - np.int32(x_zero)
    wide = np.pad(wide, [(0, 0), (0, 0), *zip(pads[:axes], pads[axes:], strict=True)])
    weight = w.astype(np.int32) - np.asarray(w_zero).astype(np.int32).reshape(-1, *[1] * (axes + 1))
    sizes = zip(wide.shape[2:], w.shape[2:], strides, dilations, strict=True)
    out = [(size - (taps - 1) * dilation - 1) // stride + 1 for size, taps, stride, dilation in sizes]
    y = np.zeros((x.shape[0], w.shape[0], *out), np.int32)
    channels, filters = x.shape[1] // group, w.shape[0] // group
    for tap in itertools.product(*map(range, w.shape[2:])):
        at = tuple(
            slice(place * dilation, place * dilation + (count - 1) * stride + 1, stride)
            for place, dilation, stride, count in zip(tap, dilations, strides, out, strict=True)
        )
        for index in range(group):
            ours = slice(index * filters, (index + 1) * filters)
            taken = wide[(slice(None), slice(index * channels, (index + 1) * channels), *at)]
            y[:, ours] += np.einsum("bc...,fc->bf...", taken, weight[(ours, slice(None), *tap)])
    return y


def requantized(total: np.ndarray, scale: Any, zero: Any) -> np.ndarray:
    """round(scale * total) + zero point, saturated; the scale is one float, or one a filter."""
    factor = np.asarray(scale, np.float32).reshape(-1, *[1] * (total.ndim - 2))
    info = np.iinfo(zero.dtype)
    rounded = np.rint(total.astype(np.float32) * factor).astype(np.float64)
    return np.asarray(np.clip(rounded + float(zero), info.min, info.max).astype(zero.dtype))


def model(
    op_type: str, x: np.ndarray, w: np.ndarray, *, domain: str = "", opset: int = 18, free: Sequence[int] = (),
    x_zero: Any = None, w_zero: Any = None, scales: tuple[Any, Any, Any] = (0.5, 0.25, 4.0), y_zero: Any = None,
    bias: np.ndarray | None = None, fed: bool = False, **attributes: Any,
) -> Fed:  # fmt: skip
    """ConvInteger or QLinearConv; `free`: axes of x whose sizes aren't declared; `fed`: all but x are inputs, too."""
    arrays: dict[str, np.ndarray | None] = {"x": x, "w": w, "xz": x_zero, "wz": w_zero}
    if op_type == "QLinearConv":
        sx, sw, sy = (np.asarray(scale, np.float32) for scale in scales)
        arrays = {"x": x, "sx": sx, "xz": x_zero, "w": w, "sw": sw, "wz": w_zero, "sy": sy, "yz": y_zero, "b": bias}
    given = {name: np.asarray(array) for name, array in arrays.items() if array is not None}
    names = ["" if array is None else name for name, array in arrays.items()]
    while not names[-1]:
        names.pop()
    inputs = given if fed else {"x": given["x"]}
    dims = {name: list(array.shape) for name, array in inputs.items()}
    dims["x"] = [f"n{axis}" if axis in free else size for axis, size in enumerate(x.shape)]
    data_type = onnx.TensorProto.INT32 if op_type == "ConvInteger" else helper.np_dtype_to_tensor_dtype(y_zero.dtype)
    graph = helper.make_graph(
        [helper.make_node(op_type, names, ["y"], "conv", domain=domain or None, **attributes)],
        "graph",
        [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(inputs[name].dtype), dims[name])
         for name in inputs],
        [helper.make_tensor_value_info("y", data_type, [f"o{axis}" for axis in range(x.ndim)])],
        [numpy_helper.from_array(array, name) for name, array in given.items() if name not in inputs],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return Fed(helper.make_model(graph, opset_imports=opsets, ir_version=8), dict(inputs))


def drawn(shape: Sequence[int], dtype: Any, seed: int) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Fed, np.ndarray]:
    """A node, and what it gives."""
    axes, group, few = draw(st.integers(1, 3)), draw(st.integers(1, 3)), st.integers(1, 3)
    strides, dilations, kernel = ([draw(few) for _ in range(axes)] for _ in range(3))
    pads = [draw(st.integers(0, 2)) for _ in range(2 * axes)]
    least = [(taps - 1) * dilation + 1 - front - back for taps, dilation, front, back in
             zip(kernel, dilations, pads[:axes], pads[axes:], strict=True)]  # fmt: skip
    lengths = [max(size, 1) + draw(st.integers(0, 2)) for size in least]
    channels, filters, seed = draw(few), group * draw(few), draw(st.integers(0, 99))
    x = drawn([draw(few), group * channels, *lengths], draw(st.sampled_from(BYTES)), seed)
    w = drawn([filters, channels, *kernel], draw(st.sampled_from(BYTES)), seed + 1)
    x_zero = draw(st.none() | st.just(drawn([], x.dtype, seed + 2)))
    w_zero = draw(st.none() | st.sampled_from([drawn([], w.dtype, seed + 3), drawn([filters], w.dtype, seed + 4)]))
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "pads": pads, "group": group}
    total = convolved(x, w, 0 if x_zero is None else x_zero, 0 if w_zero is None else w_zero, **attributes)
    how = {"fed": draw(st.booleans()), "opset": draw(st.sampled_from([11, 13, 18]))}
    how["free"] = sorted(draw(st.sets(st.sampled_from([0, *range(2, 2 + axes)])))) if draw(st.booleans()) else []
    if draw(st.booleans()):
        return model("ConvInteger", x, w, x_zero=x_zero, w_zero=w_zero, **attributes, **how), total
    bias = draw(st.none() | st.just(drawn([filters], np.int16, seed + 5).astype(np.int32)))
    sw = draw(st.sampled_from([np.float32(0.03), np.linspace(0.01, 0.05, filters).astype(np.float32)]))
    y_zero = drawn([], draw(st.sampled_from(BYTES)), seed + 6)
    total = total if bias is None else total + bias.reshape(-1, *[1] * axes)
    wanted = requantized(total, np.float32(0.02) * sw / np.float32(0.3), y_zero)
    zeros = [np.zeros((), x.dtype) if x_zero is None else x_zero, np.zeros((), w.dtype) if w_zero is None else w_zero]
    domain = draw(st.sampled_from(["", MICROSOFT]))
    if domain and (last := draw(st.booleans())):
        attributes["channels_last"] = int(last)
        x, wanted = np.moveaxis(x, 1, -1).copy(), np.moveaxis(wanted, 1, -1)
        how["free"] = [axis for axis in how["free"] if axis not in (x.ndim - 1,)]
    return model(
        "QLinearConv", x, w, domain=domain, x_zero=zeros[0], w_zero=zeros[1], scales=(0.02, sw, 0.3), y_zero=y_zero,
        bias=bias, **attributes, **how,
    ), wanted  # fmt: skip
