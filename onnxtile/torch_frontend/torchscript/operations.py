"""What nodes of a TorchScript graph do: constants, containers, and operators found by their schemas."""

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
    """What computes a node, or why it isn't known."""
    kind = node.kind()
    if kind in ALONE:
        return _alone(node)
    schema = _schema(node)
    if schema is None:
        return f"{kind} isn't known"
    for argument in schema.arguments:
        if _writes(argument) and argument.type.kind() != "TensorType":
            return f"{kind} changes a list, dict or object"
    if any("VarType" in _kinds(argument.type) for argument in (*schema.arguments, *schema.returns)):
        if any(is_container(value.type()) for value in node.outputs()):
            return f"{kind} gives what a list or dict holds"
        return _alone(node)
    found = torch._C._get_operation_overload(schema.name, schema.overload_name)
    if found is None:
        return f"{kind} isn't known"
    named = [argument.name for argument in schema.arguments if argument.kwarg_only]
    call: Operation = found[0]
    if not named:
        return call
    count = len(schema.arguments) - len(named)
    return lambda *given: call(*given[:count], **dict(zip(named, given[count:], strict=True)))


def is_container(kind: Any) -> bool:
    """Whether values of a type are lists or dicts, or may hold them: those that torch and Python pass as copies."""
    return kind.kind() in ("ListType", "DictType", "AnyType") or (
        kind.kind() != "ClassType" and any(map(is_container, kind.containedTypes()))
    )


def alone(node: Any) -> Any:
    """A graph of this node alone, what it takes being the graph's inputs, but for a function that it calls."""
    graph = torch._C.Graph()
    places = []
    for value in node.inputs():
        if value.type().kind() == "FunctionType":
            places.append(graph.insertNode(graph.createClone(value.node(), lambda each: each)).output())
        else:
            places.append(graph.addInput())
            places[-1].setType(value.type())
    order = iter(places)
    copy = graph.insertNode(graph.createClone(node, lambda each: next(order)))
    for value in list(copy.outputs()) or [graph.insertConstant(None)]:
        graph.registerOutput(value)
    return graph


def _alone(node: Any) -> Operation:
    made: Operation = torch._C._create_function_from_graph("one", alone(node))
    return made


def _schema(node: Any) -> Any:
    text = node.schema()
    if text == "(no schema)" or "..." in text:  # any number of inputs or outputs
        return None
    name, _, overload = text.partition("(")[0].partition(".")
    return torch._C._get_schema(name, overload)


def _writes(argument: Any) -> bool:
    return argument.alias_info is not None and bool(argument.alias_info.is_write)


def _kinds(kind: Any) -> set[str]:
    return {kind.kind()}.union(*map(_kinds, kind.containedTypes()))


def _insert(items: list[Any], at: int, item: Any) -> None:
    items.insert(at, item)


def _pop(items: Any, *rest: Any) -> Any:
    return items.pop(*rest)


def _sort(items: list[Any], reverse: bool = False) -> None:
    items.sort(reverse=reverse)


def _append(items: list[Any], item: Any) -> list[Any]:
    items.append(item)
    return items


def _set_item(items: Any, at: Any, item: Any) -> Any:
    items[at] = item
    return items


def _extend(items: list[Any], more: list[Any]) -> None:
    items.extend(list(more))


def _add_in_place(items: list[Any], more: list[Any]) -> list[Any]:
    items.extend(list(more))
    return items


def _multiply_in_place(items: list[Any], times: int) -> list[Any]:
    items *= times
    return items


def _made_dict(*each: Any) -> dict[Any, Any]:
    return dict(zip(each[::2], each[1::2], strict=True))


def _sliced(items: list[Any], start: int | None = None, end: int | None = None, step: int = 1) -> list[Any]:
    return items[start:end:step]


def _kept(value: Any) -> Any:
    return value


def _there(value: Any) -> Any:
    if value is None:
        raise RuntimeError("Unwrapping null optional")
    return value


CONTAINERS: dict[str, Operation] = {
    "aten::append": _append,
    "aten::__getitem__": operator.getitem,
    "aten::_set_item": _set_item,
    "aten::len": len,
    "aten::extend": _extend,
    "aten::insert": _insert,
    "aten::pop": _pop,
    "aten::reverse": lambda items: items.reverse(),
    "aten::clear": lambda items: items.clear(),
    "aten::copy": lambda items: items.copy(),
    "aten::Delete": operator.delitem,
    "aten::add": operator.add,
    "aten::add_": _add_in_place,
    "aten::mul": operator.mul,
    "aten::mul_": _multiply_in_place,
    "aten::slice": _sliced,
    "aten::list": list,
    "aten::keys": lambda items: list(items.keys()),
    "aten::values": lambda items: list(items.values()),
    "aten::items": lambda items: list(items.items()),
    "aten::update": lambda items, more: items.update(more),
    "aten::get": lambda items, *rest: items.get(*rest),
    "aten::setdefault": lambda items, key, value: items.setdefault(key, value),
    "aten::popitem": lambda items: items.popitem(),
    "prim::ListUnpack": lambda items: tuple(items),
}
"""Operators on lists and dicts, where the first input is one; the same names do other things to tensors."""

IN_PLACE_OF_TORCH: dict[str, Operation] = {
    **CONTAINERS,
    "prim::ListConstruct": lambda *each: list(each),
    "prim::DictConstruct": _made_dict,
    "prim::TupleUnpack": _kept,
    "prim::TupleIndex": operator.getitem,
    "prim::Uninitialized": lambda: None,
    "prim::unchecked_cast": _kept,
    "prim::unchecked_unwrap_optional": _there,
    "aten::_unwrap_optional": _there,
    "aten::__is__": operator.is_,
    "aten::__isnot__": operator.is_not,
}
"""Operators that hand on what they're given, which must stay the same object."""
