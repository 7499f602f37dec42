"""Local functions put in the place of their calls."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass


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
