"""The registry of operators: all that is known of one is declared once, in the file of its family."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir

from onnxtile.ir.attributes import input_of
from onnxtile.ir.graphs import is_tiled_product
from onnxtile.ir.opset_imports import domain_text
from onnxtile.operators.sizes import Size
from onnxtile.operators.work import Work, all_unknown

Operator = tuple[str, str]
"""Domain and name of an operator."""
MICROSOFT = "com.microsoft"
ML = "ai.onnx.ml"
PREVIEW = "ai.onnx.preview"
TRAINING = "ai.onnx.preview.training"
NHWC = "com.ms.internal.nhwc"
NCHWC = "com.microsoft.nchwc"
DOMAINS = ("", MICROSOFT, ML, PREVIEW, TRAINING, NHWC, NCHWC)
FAMILIES = ("matmul", "conv", "rnn", "attention", "other")
Role = Literal["data", "statistics", "quantization", "setting"]
Types = tuple[ir.DataType | None, ir.DataType | None]
"""Types of A and B as they are multiplied; None: not known."""


def _dtype(node: ir.Node, index: int) -> ir.DataType | None:
    value = input_of(node, index)
    return None if value is None or value.dtype == ir.DataType.UNDEFINED else value.dtype


def of_the_first(node: ir.Node, part: str) -> Types:
    """Return the type of the first input for both operands: what packs weights unpacks them to it."""
    return _dtype(node, 0), _dtype(node, 0)


def types_of(a: int, b: int) -> Callable[[ir.Node, str], Types]:
    """Return what tells the types of these inputs."""
    return lambda node, part: (_dtype(node, a), _dtype(node, b))


def quantized_at_run_time(node: ir.Node, part: str) -> Types:
    """Return bytes for A, which DynamicQuantizeLinear makes of the first input, and the type of the second for B."""
    return ir.DataType.UINT8, _dtype(node, 1)


@dataclass(frozen=True)
class Products:
    """An operator's family and how the sizes of its products follow from its operands.

    `sizes`: the products by name, '' for an only one; None: not known, and `reason` says why. `formula` says the same
    in words, for people. `lowered_by` names the pass that brings it within limits; None: it's reported only. `refused`
    says in words what isn't lowered, or why nothing is. `types`: those of the operands of a node's product of this
    name, as they are multiplied.
    """

    family: str
    sizes: Callable[[ir.Node], Mapping[str, Size]] | None = None
    formula: str = ""
    lowered_by: str | None = None
    reason: str = "isn't sized yet"
    refused: str = ""
    types: Callable[[ir.Node, str], Types] = of_the_first


def one_product(
    family: str,
    size: Callable[[ir.Node], Size],
    formula: str,
    lowered_by: str | None = None,
    refused: str = "",
    types: Callable[[ir.Node, str], Types] = of_the_first,
) -> Products:
    """Return the products of an operator that is one."""
    return Products(family, lambda node: {"": size(node)}, formula, lowered_by, refused=refused, types=types)


def unsized(family: str, reason: str) -> Products:
    """Return products whose sizes can't be told, and why."""
    return Products(family, reason=reason)


@dataclass(frozen=True)
class Packed:
    """Inputs that hold several numbers in a byte: the attribute that says how many bits a number has, or its default.

    `shape`: attributes whose product is how many numbers there are, without what fills up the last block.
    """

    inputs: Container[int]
    attribute: str = ""
    bits: int = 4
    shape: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """All that is known of an operator: its products (None: it holds none), its other work, what its inputs are.

    Inputs are data but for those that set what's computed (axes, bounds), scales and zero points (`quantization`), and
    statistics of training. `result`: what the outputs hold: numbers computed from the data, sizes only, random numbers,
    or a value in a wrapping. `body`: the function that the operator stands for, as ONNX text; '': none is told, or the
    operator is known anyway.
    """

    products: Products | None
    work: Work
    settings: Container[int] = ()
    quantization: Container[int] = ()
    statistics: Container[int] = ()
    packed: Packed | None = None
    result: Literal["computed", "sizes", "random", "wrapped"] = "computed"
    body: str = ""

    def role(self, index: int) -> Role:
        """Return what an input is to the operator."""
        if index in self.quantization:
            return "quantization"
        if index in self.settings:
            return "setting"
        return "statistics" if index in self.statistics else "data"


OPERATORS: dict[Operator, Facts] = {}
"""The operators that were declared so far; `table` has them all."""


def declare(
    names: str,
    *domains: str,
    products: Products | None = None,
    work: Work | None = None,
    settings: Container[int] = (),
    quantization: Container[int] = (),
    statistics: Container[int] = (),
    packed: Packed | None = None,
    result: Literal["computed", "sizes", "random", "wrapped"] = "computed",
    body: str = "",
) -> None:
    """Enter operators of these names, with a space between, in these domains (none: that of ai.onnx).

    `body`: a function of ONNX's operators, as text, that computes the same, for `verify`; it's of one operator in one
    domain, and has its name and its domain.

    Work may be left out of an operator whose products can't be sized: it can't be counted for the same reason. Raises
    ValueError for an operator that is declared already, and for a declaration that isn't whole.
    """
    if products is not None and products.family not in FAMILIES:
        raise ValueError(f"the family of {names} is {products.family!r}: take one of {', '.join(FAMILIES)}")
    if work is None:
        if products is None or products.sizes is not None:
            raise ValueError(f"what {names} compute isn't declared: give work, ELEMENTWISE * X or so")
        work = all_unknown(f"it {products.reason}")
    facts = Facts(products, work, settings, quantization, statistics, packed, result, body)
    if body:
        _check_body(body, names, domains)
    for operator in ((domain, name) for domain in domains or ("",) for name in names.split()):
        if operator in OPERATORS:
            raise ValueError(f"{operator[1]} of domain {domain_text(operator[0])} is declared already")
        OPERATORS[operator] = facts


def _check_body(body: str, names: str, domains: tuple[str, ...]) -> None:
    """Raise ValueError for a body that isn't a function, or is that of another operator."""
    import onnx

    try:
        function = onnx.parser.parse_function(body)
    except onnx.parser.ParseError as error:
        raise ValueError(
            f"the body of {names} isn't a function as ONNX text: {' '.join(str(error).split())}"
        ) from error
    if (function.name, (function.domain,)) != (names, domains):
        called = f"{function.name} of domain {domain_text(function.domain)}"
        raise ValueError(f"the body of {names} is that of {called}: give it the operator's name and domain")


def _tile(node: ir.Node) -> Size:
    """Return the size of a tiled product as the engine gets it: that of one tile."""
    m, k, n = (None if size < 0 else size for size in node.attributes["tile"].as_ints())
    return Size(m, k, n, None)


_CALL = one_product("matmul", _tile, "the tile", types=types_of(0, 1))


def products_of(node: ir.Node) -> Products | None:
    """Return how the node's products are sized; None for an operator without a product, or one that isn't declared."""
    if is_tiled_product(node):
        return _CALL
    facts = OPERATORS.get((node.domain, node.op_type))
    return None if facts is None else facts.products
