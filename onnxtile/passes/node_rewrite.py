"""Make a pass of a plain function that says what takes a node's place: `@onnxtile.rewrite("Div")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import onnx_ir as ir

from onnxtile.errors import OnnxtileError, PassError, UsageError, did_you_mean
from onnxtile.ir.attributes import node_name
from onnxtile.ir.constants import drop_if_unused
from onnxtile.ir.graphs import default_opset, scopes_with_nodes
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.names import Names
from onnxtile.ir.printable import SHORT, printable, several
from onnxtile.operators.registry import MICROSOFT
from onnxtile.operators.table import OPERATORS
from onnxtile.passes.function_pass import FunctionPass, class_of_function
from onnxtile.passes.rewrites.node_writer import NodeWriter


class NodeRewrite(FunctionPass):
    """Calls a function with each node of some operators, in every body and local function, and puts in what it gives.

    What it makes isn't looked at again in the same run.
    """

    operators: ClassVar[frozenset[str]]
    domain: ClassVar[str]

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        found = [
            (node, default_opset(scope.opsets) or 0)
            for scope, nodes in scopes_with_nodes(model)
            for node in nodes
            if node.op_type in self.operators and node.domain == self.domain
        ]
        if not found:
            return ir.passes.PassResult(model, modified=False)
        names, modified = Names(model), False
        for node, opset in found:
            modified = self._rewritten(node, NodeWriter(node, model, names, opset), model) or modified
        return ir.passes.PassResult(model, modified)

    def _rewritten(self, node: ir.Node, op: NodeWriter, model: ir.Model) -> bool:
        """Return whether the function took the node, and what it gave is in its place."""
        named = f"{node.op_type} {node_name(node)!r}"
        try:
            given = type(self).function(node, op, **self.options)
        except OnnxtileError:
            raise
        except Exception as error:  # the function is anybody's code: whatever it raises gets the node's name
            raise PassError(f"{named}: {type(error).__name__}: {one_line(error)}") from error
        values = tuple(given) if isinstance(given, (tuple, list)) else (given,)
        if given is None:
            op.take_back()
            return False
        wrong = [value for value in values if not isinstance(value, (ir.Value, type(None)))]
        if wrong or len(values) != len(node.outputs):
            what = f"{several(len(values), 'value')} for {several(len(node.outputs), 'output')} of {named}"
            what = f"{wrong[0]!r} for {named}" if wrong else what
            raise PassError(
                f"{type(self).__name__} gave {printable(what, SHORT)}: values of nodes are wanted, one an output, or "
                "None to leave the node as it is"
            )
        operands = list(node.inputs)
        op.swap_in(values)
        for operand in operands:
            drop_if_unused(operand, model)
        return True


def rewrite(operators: str, *, domain: str = "") -> Callable[[Callable[..., object]], type[NodeRewrite]]:
    """Make a class of passes of a function that says what takes the place of a node.

    `operators`: names, with spaces between, in a domain. The function is called as `function(node, op, **options)`,
    makes nodes by `op` (see NodeWriter), and returns the value that takes the place of the node's output, a tuple for
    several, or None to leave the node as it is. Its other parameters are the pass's options, its name the pass's:
    `name(option=value)` in Python, `module:name{option=value}` in pipelines. Raises UsageError for no operator, and for
    one that ONNX doesn't have.
    """
    names = frozenset(operators.split()) if isinstance(operators, str) else frozenset[str]()
    if not names:
        raise UsageError('rewrite names the operators whose nodes are rewritten: @onnxtile.rewrite("Gemm MatMul")')
    for name in sorted(names) if not domain else ():
        if ("", name) not in OPERATORS:
            raise UsageError(f"rewrite names {name!r}, which isn't an operator of ONNX{_meant(name)}")
    facts = {"operators": names, "domain": domain}
    return lambda function: class_of_function(function, NodeRewrite, facts, 2)


def _meant(name: str) -> str:
    """Return what was meant by the name of an operator that ONNX doesn't have."""
    domain, dot, operator = name.rpartition(".")
    if not dot and (MICROSOFT, name) in OPERATORS:
        domain, dot, operator = MICROSOFT, ".", name
    if dot:
        return f'; of another domain it\'s @onnxtile.rewrite("{operator}", domain="{domain}")'
    return did_you_mean(name, [own for of, own in OPERATORS if not of])
