"""Find the matrix products that a model holds, in normal form, with their sizes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.errors import ModelError, UsageError, wrong_name
from onnxtile.ir.attributes import UnsizedError, input_of, node_name
from onnxtile.ir.graphs import Scope, called_functions, default_opset, is_tiled_product, scopes_with_nodes
from onnxtile.ir.metadata import UNKNOWN_META
from onnxtile.ir.opset_imports import domain_text
from onnxtile.operators.registry import DOMAINS, FAMILIES, Types, products_of
from onnxtile.operators.sizes import UNSIZED, Size
from onnxtile.operators.table import OPERATORS, facts_of


@dataclass(frozen=True)
class Contraction:
    """One product as a model holds it. `reason`: why no axis of its size is known; see `unknown_axis_because`.

    `part` is the product's name where the node has several; '' where it has one. `opset` is the version of the default
    operator set that the node is written in (None: not imported). `types`: those of A and B as they are multiplied.
    """

    node: ir.Node
    scope: str
    in_function: bool
    opset: int | None
    family: str
    size: Size
    reason: str | None
    part: str = ""
    types: Types = (None, None)

    @property
    def unknown_axis_because(self) -> str | None:
        """Return why an axis of its size isn't known before run time, where inference noted it; None if all are."""
        if None not in (*self.size.axes, self.size.batch):
            return None
        noted = (value.meta.get(UNKNOWN_META) for value in self.node.inputs if value is not None)
        return next((reason for reason in noted if reason), None)

    @property
    def name(self) -> str:
        return node_name(self.node)

    @property
    def dtype(self) -> ir.DataType | None:
        a = input_of(self.node, 0)
        return None if a is None or a.dtype == ir.DataType.UNDEFINED else a.dtype


def contractions_of(node: ir.Node, scope: Scope, functions: Container[ir.OperatorIdentifier] = ()) -> list[Contraction]:
    """Return the node's products, none where it holds none; an unknown operator may hold one, of family other.

    `functions`: the model's local ones, whose calls hold nothing themselves. Sizes are read from the shapes that the
    operands carry: run infer-shapes first. Raises ModelError where the operands contradict; operators that are only
    reported have no size then, so that they keep nobody from lowering the rest.
    """
    opset = default_opset(scope.opsets)
    products = products_of(node)
    called = node.op_identifier() in functions and not is_tiled_product(node)
    if called or not node.outputs:
        return []

    def contraction(size: Size, reason: str | None, part: str = "", family: str = "other") -> Contraction:
        types = (None, None) if products is None else products.types(node, part)
        return Contraction(node, scope.name, scope.in_function, opset, family, size, reason, part, types)

    if products is None:
        return [] if facts_of(node) else [contraction(UNSIZED, _unknown(node))]
    family = products.family
    if products.sizes is None:
        return [contraction(UNSIZED, f"{node.op_type} {products.reason}", family=family)]
    try:
        return [contraction(size, None, part, family) for part, size in products.sizes(node).items()]
    except UnsizedError as why:
        return [contraction(UNSIZED, str(why), family=family)]
    except ModelError as error:
        if products.lowered_by is not None and (not scope.name or scope.in_function):
            raise
        # a branch that's never taken may contradict itself, and so may what only matters to who asked
        return [contraction(UNSIZED, str(error), family=family)]


def _unknown(node: ir.Node) -> str:
    """Return why it can't be told whether the node holds a product."""
    if node.domain in DOMAINS:
        words = f"{node.op_type} isn't among the operators known of {domain_text(node.domain)}"
        return f"{words}: whether it holds a product can't be told"
    return f"domain {node.domain} isn't known: whether {node.op_type} holds a product can't be told"


def contractions(model: ir.Model) -> Iterator[Contraction]:
    """Yield every product of the model, in every scope, in the order of the nodes; functions never called have none."""
    idle = model.functions.keys() - called_functions(model)
    unread = {id(node) for key in idle for node in model.functions[key].all_nodes()}
    for scope, nodes in scopes_with_nodes(model):
        for node in nodes:
            facts = OPERATORS.get((node.domain, node.op_type))
            if (facts is not None and facts.products is None) or id(node) in unread:
                continue  # most nodes of large models hold none
            yield from contractions_of(node, scope, model.functions)


def families(ops: str | Iterable[str]) -> tuple[str, ...]:
    """Return the families that `ops` names: `matmul`, `matmul,conv`, `all`, or a sequence; UsageError otherwise."""
    if not isinstance(ops, (str, list, tuple, set, frozenset)) or not ops:
        raise UsageError(f"ops is {ops!r}: name at least one operator family, such as matmul")
    names = [name.strip() for name in ops.split(",")] if isinstance(ops, str) else list(ops)
    if "all" in names:
        return FAMILIES
    for name in names:
        if name not in FAMILIES:
            raise wrong_name(f"operator family {name!r} is unknown", name, FAMILIES, ", or all")
    return tuple(names)
