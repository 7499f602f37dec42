"""Find what computes a node of a TorchScript graph: torch's operators by their schemas, and ours on containers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

Operation = Callable[..., Any]
ALONE = {
    "prim::Print", "aten::format", "aten::percentFormat", "prim::isinstance", "prim::tolist", "prim::RaiseException",
    "aten::warn",
}  # fmt: skip
"""Operators that torch's interpreter alone runs right: of any number or kind of inputs, of which they change none."""


def operation(node: Any) -> Operation | str:
    """Return what computes a node, or why it isn't known."""
    kind = node.kind()
    if kind in ALONE:
        return _alone(node)
    schema = _schema(node)
    if schema is None:
        return f"{kind} isn't known"
    for argument in schema.arguments:
        if _writes(argument) and argument.type.kind() != "TensorType":
            return f"{kind} changes a list, dict or object"
    if any("VarType" in _type_kinds(argument.type) for argument in (*schema.arguments, *schema.returns)):
        if any(is_container(value.type()) for value in node.outputs()):
            return f"{kind} gives what a list or dict holds"
        return _alone(node)
    overload = torch._C._get_operation_overload(schema.name, schema.overload_name)
    if overload is None:
        return f"{kind} isn't known"
    named = [argument.name for argument in schema.arguments if argument.kwarg_only]
    call: Operation = overload[0]
    if not named:
        return call
    count = len(schema.arguments) - len(named)
    return lambda *args: call(*args[:count], **dict(zip(named, args[count:], strict=True)))


def is_container(kind: Any) -> bool:
    """Return whether values of a type are or may hold lists or dicts, which torch and Python pass as copies."""
    return kind.kind() in ("ListType", "DictType", "AnyType") or (
        kind.kind() != "ClassType" and any(map(is_container, kind.containedTypes()))
    )


def alone(node: Any) -> Any:
    """Return a graph of this node alone, whose inputs are the node's, but for a function that it calls."""
    graph = torch._C.Graph()
    inputs = []
    for value in node.inputs():
        if value.type().kind() == "FunctionType":
            inputs.append(graph.insertNode(graph.createClone(value.node(), lambda same: same)).output())
        else:
            inputs.append(graph.addInput())
            inputs[-1].setType(value.type())
    order = iter(inputs)
    copy = graph.insertNode(graph.createClone(node, lambda _: next(order)))
    for value in list(copy.outputs()) or [graph.insertConstant(None)]:
        graph.registerOutput(value)
    return graph


def _alone(node: Any) -> Operation:
    function: Operation = torch._C._create_function_from_graph("one", alone(node))
    return function


def _schema(node: Any) -> Any:
    text = node.schema()
    if text == "(no schema)" or "..." in text:  # any number of inputs or outputs
        return None
    name, _, overload = text.partition("(")[0].partition(".")
    return torch._C._get_schema(name, overload)


def _writes(argument: Any) -> bool:
    return argument.alias_info is not None and bool(argument.alias_info.is_write)


def _type_kinds(kind: Any) -> set[str]:
    return {kind.kind()}.union(*map(_type_kinds, kind.containedTypes()))


def _append(items: list[Any], item: Any) -> list[Any]:
    items.append(item)
    return items


def _set_item(items: Any, key: Any, item: Any) -> Any:
    items[key] = item
    return items


def _same(value: Any) -> Any:
    return value


def _not_none(value: Any) -> Any:
    if value is None:
        raise RuntimeError("Unwrapping null optional")
    return value


CONTAINERS: dict[str, Operation] = {
    "aten::append": _append,
    "aten::__getitem__": operator.getitem,
    "aten::_set_item": _set_item,
    "aten::len": len,
    "aten::extend": lambda items, more: items.extend(more),
    "aten::insert": list.insert,
    "aten::pop": lambda items, *rest: items.pop(*rest),
    "aten::reverse": list.reverse,
    "aten::clear": lambda items: items.clear(),
    "aten::copy": lambda items: items.copy(),
    "aten::Delete": operator.delitem,
    "aten::add": operator.add,
    "aten::add_": operator.iadd,
    "aten::mul": operator.mul,
    "aten::mul_": operator.imul,
    "aten::slice": lambda items, start=None, end=None, step=1: items[start:end:step],
    "aten::list": list,
    "aten::keys": lambda items: list(items.keys()),
    "aten::values": lambda items: list(items.values()),
    "aten::items": lambda items: list(items.items()),
    "aten::update": dict.update,
    "aten::get": dict.get,
    "aten::setdefault": dict.setdefault,
    "aten::popitem": dict.popitem,
    "prim::ListUnpack": tuple,
}
"""Operators on lists and dicts, where the first input is one; the same names do other things to tensors."""

IN_PLACE_OF_TORCH: dict[str, Operation] = {
    **CONTAINERS,
    "prim::ListConstruct": lambda *items: list(items),
    "prim::DictConstruct": lambda *items: dict(zip(items[::2], items[1::2], strict=True)),
    "prim::TupleUnpack": _same,
    "prim::TupleIndex": operator.getitem,
    "prim::Uninitialized": lambda: None,
    "prim::unchecked_cast": _same,
    "prim::unchecked_unwrap_optional": _not_none,
    "aten::_unwrap_optional": _not_none,
    "aten::__is__": operator.is_,
    "aten::__isnot__": operator.is_not,
}
"""Operators that hand on the objects that they're given, which must stay the same ones."""
