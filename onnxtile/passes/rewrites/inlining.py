"""Bodies of local functions for their calls: in the place of the call, or as a copy that is called in its stead."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from onnx_ir._cloner import Cloner
from onnx_ir.passes.common import InlinePass


class Inline(InlinePass):
    """onnx_ir's pass, with the names that it gives, in a time that doesn't grow with the square of the calls.

    It looks for a free name by counting up from 2 for each node of each call. Here names of a call's nodes are known
    before: numbers go on where they were.
    """

    def _reset(self, model: ir.Model) -> None:
        super()._reset(model)
        self._last: dict[tuple[bool, str], int] = {}

    def _instantiate_call(self, node: ir.Node, call_site_id: str) -> tuple[Sequence[ir.Node], Sequence[ir.Value]]:
        named: list[tuple[ir.Node | ir.Value, str | None]] = []
        fresh: dict[bool, set[str]] = {True: set(), False: set()}
        for inner in self._functions[node.op_identifier()].all_nodes():
            things: list[tuple[ir.Node | ir.Value, str]] = [(inner, "node"), *((out, "val") for out in inner.outputs)]
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


def bound_body(function: ir.Function, call: ir.Node) -> ir.Graph:
    """Return a copy of a function's body for one call: attributes have its values, and inputs that it leaves out go."""
    defaults = {name: attribute for name, attribute in function.attributes.items() if attribute.value is not None}
    cloner = Cloner(
        attr_map=defaults | dict(call.attributes), value_map={}, metadata_props={}, resolve_ref_attrs=True,
        post_process=_forget_meta,
    )  # fmt: skip
    body = cloner.clone_graph(function.graph)
    for index, value in enumerate(body.inputs):
        if index >= len(call.inputs) or call.inputs[index] is None:
            for node, operand in list(value.uses()):
                node.replace_input_with(operand, None)
    return body


def _forget_meta(node: ir.Node) -> None:
    """Drop what was noted of the node in this process: names were given to the function's own."""
    node.meta.clear()
    for value in node.outputs:
        value.meta.clear()
