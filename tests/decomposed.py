"""Lower models of decomposed operators, and hold them to numpy, to the limits and to the proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import onnxtile
from tests.support import Limits, run_onnxruntime, sizes_of_products

Arrays = Mapping[str, np.ndarray]


def one_node(
    op_type: str,
    inputs: Mapping[str, Sequence[int | str] | np.ndarray | None],
    outputs: Mapping[str, tuple[int, int]],
    domain: str = "",
    opset: int = 21,
    fed: type[np.generic] = np.float32,
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of the node fc. Inputs: the shape of one that is fed, an initializer's numbers, or None.

    Outputs: type and number of axes.
    """
    constants = {name: value for name, value in inputs.items() if isinstance(value, np.ndarray)}
    shapes = {name: value for name, value in inputs.items() if value is not None and name not in constants}
    names = [name if value is not None else "" for name, value in inputs.items()]
    while not names[-1]:
        names.pop()
    node = helper.make_node(op_type, names, [*outputs], "fc", domain=domain or None, **attributes)
    data_type = helper.np_dtype_to_tensor_dtype(np.dtype(fed))
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info(name, data_type, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(name, *_described(*output)) for name, output in outputs.items() if name],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(domain, 1)] * bool(domain)
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def _described(data_type: int, rank: int) -> tuple[int, list[None]]:
    return data_type, [None] * rank


def rightly_decomposed(
    model: onnx.ModelProto,
    limits: Limits,
    feeds: Arrays,
    wanted: Sequence[np.ndarray],
    form: str = "unrolled",
    rtol: float = 0,
    atol: float = 0,
    **how: Any,
) -> onnx.ModelProto:
    """The lowered model: the same each time, within the limits, right in onnxruntime, and proven.

    `wanted`: the outputs; floats may differ by `rtol` and `atol`, 0 on whole numbers.
    """
    before = model.SerializeToString()
    lowered: onnx.ModelProto = onnxtile.lower(model, limits, ops="all", form=form, **how)  # type: ignore[arg-type]
    assert model.SerializeToString() == before
    onnx.checker.check_model(lowered, full_check=True)
    report = onnxtile.check(lowered, limits, ops="all")
    assert report.ok, report.contractions
    for sizes in sizes_of_products(lowered):
        assert all(limit is None or size <= limit for size, limit in zip(sizes, limits, strict=True)), sizes
    for want, got in zip(wanted, run_onnxruntime(lowered, feeds), strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        if got.dtype.kind == "f" and (rtol or atol):
            np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)
        else:
            np.testing.assert_array_equal(got, want)
    verdict = onnxtile.verify(model, lowered)
    assert [region.status for region in verdict.regions] == ["proven"] * len(verdict.regions), verdict.regions
    assert verdict.equivalent
    return lowered


def is_refused(model: onnx.ModelProto, words: str, limits: Limits = (2, 3, 2), **how: Any) -> None:
    """The node's products are refused in these words, and the model stays as it is."""
    lowered, report = onnxtile.lower(model, limits, ops="all", report=True, **how)
    assert {row.status for row in report.contractions} <= {"refused", "unknown"}
    assert all(words in str(row.reason) for row in report.contractions), report.contractions
    assert lowered.graph.node == model.graph.node
