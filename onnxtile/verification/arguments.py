"""Attributes that calls give to local functions, put into the functions: one for each choice of them.

onnx's inliner drops a reference to an attribute that the call leaves out, whatever default the function has for it.
"""

from __future__ import annotations

import onnx

from onnxtile.errors import UnsupportedError
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.verification.graphs import nodes_inside, with_attributes

MOST_COPIES = 10_000
"""Functions that calls with other attributes may come to."""
Key = tuple[str, str, str]


def with_arguments(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with no attribute left to a function's caller; the model itself where there's none.

    Raises UnsupportedError where copies of functions would be too many.
    """
    functions = {_key(function): function for function in model.functions if function.domain != CALL_DOMAIN}
    if not any(function.attribute or function.attribute_proto for function in functions.values()):
        return model
    bound = onnx.ModelProto()
    bound.CopyFrom(model)
    del bound.functions[:]
    bound.functions.extend(function for function in model.functions if function.domain == CALL_DOMAIN)
    copies: dict[tuple[Key, bytes], onnx.FunctionProto] = {}
    waiting = list(bound.graph.node)
    while waiting:
        for node in nodes_inside(waiting.pop()):
            function = functions.get((node.domain, node.op_type, node.overload))
            if function is None:
                continue
            values = {argument.name: argument for argument in (*function.attribute_proto, *node.attribute)}
            choice = onnx.NodeProto(attribute=[values[name] for name in sorted(values)])
            key = _key(function), choice.SerializeToString(deterministic=True)
            if key not in copies:
                if len(copies) >= MOST_COPIES:
                    words = f"functions are called with more than {MOST_COPIES:,} choices of attributes"
                    raise UnsupportedError(f"{words}; inline some")
                copy = copies[key] = onnx.FunctionProto()
                copy.CopyFrom(function)
                copy.name, copy.overload = f"{function.name}#{len(copies)}", ""
                del copy.attribute[:], copy.attribute_proto[:]
                for inner in (inner for outer in copy.node for inner in nodes_inside(outer)):
                    inner.CopyFrom(with_attributes(inner, values))
                waiting += copy.node
            node.op_type, node.overload = copies[key].name, ""
            del node.attribute[:]
    bound.functions.extend(copies.values())
    return bound


def _key(function: onnx.FunctionProto) -> Key:
    return function.domain, function.name, function.overload
