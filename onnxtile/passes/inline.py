"""Local functions put in the place of their calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from onnxtile.ir.functions import check_calls
from onnxtile.ir.io.load import copy_of
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.passes.specialize_functions import SpecializeFunctions


class Inline(InlinePass):
    """onnx_ir's pass, with the names that it gives, in a time that doesn't grow with the square of the calls.

    It looks for a free name by counting up from 2 for each node of each call. Here what a call's nodes will be named is
    known before: numbers go on where they were.
    """

    def _reset(self, model: ir.Model) -> None:
        super()._reset(model)
        self._last: dict[tuple[bool, str], int] = {}

    def _instantiate_call(self, node: ir.Node, call_site_id: str) -> Any:
        function = self._functions[node.op_identifier()]
        named: list[tuple[ir.Node | ir.Value, str | None]] = []
        fresh: dict[bool, set[str]] = {True: set(), False: set()}
        for each in function.all_nodes():
            things: list[tuple[ir.Node | ir.Value, str]] = [(each, "node"), *((value, "val") for value in each.outputs)]
            for thing, fallback in things:
                named.append((thing, thing.name))
                thing.name = self._free(thing.name or fallback, isinstance(thing, ir.Node), fresh)
        try:
            return super()._instantiate_call(node, call_site_id)
        finally:
            for thing, name in named:
                thing.name = name

    def _free(self, name: str, is_node: bool, fresh: dict[bool, set[str]]) -> str:
        """Return the first of name, name_2, name_3, ... that nothing has yet."""
        used = self._used_node_names if is_node else self._used_value_names
        number = self._last.get((is_node, name), 1)
        candidate = name if number == 1 else f"{name}_{number}"
        while candidate in used or candidate in fresh[is_node]:
            number += 1
            candidate = f"{name}_{number}"
        self._last[is_node, name] = number
        fresh[is_node].add(candidate)
        return candidate


def inlined(model: ir.Model) -> ir.Model:
    """A copy whose local functions are put in the place of their calls, with shapes.

    Functions of another opset than the model's can't be; all of them stay then, each for one signature of its calls.
    """
    copy = copy_of(model)
    inline(copy)
    return copy


def inline(model: ir.Model) -> None:
    """The same to the model itself. Raises UnsupportedError where that would make too many nodes."""
    check_calls(model)
    steps: list[ir.passes.PassBase] = [InferShapes()]
    if any(_differ(function.opset_imports, model.opset_imports) for function in model.functions.values()):
        steps = [InferShapes(), SpecializeFunctions()]
    elif model.functions:
        steps = [Inline(), InferShapes()]
    PassManager(steps, check=False)(model)


def _differ(left: Mapping[str, int], right: Mapping[str, int]) -> bool:
    return any(right.get(domain, version) != version for domain, version in left.items())
