"""Attributes that calls give to local functions, put into the functions: one for each choice of them.

onnx's inliner drops a reference to an attribute that the call leaves out, whatever default the function has for it.
"""

from __future__ import annotations

import onnx

from onnxtile.errors import UnsupportedError
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.passes.rewrites.call_arguments import bind_arguments
from onnxtile.verification.graphs import nodes_inside

MOST_COPIES = 10_000
"""Functions that calls with other attributes may come to."""
Key = tuple[str, str, str]


def with_arguments(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with no attribute left to a function's caller; the model itself where there's none.

    Raises UnsupportedError where copies of functions would be too many.
    """
    functions = {_key(each): each for each in model.functions if each.domain != CALL_DOMAIN}
    if not any(each.attribute or each.attribute_proto for each in functions.values()):
        return model
    bound = onnx.ModelProto()
    bound.CopyFrom(model)
    del bound.functions[:]
    bound.functions.extend(each for each in model.functions if each.domain == CALL_DOMAIN)
    made: dict[tuple[Key, bytes], onnx.FunctionProto] = {}
    waiting = list(bound.graph.node)
    while waiting:
        for node in nodes_inside(waiting.pop()):
            function = functions.get((node.domain, node.op_type, node.overload))
            if function is None:
                continue
            given = {each.name: each for each in (*function.attribute_proto, *node.attribute)}
            said = onnx.NodeProto(attribute=[given[name] for name in sorted(given)])
            key = _key(function), said.SerializeToString(deterministic=True)
            if key not in made:
                if len(made) >= MOST_COPIES:
                    words = f"functions are called with more than {MOST_COPIES:,} choices of attributes"
                    raise UnsupportedError(f"{words}; inline some")
                copy = made[key] = onnx.FunctionProto()
                copy.CopyFrom(function)
                copy.name, copy.overload = f"{function.name}#{len(made)}", ""
                del copy.attribute[:], copy.attribute_proto[:]
                bind_arguments(copy.node, given, set())
                waiting += copy.node
            node.op_type, node.overload = made[key].name, ""
            del node.attribute[:]
    bound.functions.extend(made.values())
    return bound


def _key(function: onnx.FunctionProto) -> Key:
    return function.domain, function.name, function.overload
