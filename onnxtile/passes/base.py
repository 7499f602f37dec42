"""The base of the passes that rewrite products: found once, judged once, then rewritten."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, Protocol, TypeVar

import onnx_ir as ir

from onnxtile.ir.constants import drop_if_unused, raise_ir_version
from onnxtile.ir.names import Names
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.forms.table import form_of
from onnxtile.tiling.legality import Decision, Judge, Refusal
from onnxtile.tiling.limits import UNLIMITED, ProductLimits, product_limits
from onnxtile.tiling.plan import TilePlan

CONSTANTS_FROM = 4
"""Initializers that aren't graph inputs need this IR version."""
Decided = tuple[Contraction, Decision]
AnyPass = TypeVar("AnyPass", bound="ProductPass")


class Decisions(Protocol):
    """Decisions that are made before passes run, so that several passes judge each product once."""

    def decided(self, pass_: ProductPass, model: ir.Model) -> Iterable[Decided]:
        """Return the products of the model that concern the pass, each with its decision."""

    def replaced(self, product: Contraction, nodes: Sequence[ir.Node]) -> None:
        """Take note that `nodes`, which may hold products, stand in the place of the product's node now."""


class ProductPass(ir.passes.InPlacePass):
    """Finds the products that concern it, judges them, and rewrites those that can be cut.

    A product that can't be is refused before anything changes, or left as it is where `leave_refused` says so. `form`
    is the one that will be written: some cut an M that is known only at run time, some need newer opsets. `pad_tiles`:
    products are padded with zeros to the size of `max`.
    """

    max: ProductLimits | None
    form: str
    leave_refused: bool
    pad_tiles: bool
    ir_version: ClassVar[int] = CONSTANTS_FROM
    """The IR version that the pass's nodes need in memory."""
    _decisions: ClassVar[Decisions | None] = None

    @abstractmethod
    def concerns(self, node: ir.Node, model: ir.Model) -> bool:
        """Return whether the pass would rewrite the node."""

    @abstractmethod
    def refusals(self, product: Contraction, model: ir.Model) -> Iterable[Refusal]:
        """Return the reasons against rewriting that lie in the operator itself: its type, its attributes."""

    @abstractmethod
    def rewrite(self, product: Contraction, plan: TilePlan, new: Replacement, model: ir.Model) -> None:
        """Replace the product's node."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "max", None if self.max is None else product_limits(self.max))
        form_of(self.form)

    def following(self: AnyPass, decisions: Decisions) -> AnyPass:
        """Return the same pass, which takes its decisions from `decisions` instead of judging."""
        copy = replace(self)  # type: ignore[type-var]  # each pass is a dataclass
        object.__setattr__(copy, "_decisions", decisions)
        return copy

    def decide(self, model: ir.Model, products: Iterable[Contraction] | None = None) -> list[Decided]:
        """Judge the products that concern the pass; where one of a node's is refused, all of them are.

        `products`: those to judge, instead of all of the model.
        """
        candidates = contractions(model) if products is None else products
        return self.judge(model, [product for product in candidates if self.concerns(product.node, model)])

    def judge(self, model: ir.Model, products: list[Contraction]) -> list[Decided]:
        """Decide on products that concern the pass."""
        judge = Judge(model, self.max or UNLIMITED, form_of(self.form).ability, self.pad_tiles)
        seen = map(self.as_multiplied, products) if judge.limits.by_types else products
        return judge.decisions(seen, lambda product: self.refusals(product, model))

    def as_multiplied(self, product: Contraction) -> Contraction:
        """Return a product that concerns the pass with the types of the product that it makes."""
        return product

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        if self._decisions is None:
            products = list(contractions(model))
            decided = self.decide(model, products)
            if not self.leave_refused:
                self.refuse(decided, products)
        else:
            decided = list(self._decisions.decided(self, model))
        accepted = {product.node: (product, plan) for product, plan in decided if isinstance(plan, TilePlan)}
        if accepted:
            names = Names(model)
            raise_ir_version(model, self.ir_version)
            for product, plan in accepted.values():
                self._replace(product, plan, model, names)
        return ir.passes.PassResult(model, modified=bool(accepted))

    def refuse(self, decided: Iterable[Decided], products: Iterable[Contraction]) -> None:
        """Raise PreconditionError for the first of the model's products that can't be rewritten."""
        for product, decision in decided:
            if isinstance(decision, Refusal):
                known = product.reason is None and None not in product.types
                hint = "" if known or "infer-shapes" in decision.words else "; run infer-shapes first"
                raise ir.passes.PreconditionError(f"{product.node.op_type} {product.name!r}: {decision}{hint}")

    def _replace(self, product: Contraction, plan: TilePlan, model: ir.Model, names: Names) -> None:
        operands = list(product.node.inputs)
        new = Replacement(product.node, names)
        self.rewrite(product, plan, new, model)
        for operand in operands:
            drop_if_unused(operand, model)
        if self._decisions is not None:
            self._decisions.replaced(product, new.nodes)
