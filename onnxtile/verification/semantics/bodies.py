"""Operators that onnx itself defines by a function body: they're evaluated as it says."""

from __future__ import annotations

from typing import Any

import onnx

from onnxtile.verification.semantics.entry import Call, Results, operator
from onnxtile.verification.value import UnprovenError

ATTRIBUTES = (
    "is_causal kv_num_heads q_num_heads qk_matmul_output_mode scale softcap softmax_precision left_window_size "
    "right_window_size update_rule chunk_size"
)


@operator("Attention LinearAttention", attributes=ATTRIBUTES)
def _by_its_body(call: Call) -> Results:
    node = call.node
    schema: Any = onnx.defs.get_schema(node.op_type, call.opset, node.domain)  # its stub lacks what follows
    types = [
        b"" if value is None else onnx.helper.make_tensor_type_proto(value.dtype.value, value.shape).SerializeToString()
        for value in call.inputs
    ]
    versions = [version for version in schema.context_dependent_function_opset_versions if version <= call.opset]
    if not versions:
        raise UnprovenError(f"onnx {onnx.__version__} has no function body for {node.op_type}")
    body = schema.get_context_dependent_function_with_opset_version(max(versions), node.SerializeToString(), types)
    return call.run.called(onnx.FunctionProto.FromString(body), call)
