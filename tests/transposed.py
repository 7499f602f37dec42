"""ConvTranspose by its specification, in numpy; and models of one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from tests.support import Fed


def transposed(
    x: np.ndarray, w: np.ndarray, strides: Sequence[int], dilations: Sequence[int], begins: Sequence[int],
    output: Sequence[int], group: int = 1,
) -> np.ndarray:  # fmt: skip
    """y[b, f, stride * i + dilation * t - begin] += x[b, c, i] * w[c, f, t], for all i and t that fall into y."""
    channels, filters = x.shape[1] // group, w.shape[1]
    y = np.zeros((x.shape[0], group * filters, *output), x.dtype)
    for at in itertools.product(*map(range, x.shape[2:])):
        for tap in itertools.product(*map(range, w.shape[2:])):
            place = tuple(np.array(strides) * at + np.array(dilations) * tap - np.array(begins))
            if not all(0 <= index < size for index, size in zip(place, output, strict=True)):
                continue
            for index in range(group):
                of = slice(index * channels, (index + 1) * channels)
                added = x[(slice(None), of, *at)] @ w[(of, slice(None), *tap)]
                y[(slice(None), slice(index * filters, (index + 1) * filters), *place)] += added
    return y


def model(
    x: Sequence[int], w: Sequence[int], *, bias: bool = True, opset: int = 20, free: Sequence[int] = (),
    fed: bool = False, dtype: Any = np.float32, **attributes: Any,
) -> Fed:  # fmt: skip
    """ConvTranspose of whole numbers; `free`: axes of x whose sizes aren't declared; `fed`: so are weight and bias."""
    rng, data_type = np.random.default_rng(1), helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    shapes = {"x": list(x), "w": list(w)} | ({"b": [w[1] * attributes.get("group", 1)]} if bias else {})
    arrays = {name: rng.integers(-3, 4, shape).astype(dtype) for name, shape in shapes.items()}
    inputs = {"x": [f"n{axis}" if axis in free else size for axis, size in enumerate(x)]}
    inputs |= {name: shape for name, shape in shapes.items() if fed and name != "x"}
    graph = helper.make_graph(
        [helper.make_node("ConvTranspose", list(arrays), ["y"], "up", **attributes)],
        "graph",
        [helper.make_tensor_value_info(name, data_type, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", data_type, [f"o{axis}" for axis in range(len(x))])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items() if name not in inputs],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(made)
    return Fed(made, {name: arrays[name] for name in inputs})


def expected(case: Fed) -> np.ndarray:
    """Return what the case's node gives, by the model in numpy: pads written out, as `cases` draws them."""
    (node,) = case.model.graph.node
    arrays = case.feeds | {tensor.name: numpy_helper.to_array(tensor) for tensor in case.model.graph.initializer}
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    x, w = arrays["x"], arrays["w"]
    axes = x.ndim - 2
    strides, dilations = (attributes.get(name, [1] * axes) for name in ("strides", "dilations"))
    pads, more = attributes.get("pads", [0] * 2 * axes), attributes.get("output_padding", [0] * axes)
    output = [
        stride * (length - 1) + extra + (taps - 1) * dilation + 1 - begin - end
        for stride, length, extra, taps, dilation, begin, end in zip(
            strides, x.shape[2:], more, w.shape[2:], dilations, pads[:axes], pads[axes:], strict=True
        )
    ]
    y = transposed(x, w, strides, dilations, pads[:axes], output, attributes.get("group", 1))
    return y + arrays["b"].reshape(-1, *[1] * axes) if "b" in arrays else y


@st.composite
def cases(draw: st.DrawFn) -> Fed:
    """Nodes of all attributes but auto_pad and output_shape."""
    axes, opset = draw(st.integers(1, 3)), draw(st.sampled_from([9, 11, 13, 18, 20]))
    group = draw(st.integers(1, 3))
    few = st.integers(1, 3)
    strides, dilations, kernel, lengths = ([draw(few) for _ in range(axes)] for _ in range(4))
    extra = [
        draw(st.integers(0, max(stride, dilation) - 1)) for stride, dilation in zip(strides, dilations, strict=True)
    ]
    pads = []
    for axis in range(axes):
        left = strides[axis] * (lengths[axis] - 1) + dilations[axis] * (kernel[axis] - 1) + extra[axis]
        begin = draw(st.integers(0, min(left, 3)))
        pads.append((begin, draw(st.integers(0, min(left - begin, 3)))))
    channels = group * draw(few)
    free = {axis for axis in range(2 + axes) if axis != 1 and draw(st.booleans())} if draw(st.booleans()) else ()
    return model(
        [draw(few), channels, *lengths],
        [channels, draw(few), *kernel],
        bias=draw(st.booleans()), opset=opset, free=sorted(free), fed=draw(st.booleans()), group=group, strides=strides,
        dilations=dilations, output_padding=extra, pads=[begin for begin, _ in pads] + [end for _, end in pads],
    )  # fmt: skip
